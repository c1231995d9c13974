"""Probes and metrics on frozen features, and the targets they predict."""

from simclr_core.probes.contract import (
    Part,
    Probe,
    Solution,
    Target,
    Task,
    confusion_matrix,
    right_by_class,
    top_k_accuracy,
)
from simclr_core.probes.geometry import Geometry, alignment, effective_rank, uniformity
from simclr_core.probes.knn import Knn
from simclr_core.probes.spec import Evaluation, labelled

__all__ = [
    "Evaluation",
    "Geometry",
    "Knn",
    "Part",
    "Probe",
    "Solution",
    "Target",
    "Task",
    "alignment",
    "confusion_matrix",
    "effective_rank",
    "labelled",
    "right_by_class",
    "top_k_accuracy",
    "uniformity",
]
