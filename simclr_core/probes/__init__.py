"""Probes and metrics on frozen features, and the targets they predict."""

from simclr_core.probes.geometry import Geometry, alignment, effective_rank, uniformity
from simclr_core.probes.knn import Knn
from simclr_core.probes.logistic import Choice, Fitted, top_k_accuracy
from simclr_core.probes.sgd import Features, SgdProbe
from simclr_core.probes.spec import ChoosingProbe, Evaluation, labelled
from simclr_core.probes.targets import AnyTarget, Classes, answers, num_answers, transformed

__all__ = [
    "AnyTarget",
    "Choice",
    "ChoosingProbe",
    "Classes",
    "Evaluation",
    "Features",
    "Fitted",
    "Geometry",
    "Knn",
    "SgdProbe",
    "alignment",
    "answers",
    "effective_rank",
    "labelled",
    "num_answers",
    "top_k_accuracy",
    "transformed",
    "uniformity",
]
