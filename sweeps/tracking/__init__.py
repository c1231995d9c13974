"""MLflow: one process logs the records of a study and can rebuild the database from them."""

from sweeps.tracking.address import tracking_uri
from sweeps.tracking.client import (
    CellSummary,
    RunLocation,
    Tracking,
    TrackingResult,
    locate_runs,
    open_tracking,
)
from sweeps.tracking.redaction import shown

__all__ = [
    "CellSummary",
    "RunLocation",
    "Tracking",
    "TrackingResult",
    "locate_runs",
    "open_tracking",
    "shown",
    "tracking_uri",
]
