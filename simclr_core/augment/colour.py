"""Colour distortion: jitter, then drop to grey (section 3.2 and appendix A).

Letters: B images of S x S pixels, P pixels of an image, C its 3 colours, M the images
that an operation chose.
"""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from pydantic import Field
from torch import Tensor

from simclr_core.augment.constants import constant
from simclr_core.augment.contract import Operation
from simclr_core.augment.masked_apply import changed_where
from simclr_core.chance import Draws

_GREY = (0.2989, 0.587, 0.114)  # ITU-R 601, in torchvision's digits


class ColourParams(NamedTuple):
    """The parameters of one application of ``Colour`` to each of B images."""

    jittered: Bool[Tensor, " B"]
    brightness: Float[Tensor, " B"]
    """A factor, or a summand."""
    contrast: Float[Tensor, " B"]
    saturation: Float[Tensor, " B"]
    hue: Float[Tensor, " B"]
    dropped: Bool[Tensor, " B"]
    order: Int64[Tensor, "B 4"]
    """Which of brightness, contrast, saturation and hue (0 to 3) comes first, second, ..."""


class Colour(Operation):
    """Colour jitter with probability 0.8, then drop to grey with probability 0.2.

    Jitter, in this order and each clamped to [0, 1]: brightness (times a factor), contrast (away
    from the image's mean grey), saturation (away from each pixel's grey), all with factors uniform
    in [max(0, 1 - 0.8 s), 1 + 0.8 s], and a turn of the hue, uniform in [-0.2 s, 0.2 s] of the
    circle, exact in HSV. That is torchvision's ColorJitter in the fixed order of the paper's
    listing. The paper's other listing, for TensorFlow, adds to the brightness; the official code
    shuffles the four.
    """

    kind: Literal["colour"] = "colour"

    strength: float = Field(default=1.0, ge=0, le=2.5)
    """s: 1 for ImageNet, 0.5 for CIFAR-10 (appendices A and B.9); at 2.5 the hue is lost."""

    brightness: Literal["multiplicative", "additive"] = "multiplicative"
    """Times a factor (the paper's PyTorch listing), or plus a number uniform in [-0.8 s, 0.8 s]
    (its TensorFlow listing, and the official code until June 2020)."""

    order: Literal["fixed", "random"] = "fixed"
    """The order of the four: as listed, or for each image one of the 24 orders, equally likely
    (official code)."""

    jitter_probability: float = Field(default=0.8, ge=0, le=1)
    """The probability that a view is jittered."""

    drop_probability: float = Field(default=0.2, ge=0, le=1)
    """The probability that a view becomes grey."""

    def draw(self, draws: Draws, shapes: Int64[Tensor, "B 2"]) -> ColourParams:
        """Draws ten numbers for each image, whether or not the image is jittered."""
        uniform = draws.uniform(10)
        low, high = max(0.0, 1 - 0.8 * self.strength), 1 + 0.8 * self.strength
        factors = low + (high - low) * uniform[:, 1:4]
        multiplies = self.brightness == "multiplicative"
        added = 0.8 * self.strength * (2 * uniform[:, 1] - 1)
        listed = torch.arange(4, device=shapes.device).expand(len(shapes), 4)
        return ColourParams(
            jittered=uniform[:, 0] < self.jitter_probability,
            brightness=factors[:, 0] if multiplies else added,
            contrast=factors[:, 1],
            saturation=factors[:, 2],
            hue=0.2 * self.strength * (2 * uniform[:, 4] - 1),
            dropped=uniform[:, 5] < self.drop_probability,
            order=listed if self.order == "fixed" else uniform[:, 6:].argsort(1),
        )

    def apply(
        self, images: Float[Tensor, "B 3 S S"], params: ColourParams
    ) -> Float[Tensor, "B 3 S S"]:
        """Applies jitter and drop to grey; an image that gets neither is unchanged bit for bit."""
        jittered, *jitter, dropped, order = params
        planes = images.transpose(0, 1)
        if self.order == "fixed" and self.brightness == "multiplicative":
            planes = changed_where(planes, jittered, _jitter, *jitter)
        else:
            planes = self._one_by_one(planes, jittered, jitter, order)
        planes = changed_where(planes, dropped, _drop)
        return planes.transpose(0, 1)

    def _one_by_one(
        self, planes: Tensor, jittered: Tensor, jitter: list[Tensor], order: Tensor
    ) -> Tensor:
        """The four in each image's own order: four rounds, in each those images that are at it."""
        brighten = _multiply if self.brightness == "multiplicative" else _add
        changes = (brighten, _contrast, _saturate, _turn)
        for place in range(4):
            for which, (change, amount) in enumerate(zip(changes, jitter, strict=True)):
                at_it = jittered & (order[:, place] == which)
                planes = changed_where(planes, at_it, change, amount)
        return planes


def _multiply(planes_CMSS: Tensor, factor_M: Tensor) -> Tensor:
    return planes_CMSS.mul_(factor_M[:, None, None]).clamp_(0, 1)


def _add(planes_CMSS: Tensor, amount_M: Tensor) -> Tensor:
    return planes_CMSS.add_(amount_M[:, None, None]).clamp_(0, 1)


def _contrast(planes_CMSS: Tensor, factor_M: Tensor) -> Tensor:
    mean_M = _grey(planes_CMSS).mean((1, 2))
    rest_M = (1 - factor_M) * mean_M
    return planes_CMSS.mul_(factor_M[:, None, None]).add_(rest_M[:, None, None]).clamp_(0, 1)


def _saturate(planes_CMSS: Tensor, factor_M: Tensor) -> Tensor:
    return torch.lerp(_grey(planes_CMSS), planes_CMSS, factor_M[:, None, None]).clamp_(0, 1)


def _turn(planes_CMSS: Tensor, turns_M: Tensor) -> Tensor:
    return _turned(planes_CMSS.flatten(2), turns_M).view_as(planes_CMSS)


def _jitter(
    planes_CMSS: Tensor, brightness: Tensor, contrast: Tensor, saturation: Tensor, hue: Tensor
) -> Tensor:
    """All four of the jitter, in place: the planes are private and small enough for the cache."""
    planes = planes_CMSS.flatten(2)
    planes.mul_(brightness[:, None]).clamp_(max=1)
    mean_grey_M = sum(
        weight * mean for weight, mean in zip(_GREY, planes.mean(2).unbind(0), strict=True)
    )
    planes.mul_(contrast[:, None]).add_(((1 - contrast) * mean_grey_M)[:, None]).clamp_(0, 1)
    planes = torch.lerp(_grey(planes), planes, saturation[:, None]).clamp_(0, 1)
    return _turned(planes, hue).view_as(planes_CMSS)


def _turned(planes_CMP: Tensor, turns_M: Tensor) -> Tensor:
    """The hue turned round the circle, saturation and value unchanged.

    With v the largest and m the smallest of r, g, b and d = v - m, the hue (a fraction of the
    circle) is sign(g - b) (1 + (g + b - r - m) / d) / 6. A colour comes back as
    v - d clamp(2 - 6 w, 0, 1), where w is how far the hue lies from the opposite of that primary
    (1/2, 5/6 and 1/6). Both are the usual sextants without branches. Grey (d = 0) has no hue and
    stays.
    """
    r, g, b = planes_CMP.unbind(0)
    largest = torch.maximum(r, g)
    torch.maximum(largest, b, out=largest)
    smallest = torch.minimum(r, g)
    torch.minimum(smallest, b, out=smallest)
    six_d = (largest - smallest).mul_(6)
    hue = (g + b).sub_(r).sub_(smallest).div_(six_d.clamp(min=1e-30)).add_(1 / 6)
    hue = hue.copysign_(g - b)
    opposite_3 = constant((1 / 2, 5 / 6, 1 / 6), turns_M.dtype, turns_M.device)
    away = hue + (turns_M - opposite_3[:, None])[:, :, None]
    away.sub_(away.round()).abs_()
    full = torch.sub(largest, six_d, alpha=1 / 3)
    return torch.addcmul(full, six_d, away, out=away).clamp_(smallest, largest)


def _drop(planes_CMSS: Tensor) -> Tensor:
    return _grey(planes_CMSS).expand_as(planes_CMSS)


def _grey(planes: Tensor) -> Tensor:
    r, g, b = planes.unbind(0)
    return (r * _GREY[0]).add_(g, alpha=_GREY[1]).add_(b, alpha=_GREY[2])
