"""Running the trials of a plan: Ray Tune or this process, workers, heartbeats, progress."""

from sweeps.execution.budget import Budget
from sweeps.execution.executor import execute, run_here
from sweeps.execution.interrupts import end_signals
from sweeps.execution.ray_settings import unused_variables
from sweeps.execution.result import Execution, UnfinishedTrial
from sweeps.execution.study_progress import CellProgress, Progress, Running, progress
from sweeps.execution.trial_context import Outcome, TrialContext, TrialFunction
from sweeps.execution.trial_runner import RunSettings, TrialResult, even_shares

__all__ = [
    "Budget",
    "CellProgress",
    "Execution",
    "Outcome",
    "Progress",
    "RunSettings",
    "Running",
    "TrialContext",
    "TrialFunction",
    "TrialResult",
    "UnfinishedTrial",
    "end_signals",
    "even_shares",
    "execute",
    "progress",
    "run_here",
    "unused_variables",
]
