"""Tracking: one process logs the records of a study to MLflow and can rebuild the database from them."""

from sweeps.tracking.client import LoggedModel, RunLocation, locate_runs, log_model
from sweeps.tracking.contract import Tracker, TrackingResult
from sweeps.tracking.redaction import shown
from sweeps.tracking.trackers import open_tracking, tracking_uri

__all__ = [
    "LoggedModel",
    "RunLocation",
    "Tracker",
    "TrackingResult",
    "locate_runs",
    "log_model",
    "open_tracking",
    "shown",
    "tracking_uri",
]
