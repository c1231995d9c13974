"""Studies from Python: run them, read their results as data frames, show their reports."""

from ablations.notebook.calls import compare, curves, report, results, run, verdicts
from ablations.notebook.outcome import ReportFiles, RunResult

__all__ = [
    "ReportFiles",
    "RunResult",
    "compare",
    "curves",
    "report",
    "results",
    "run",
    "verdicts",
]
