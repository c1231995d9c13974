"""Raw pixels instead of a representation: the baseline without any network."""

from typing import ClassVar, Literal

import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from simclr_core.networks.contract import Encoder


class Pixels(Encoder):
    """h is the image itself, flattened: channels, then rows, then columns, each number in [0, 1].

    Images of a side beyond `side` are averaged down to it, as Coates et al. 2011 reduce theirs to
    32 px: at 224 px the probe would otherwise have 150,528 features to fit. There are no weights,
    hence nothing to train (`epochs` is 0) and nothing that a seed could change.
    """

    kind: Literal["pixels"] = "pixels"

    trains: ClassVar[bool] = False

    side: int = Field(default=32, ge=1, le=64)
    """The largest side, in pixels, of what is flattened."""

    @property
    def num_features(self) -> int:
        """The length of h for images of at least `side`; smaller ones give 3 x their own side^2."""
        return 3 * self.side**2

    def outline(self, size: int) -> "Flattened":
        """As `build`: there are no weights whose shapes could be outlined."""
        return Flattened(min(self.side, size))

    def build(self, seed: int, size: int) -> "Flattened":
        """The flattening of images of this side; the seed has no effect."""
        del seed
        return Flattened(min(self.side, size))


class Flattened(nn.Module):
    """What Pixels build: windows of an image averaged down to `side`, then one row an image."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, x: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B H"]:
        return F.adaptive_avg_pool2d(x, self.side).flatten(1)
