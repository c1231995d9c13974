"""Optimisers and learning-rate schedules."""

from simclr_core.optim.optimizers import AdamW, AnyOptimizer, Lars
from simclr_core.optim.schedules import AnySchedule, WarmupCosine

__all__ = [
    "AdamW",
    "AnyOptimizer",
    "AnySchedule",
    "Lars",
    "WarmupCosine",
]
