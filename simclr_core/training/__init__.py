"""Pre-training: the loop, its checkpoints, and the watch on collapse and divergence."""

from simclr_core.training.knn_monitor import KNN
from simclr_core.training.pretraining import Pretrained, pretrain

__all__ = [
    "KNN",
    "Pretrained",
    "pretrain",
]
