"""Colour distortions on the levels of an image: solarise and equalise (appendix B.2).

B.2 adds both to the default augmentations and publishes neither their probability nor their
parameters. Letters: B images of S x S pixels, C their 3 colours, M the images that an operation
chose, N = 3M their planes of P pixels, L the 256 levels of a colour.
"""

from typing import ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from pydantic import Field
from torch import Tensor

from simclr_core.augment.contract import Operation
from simclr_core.augment.masked_apply import changed_where
from simclr_core.chance import Draws

TOP = 255
"""The highest level: 0 is black, 255 the full colour."""


class SolariseParams(NamedTuple):
    """Which of B images are solarised."""

    solarised: Bool[Tensor, " B"]


class Solarise(Operation):
    """Every colour of a pixel at or above a threshold is inverted: x becomes 1 - x.

    On images of 256 levels that is Pillow's and torchvision's solarize; others are inverted as they
    are, without rounding.
    """

    kind: Literal["solarise"] = "solarise"

    published: ClassVar[bool] = False

    probability: float = Field(default=0.5, ge=0, le=1)
    """The probability that a view is solarised; one half, as in torchvision's RandomSolarize."""

    threshold: float = Field(default=0.5, ge=0, le=1)
    """The smallest value that is inverted; 0.5 divides 256 levels as Pillow's default, 128, does."""

    def draw(self, draws: Draws, shapes: Int64[Tensor, "B 2"]) -> SolariseParams:
        """Draws one number for each image."""
        del shapes
        return SolariseParams(draws.uniform(1).squeeze(1) < self.probability)

    def apply(
        self, images: Float[Tensor, "B 3 S S"], params: SolariseParams
    ) -> Float[Tensor, "B 3 S S"]:
        """Solarises the chosen images; the others are unchanged bit for bit."""

        def solarise(planes_CMSS: Tensor) -> Tensor:
            return torch.where(planes_CMSS >= self.threshold, 1 - planes_CMSS, planes_CMSS)

        planes = changed_where(images.transpose(0, 1), params.solarised, solarise)
        return planes.transpose(0, 1)


class EqualiseParams(NamedTuple):
    """Which of B images are equalised."""

    equalised: Bool[Tensor, " B"]


class Equalise(Operation):
    """Each colour's levels are spread so that its histogram becomes as even as possible.

    The image is rounded to 256 levels and mapped by Pillow's equalize; 256 levels come out.
    """

    kind: Literal["equalise"] = "equalise"

    published: ClassVar[bool] = False

    probability: float = Field(default=0.5, ge=0, le=1)
    """The probability that a view is equalised; one half, as in torchvision's RandomEqualize."""

    def draw(self, draws: Draws, shapes: Int64[Tensor, "B 2"]) -> EqualiseParams:
        """Draws one number for each image."""
        del shapes
        return EqualiseParams(draws.uniform(1).squeeze(1) < self.probability)

    def apply(
        self, images: Float[Tensor, "B 3 S S"], params: EqualiseParams
    ) -> Float[Tensor, "B 3 S S"]:
        """Equalises the chosen images; the others are unchanged bit for bit."""
        planes = changed_where(images.transpose(0, 1), params.equalised, _equalise)
        return planes.transpose(0, 1)


def in_levels(planes: Float[Tensor, "3 M S S"]) -> Float[Tensor, "3 M S S"]:
    """Values in [0, 1], in place, as the nearest of the levels 0 to 255 (still float32)."""
    return planes.mul_(TOP).round_()


def equalised(levels: Float[Tensor, "3 M S S"]) -> Float[Tensor, "3 M S S"]:
    """Levels with each colour of each image equalised, level for level as Pillow does it.

    With n_k pixels at level k, m the highest level that occurs and q = floor((S^2 - n_m) / 255),
    level k becomes min(255, floor((n_0 + ... + n_(k-1) + floor(q / 2)) / q)). Where q is 0, on fewer
    than 255 pixels below the highest level, a colour stays as it is.
    """
    flat_NP = levels.flatten(2).flatten(0, 1).to(torch.int64)
    one_NP = torch.ones_like(flat_NP[:1, :1]).expand_as(flat_NP)
    counts_NL = flat_NP.new_zeros(len(flat_NP), TOP + 1).scatter_add_(1, flat_NP, one_NP)
    highest_N1 = flat_NP.amax(1, keepdim=True)
    step_N1 = (flat_NP.shape[1] - counts_NL.gather(1, highest_N1)) // TOP
    below_NL = counts_NL.cumsum(1) - counts_NL
    mapped_NL = (below_NL + step_N1 // 2) // step_N1.clamp(min=1)
    same_L = torch.arange(TOP + 1, device=levels.device)
    mapped_NL = torch.where(step_N1 == 0, same_L, mapped_NL.clamp(max=TOP))
    return mapped_NL.to(levels.dtype).gather(1, flat_NP).view(levels.shape)


def _equalise(planes_CMSS: Tensor) -> Tensor:
    return equalised(in_levels(planes_CMSS)).div_(TOP)
