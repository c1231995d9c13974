"""Losses on the embeddings of views, and how well views find their partners."""

from simclr_core.losses.contract import Loss
from simclr_core.losses.contrastive import AnyLoss, NTXent

__all__ = [
    "AnyLoss",
    "Loss",
    "NTXent",
]
