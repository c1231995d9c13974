"""Evaluation of a frozen encoder: features once, then every probe on them."""

from simclr_core.evaluation.frozen_evaluation import Evaluated, evaluate
from simclr_core.evaluation.frozen_features import features, state_hash
from simclr_core.evaluation.random_init import estimate_statistics

__all__ = [
    "Evaluated",
    "estimate_statistics",
    "evaluate",
    "features",
    "state_hash",
]
