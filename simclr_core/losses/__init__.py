"""Losses on the embeddings of views, and how well views find their partners."""

from simclr_core.losses.contrastive import AnyLoss, CrossEntropy, Labelled, NTXent
from simclr_core.losses.contrastive_metrics import contrastive_accuracy, contrastive_entropy

__all__ = [
    "AnyLoss",
    "CrossEntropy",
    "Labelled",
    "NTXent",
    "contrastive_accuracy",
    "contrastive_entropy",
]
