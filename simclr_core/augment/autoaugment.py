"""AutoAugment with its ImageNet policy, which table 1 compares with the colour distortion.

Cubuk et al. 2019 found 25 pairs of operations with the help of labels; each image gets one pair. The
operations are defined on images of 256 levels, so images are rounded to these, and each operation
returns such levels, with the arithmetic of torchvision's on uint8 tensors. Letters: B images of S x S
pixels, C their 3 colours, M the images that an operation chose, P the pixels of one.
"""

import math
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from pydantic import Field
from torch import Tensor

from simclr_core.augment.constants import constant
from simclr_core.augment.contract import Operation
from simclr_core.augment.masked_apply import changed_where
from simclr_core.augment.solarise_equalise import TOP, equalised, in_levels
from simclr_core.base import Departure
from simclr_core.chance import Draws

_GREY = (0.2989, 0.587, 0.114)  # ITU-R 601, in torchvision's digits


class AutoAugmentParams(NamedTuple):
    """The pair for each of B images, which of its two operations are applied, and their signs."""

    policy: Int64[Tensor, " B"]
    applied: Bool[Tensor, "B 2"]
    negative: Bool[Tensor, "B 2"]


class AutoAugment(Operation):
    """One of the 25 pairs of operations of AutoAugment's ImageNet policy, all equally likely.

    Each of the two operations has its own probability; rotations, shears and colour changes go in
    either direction with probability one half. The magnitudes and defaults are torchvision's:
    nearest-pixel interpolation, and black where a rotated or sheared image has no pixel.
    """

    kind: Literal["auto_augment"] = "auto_augment"

    probability: float = Field(default=1.0, ge=0, le=1)
    """The probability that a view gets a pair."""

    def departures(self) -> Iterable[Departure]:
        """The paper names the policy, not its magnitudes."""
        yield Departure(
            "parameters of AutoAugment",
            "the ImageNet policy with torchvision's magnitudes",
            "not published",
        )

    def draw(self, draws: Draws, shapes: Int64[Tensor, "B 2"]) -> AutoAugmentParams:
        """Draws three numbers and three integers for each image, whichever pair it gets."""
        uniform = draws.uniform(3)
        high = constant((len(POLICY), 2, 2), torch.int64, shapes.device).expand(len(shapes), 3)
        policy, *signs = draws.integers(high).unbind(1)
        likely = tuple(step.probability for pair in POLICY for step in pair)
        likely_B2 = constant(likely, torch.float32, shapes.device).view(-1, 2)[policy]
        chosen_B1 = uniform[:, :1] < self.probability
        return AutoAugmentParams(
            policy=policy,
            applied=(uniform[:, 1:] < likely_B2) & chosen_B1,
            negative=torch.stack(signs, dim=1) == 0,
        )

    def apply(
        self, images: Float[Tensor, "B 3 S S"], params: AutoAugmentParams
    ) -> Float[Tensor, "B 3 S S"]:
        """Applies the pairs; an image to which neither operation applies is unchanged bit for bit."""
        some = params.applied.any(1)
        planes = changed_where(images.transpose(0, 1), some, _augmented, *params)
        return planes.transpose(0, 1)


Name = Literal[
    "posterise",
    "rotate",
    "solarise",
    "auto_contrast",
    "equalise",
    "invert",
    "saturate",
    "contrast",
    "sharpen",
    "shear",
]


class Step(NamedTuple):
    """One operation of a pair."""

    name: Name
    probability: float
    magnitude: float = 0.0
    """Bits that remain, degrees, the least inverted level, pixels a row, or what is added to a factor of
    1; 0 where there is none to choose."""


_MORE: list[float] = torch.linspace(0, 0.9, 10).tolist()
"""What levels 0 to 9 add to a factor, to torchvision's last place: it decides whether a product
that should be a whole level falls to the one below."""


def _posterise(probability: float, level: int) -> Step:
    return Step("posterise", probability, 8 - round(level * 4 / 9))


def _rotate(probability: float, level: int) -> Step:
    return Step("rotate", probability, level * 30 / 9)


def _solarise(probability: float, level: int) -> Step:
    return Step("solarise", probability, TOP - level * TOP / 9)


def _weigh(name: Name, probability: float, level: int) -> Step:
    return Step(name, probability, _MORE[level])


POLICY: tuple[tuple[Step, Step], ...] = (
    (_posterise(0.4, 8), _rotate(0.6, 9)),
    (_solarise(0.6, 5), Step("auto_contrast", 0.6)),
    (Step("equalise", 0.8), Step("equalise", 0.6)),
    (_posterise(0.6, 7), _posterise(0.6, 6)),
    (Step("equalise", 0.4), _solarise(0.2, 4)),
    (Step("equalise", 0.4), _rotate(0.8, 8)),
    (_solarise(0.6, 3), Step("equalise", 0.6)),
    (_posterise(0.8, 5), Step("equalise", 1.0)),
    (_rotate(0.2, 3), _solarise(0.6, 8)),
    (Step("equalise", 0.6), _posterise(0.4, 6)),
    (_rotate(0.8, 8), _weigh("saturate", 0.4, 0)),
    (_rotate(0.4, 9), Step("equalise", 0.6)),
    (Step("equalise", 0.0), Step("equalise", 0.8)),
    (Step("invert", 0.6), Step("equalise", 1.0)),
    (_weigh("saturate", 0.6, 4), _weigh("contrast", 1.0, 8)),
    (_rotate(0.8, 8), _weigh("saturate", 1.0, 2)),
    (_weigh("saturate", 0.8, 8), _solarise(0.8, 7)),
    (_weigh("sharpen", 0.4, 7), Step("invert", 0.6)),
    (Step("shear", 0.6, 5 * 0.3 / 9), Step("equalise", 1.0)),
    (_weigh("saturate", 0.4, 0), Step("equalise", 0.6)),
    (Step("equalise", 0.4), _solarise(0.2, 4)),
    (_solarise(0.6, 5), Step("auto_contrast", 0.6)),
    (Step("invert", 0.6), Step("equalise", 1.0)),
    (_weigh("saturate", 0.6, 4), _weigh("contrast", 1.0, 8)),
    (Step("equalise", 0.8), Step("equalise", 0.6)),
)
"""The 25 pairs (Cubuk et al. 2019, table 9), their levels 0 to 9 as torchvision's magnitudes.

The last five repeat earlier ones; that is how they were published.
"""


def _augmented(
    planes_CMSS: Tensor, policy_M: Tensor, applied_M2: Tensor, negative_M2: Tensor
) -> Tensor:
    levels = in_levels(planes_CMSS)
    for place in range(2):
        steps = [pair[place] for pair in POLICY]
        sign_M = 1 - 2 * negative_M2[:, place].to(torch.float32)
        magnitudes = tuple(step.magnitude for step in steps)
        magnitude_M = constant(magnitudes, levels.dtype, levels.device)[policy_M]
        for name, change in _CHANGES.items():
            of_name = tuple(step.name == name for step in steps)
            of_name_M = constant(of_name, torch.bool, levels.device)[policy_M]
            at_it_M = of_name_M & applied_M2[:, place]
            levels = changed_where(levels, at_it_M, change, magnitude_M, sign_M)
    return levels.div_(TOP)


def _posterised(levels: Tensor, bits_M: Tensor, _: Tensor) -> Tensor:
    """The highest bits of each level."""
    step_M = (8 - bits_M).exp2()[:, None, None]
    return levels.div_(step_M).floor_().mul_(step_M)


def _solarised(levels: Tensor, threshold_M: Tensor, _: Tensor) -> Tensor:
    """Levels at or above a threshold are inverted."""
    return torch.where(levels >= threshold_M[:, None, None], TOP - levels, levels)


def _stretched(levels: Tensor, *_: Tensor) -> Tensor:
    """Each colour spread from the lowest level to the highest; a colour of one level stays."""
    lowest, highest = (
        extreme(dim=(-2, -1), keepdim=True) for extreme in (levels.amin, levels.amax)
    )
    flat = highest == lowest
    scale = torch.where(flat, 1, TOP / (highest - lowest))
    return levels.sub_(lowest.masked_fill(flat, 0)).mul_(scale).clamp_(0, TOP).floor_()


def _equalised(levels: Tensor, *_: Tensor) -> Tensor:
    return equalised(levels)


def _inverted(levels: Tensor, *_: Tensor) -> Tensor:
    return TOP - levels


def _saturated(levels: Tensor, more_M: Tensor, sign_M: Tensor) -> Tensor:
    """Away from each pixel's grey."""
    return _weighed(levels, _grey(levels), more_M, sign_M)


def _contrasted(levels: Tensor, more_M: Tensor, sign_M: Tensor) -> Tensor:
    """Away from the image's mean grey."""
    return _weighed(levels, _grey(levels).mean((1, 2), keepdim=True), more_M, sign_M)


def _sharpened(levels: Tensor, more_M: Tensor, sign_M: Tensor) -> Tensor:
    """Away from a smoothing by [[1, 1, 1], [1, 5, 1], [1, 1, 1]] / 13; the border stays."""
    if levels.shape[-1] < 3:
        return levels
    smooth = levels.clone()
    sums = F.avg_pool2d(levels, 3, stride=1, divisor_override=1)
    smooth[..., 1:-1, 1:-1] = sums.add_(levels[..., 1:-1, 1:-1], alpha=4).div_(13).round_()
    return _weighed(levels, smooth, more_M, sign_M)


def _weighed(levels: Tensor, other: Tensor, more_M: Tensor, sign_M: Tensor) -> Tensor:
    """The mean f x + (1 - f) y with f = 1 + m or 1 - m, cut to 0 to 255, its fraction dropped."""
    change_M = (sign_M * more_M)[:, None, None]
    return ((1 + change_M) * levels + -change_M * other).clamp_(0, TOP).floor_()


def _grey(levels: Tensor) -> Tensor:
    r, g, b = levels.unbind(0)
    return (_GREY[0] * r + _GREY[1] * g + _GREY[2] * b).floor_()


def _rotated(levels: Tensor, degrees_M: Tensor, sign_M: Tensor) -> Tensor:
    """Turned round the centre against the clock."""
    turn_M = (degrees_M * (math.pi / 180)).mul_(sign_M)[:, None, None]
    across, down = _centred(levels)
    cos, sin = turn_M.cos(), turn_M.sin()
    return _picked(levels, cos * across - sin * down, sin * across + cos * down)


def _sheared(levels: Tensor, slope_M: Tensor, sign_M: Tensor) -> Tensor:
    """Each row shifted to the left by the slope times its distance from the upper edge."""
    across, down = _centred(levels)
    shift = (slope_M * sign_M)[:, None, None] * (down + levels.shape[-1] / 2)
    return _picked(levels, across + shift, down + torch.zeros_like(shift))


def _centred(levels: Tensor) -> tuple[Tensor, Tensor]:
    """How far the pixels' middles lie from the image's: columns [1, S], rows [S, 1]."""
    size = levels.shape[-1]
    index_S = torch.arange(size, device=levels.device) - (size - 1) / 2
    return index_S[None, :], index_S[:, None]


def _picked(levels: Tensor, across_MSS: Tensor, down_MSS: Tensor) -> Tensor:
    """The pixels nearest to places measured from the centre; black outside the image."""
    size = levels.shape[-1]
    column_MSS, row_MSS = (
        (place + (size - 1) / 2).round().to(torch.int64) for place in (across_MSS, down_MSS)
    )
    inside_MSS = (column_MSS >= 0) & (column_MSS < size) & (row_MSS >= 0) & (row_MSS < size)
    pixel_MSS = (row_MSS * size + column_MSS).where(inside_MSS, 0)
    source_CMP = pixel_MSS.flatten(1).expand(3, -1, -1)
    return levels.flatten(2).gather(2, source_CMP).view_as(levels).mul_(inside_MSS)


_CHANGES: dict[Name, Callable[..., Tensor]] = {
    "posterise": _posterised,
    "rotate": _rotated,
    "solarise": _solarised,
    "auto_contrast": _stretched,
    "equalise": _equalised,
    "invert": _inverted,
    "saturate": _saturated,
    "contrast": _contrasted,
    "sharpen": _sharpened,
    "shear": _sheared,
}
