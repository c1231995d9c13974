"""Pre-training: the loop, its checkpoints, and the watch on collapse and divergence."""

from simclr_core.training.capture import why_eager
from simclr_core.training.first_views import views_of_first_epoch
from simclr_core.training.knn_monitor import KNN
from simclr_core.training.pretraining import Pretrained, pretrain
from simclr_core.training.side_by_side import Member, Pace, SideBySide, members_that_pay

__all__ = [
    "KNN",
    "Member",
    "Pace",
    "Pretrained",
    "SideBySide",
    "members_that_pay",
    "pretrain",
    "views_of_first_epoch",
    "why_eager",
]
