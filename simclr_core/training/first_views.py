"""The views that a training run draws of a few images in its first epoch, for a reader to look at."""

import torch
import torch.nn.functional as F
from jaxtyping import UInt8
from torch import Tensor

from simclr_core.augment import draw_views
from simclr_core.chance import Chance
from simclr_core.config import Config
from simclr_core.data import Dataset
from simclr_core.seeds import global_chance

LARGEST = 40
"""The side in px from which images are reduced."""


def views_of_first_epoch(
    config: Config, dataset: Dataset, num: int = 4
) -> UInt8[Tensor, "K num 3 S S"]:
    """Each image as a probe sees it, then its views of epoch 0, with the seed of the run's views.

    The images are `num` of the training images, evenly spaced. Drawn on the CPU; S is the side of a
    view, at most LARGEST. A blur whose sigma is drawn per batch takes that of these images.
    """
    images = dataset.pretraining_images().to("cpu")
    index = torch.arange(num) * (len(images) // num) % len(images)
    batch, shapes = images.batch(index)
    chance = Chance.of(config.seed_of("views"), 0, index)
    with global_chance(0, "views of the first epoch"):
        views = draw_views(config.views, batch, shapes, chance, dataset.size)
    shown = torch.stack([images.centre_squares(index, dataset.size), *views])
    if dataset.size > LARGEST:
        flat = F.interpolate(shown.flatten(0, 1), size=(LARGEST, LARGEST), mode="area")
        shown = flat.unflatten(0, shown.shape[:2])
    return shown.mul(255).round().clamp(0, 255).to(torch.uint8)
