"""Evaluation of a frozen encoder: features once, then every probe on them."""

from simclr_core.evaluation.frozen_evaluation import ReadOut, read_out
from simclr_core.evaluation.frozen_features import features, state_hash
from simclr_core.evaluation.random_init import estimate_statistics

__all__ = [
    "ReadOut",
    "estimate_statistics",
    "features",
    "read_out",
    "state_hash",
]
