"""A generic engine for sweeps: plan, execute what is missing, record, track. Knows no trainer."""

from sweeps.axes import AnyAxis, Levels, OrderedPairs, Paired
from sweeps.errors import PlanError, StoreError, SweepError, TrackingError
from sweeps.keys import chain_keys, key_of
from sweeps.nearest import did_you_mean
from sweeps.plan import Known, Plan, Resolve, Resolved, Trial, plan
from sweeps.record import Stage, Summary, TrialRecord
from sweeps.store import Store
from sweeps.sweep import Cell, Companion, Sweep, apply, flatten

__all__ = [
    "AnyAxis",
    "Cell",
    "Companion",
    "Known",
    "Levels",
    "OrderedPairs",
    "Paired",
    "Plan",
    "PlanError",
    "Resolve",
    "Resolved",
    "Stage",
    "Store",
    "StoreError",
    "Summary",
    "Sweep",
    "SweepError",
    "TrackingError",
    "Trial",
    "TrialRecord",
    "apply",
    "chain_keys",
    "did_you_mean",
    "flatten",
    "key_of",
    "plan",
]
