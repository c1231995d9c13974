"""A generic engine for sweeps: plan, execute what is missing, record, track. Knows no trainer."""

from sweeps.axes import AnyAxis, Levels, OrderedPairs, Paired
from sweeps.context import Outcome, TrialContext, TrialFunction
from sweeps.errors import PlanError, StoreError, SweepError, TrackingError
from sweeps.execution import Ended, Execution
from sweeps.executors import execute, run_here
from sweeps.keys import chain_keys, key_of
from sweeps.launches import launches, load_plan, studies
from sweeps.nearest import did_you_mean
from sweeps.plan import Known, Plan, Resolve, Resolved, Trial, plan
from sweeps.progress import CellProgress, Progress, Running, progress
from sweeps.record import Stage, Summary, TrialRecord
from sweeps.running import Ran, RunSettings
from sweeps.store import Store
from sweeps.sweep import Cell, Companion, Sweep, apply, flatten
from sweeps.tracking import (
    CellSummary,
    Closed,
    Places,
    Tracking,
    open_tracking,
    places,
    tracking_uri,
)

__all__ = [
    "AnyAxis",
    "Cell",
    "CellProgress",
    "CellSummary",
    "Closed",
    "Companion",
    "Ended",
    "Execution",
    "Known",
    "Levels",
    "OrderedPairs",
    "Outcome",
    "Paired",
    "Places",
    "Plan",
    "PlanError",
    "Progress",
    "Ran",
    "Resolve",
    "Resolved",
    "RunSettings",
    "Running",
    "Stage",
    "Store",
    "StoreError",
    "Summary",
    "Sweep",
    "SweepError",
    "Tracking",
    "TrackingError",
    "Trial",
    "TrialContext",
    "TrialFunction",
    "TrialRecord",
    "apply",
    "chain_keys",
    "did_you_mean",
    "execute",
    "flatten",
    "key_of",
    "launches",
    "load_plan",
    "open_tracking",
    "places",
    "plan",
    "progress",
    "run_here",
    "studies",
    "tracking_uri",
]
