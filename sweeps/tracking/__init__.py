"""MLflow: one process logs the records of a study and can rebuild the database from them."""

from sweeps.tracking.client import (
    CellSummary,
    Closed,
    Places,
    Tracking,
    open_tracking,
    places,
    tracking_uri,
)
from sweeps.tracking.redaction import shown

__all__ = [
    "CellSummary",
    "Closed",
    "Places",
    "Tracking",
    "open_tracking",
    "places",
    "shown",
    "tracking_uri",
]
