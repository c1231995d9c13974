"""The operations: the seven of figure 4, those that appendix B.2 adds, and AutoAugment of table 1.

To add an operation, write a subclass of `Operation` and name it in the union at the end.

Letters: B images of S x S pixels, H x W the padded size of images not yet cropped, T tries.
"""

import math
from typing import Annotated, ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from pydantic import Field, field_validator
from torch import Tensor

from simclr_core.augment.autoaugment import AutoAugment
from simclr_core.augment.blur_sobel import Blur, Sobel
from simclr_core.augment.colour import Colour
from simclr_core.augment.contract import Operation
from simclr_core.augment.file_operation import FileOperation
from simclr_core.augment.masked_apply import changed_where
from simclr_core.augment.motion_blur import MotionBlur
from simclr_core.augment.resize import Interpolation, resized_boxes
from simclr_core.augment.solarise_equalise import Equalise, Solarise
from simclr_core.chance import Draws

_TRIES = 10

_COVERED = 0.1
"""The part of the image that the official code's crop covers at least (min_object_covered)."""


class CropParams(NamedTuple):
    """The boxes of B images, (top, left, height, width) in pixels, and which images are mirrored."""

    boxes: Int64[Tensor, "B 4"]
    flipped: Bool[Tensor, " B"]


class Crop(Operation):
    """A random box, resized to the square of a view and mirrored with probability one half (appendix A).

    Area uniform in 8 to 100 % of the image, aspect (width over height) log-uniform in 3/4 to 4/3,
    rounded to whole pixels; of ten tries the first box that fits the image's own shape, else the
    largest box in the middle whose aspect is allowed: torchvision's RandomResizedCrop.

    The official code's sampler (TensorFlow's sample_distorted_bounding_box, with the whole image as
    the object of which 10 % must be covered) draws the aspect uniformly, then the height uniformly
    between those of the least and the largest area; it favours smaller areas: mean 0.43 at 32 px,
    here 0.49. Where ten tries fail (it makes a hundred) both take the whole image.
    """

    kind: Literal["crop"] = "crop"

    area: tuple[float, float] = (0.08, 1.0)
    """The smallest and largest fraction of the image's area."""

    aspect: tuple[float, float] = (3 / 4, 4 / 3)
    """The smallest and largest ratio of width to height."""

    flip: float = Field(default=0.5, ge=0, le=1)
    """The probability of a mirrored image."""

    interpolation: Interpolation = "bicubic"
    """The filter: Keys' cubic with a = -1/2, or a triangle."""

    antialias: bool = True
    """Whether the filter widens when it shrinks an image; otherwise a shrunk crop skips pixels."""

    sampler: Literal["area", "height"] = "area"
    """The rule for sampling boxes: that of the paper's text, or the official code's sampler."""

    @field_validator("area")
    @classmethod
    def _part_of_one(cls, area: tuple[float, float]) -> tuple[float, float]:
        if not 0 < area[0] <= area[1] <= 1:
            raise ValueError(f"area must be a pair with 0 < least <= largest <= 1, got {area}")
        return area

    @field_validator("aspect")
    @classmethod
    def _ordered(cls, aspect: tuple[float, float]) -> tuple[float, float]:
        if not 0 < aspect[0] <= aspect[1] < math.inf:
            raise ValueError(f"aspect must be a pair with 0 < least <= largest, got {aspect}")
        return aspect

    def draw(self, draws: Draws, shapes: Int64[Tensor, "B 2"]) -> CropParams:
        """Draws twenty-one numbers and two integers for each image, regardless of the number of tries.

        In float64: a float32 exponential rounds differently on different devices, and would now and
        then move a border by a pixel.
        """
        uniform = draws.uniform(1 + 2 * _TRIES).to(torch.float64)
        if self.sampler == "height":
            return self._by_height(uniform, draws, shapes)
        height, width = shapes.unbind(1)
        area_BT = (height * width)[:, None] * _between(self.area, uniform[:, 1 : 1 + _TRIES])
        logarithms = (math.log(self.aspect[0]), math.log(self.aspect[1]))
        aspect_BT = _between(logarithms, uniform[:, 1 + _TRIES :]).exp()
        widths_BT = (area_BT * aspect_BT).sqrt().round().to(torch.int64)
        heights_BT = (area_BT / aspect_BT).sqrt().round().to(torch.int64)
        fits_BT = (widths_BT >= 1) & (widths_BT <= width[:, None])
        fits_BT &= (heights_BT >= 1) & (heights_BT <= height[:, None])

        first_B1 = fits_BT.to(torch.int64).argmax(1, keepdim=True)
        drawn_B2 = torch.cat([heights_BT.gather(1, first_B1), widths_BT.gather(1, first_B1)], dim=1)
        any_B1 = fits_BT.any(1, keepdim=True)
        sides_B2 = torch.where(any_B1, drawn_B2, self._largest(shapes))
        room_B2 = shapes - sides_B2
        corner_B2 = torch.where(any_B1, draws.integers(room_B2 + 1), room_B2 // 2)
        return CropParams(torch.cat([corner_B2, sides_B2], dim=1), uniform[:, 0] < self.flip)

    def apply(
        self,
        images: UInt8[Tensor, "B 3 H W"] | Float[Tensor, "B 3 H W"],
        params: CropParams,
        size: int | None = None,
    ) -> Float[Tensor, "B 3 size size"]:
        """Cuts, resizes and mirrors, to ``size`` or to the side that (square) images already have.

        The first operation of a view gets the uint8 images, zero-padded at the bottom right to
        one size; boxes lie inside each image's own shape, so the padding is never seen.
        """
        size = images.shape[-1] if size is None else size
        return resized_boxes(
            images,
            params.boxes,
            params.flipped,
            size,
            self.interpolation,
            antialias=self.antialias,
        )

    def _by_height(self, uniform: Tensor, draws: Draws, shapes: Int64[Tensor, "B 2"]) -> CropParams:
        """The official code's sampler, all tries at once; the first that is allowed counts."""
        height_B1, width_B1 = shapes.to(torch.float64).split(1, dim=1)
        whole_B1 = height_B1 * width_B1
        aspect_BT = _between(self.aspect, uniform[:, 1 : 1 + _TRIES])
        least_BT, most_BT = ((part * whole_B1 / aspect_BT).sqrt().round() for part in self.area)
        # The tallest whose rounded width still fits.
        fitting_BT = ((width_B1 + 0.5 - 1e-7) / aspect_BT).floor()
        too_wide_BT = (most_BT * aspect_BT).round() > width_B1
        most_BT = torch.where(too_wide_BT, fitting_BT, most_BT).minimum(height_B1)
        least_BT = least_BT.minimum(most_BT)
        steps_BT = (uniform[:, 1 + _TRIES :] * (most_BT - least_BT + 1)).floor()
        heights_BT = least_BT + steps_BT
        widths_BT = (heights_BT * aspect_BT).round()
        area_BT = heights_BT * widths_BT
        least_area, most_area = (part * whole_B1 for part in self.area)
        fits_BT = (widths_BT >= 1) & (widths_BT <= width_B1)
        fits_BT &= (heights_BT >= 1) & (heights_BT <= height_B1)
        fits_BT &= (area_BT >= least_area) & (area_BT <= most_area)
        fits_BT &= area_BT >= _COVERED * whole_B1
        first_B1 = fits_BT.to(torch.int64).argmax(1, keepdim=True)
        drawn_B2 = torch.cat([heights_BT.gather(1, first_B1), widths_BT.gather(1, first_B1)], 1)
        sides_B2 = torch.where(fits_BT.any(1, keepdim=True), drawn_B2.to(torch.int64), shapes)
        # TensorFlow draws a corner below the room, so that the last row and column come less often.
        corner_B2 = draws.integers((shapes - sides_B2).clamp(min=1))
        return CropParams(torch.cat([corner_B2, sides_B2], dim=1), uniform[:, 0] < self.flip)

    def _largest(self, shapes: Tensor) -> Tensor:
        """The largest height and width with an allowed aspect."""
        height, width = shapes.unbind(1)
        narrow, wide = self.aspect
        tallest = (width.to(torch.float64) / narrow).round().to(torch.int64)
        widest = (height.to(torch.float64) * wide).round().to(torch.int64)
        return torch.stack([height.minimum(tallest), width.minimum(widest)], dim=1).clamp(min=1)


class CutoutParams(NamedTuple):
    """The rows and columns covered, (top, left, height, width) in pixels; 0 by 0 is nothing."""

    boxes: Int64[Tensor, "B 4"]


class Cutout(Operation):
    """A grey square over each image (DeVries and Taylor 2017).

    Its centre is uniform over the image, and the part outside is cut off: with the default side,
    between a sixteenth and a quarter of the image is covered. The paper does not publish its
    parameters.
    """

    kind: Literal["cutout"] = "cutout"

    published: ClassVar[bool] = False

    side: float = Field(default=0.5, gt=0, le=1)
    """The square's side as a fraction of the image's; one half, as its authors use on CIFAR-10."""

    fill: float = Field(default=0.5, ge=0, le=1)
    """The value of all three colours in the square; 0.5 is grey."""

    probability: float = Field(default=1.0, ge=0, le=1)
    """The probability that a view is covered."""

    def draw(self, draws: Draws, shapes: Int64[Tensor, "B 2"]) -> CutoutParams:
        """Draws one number for each image, and two integers: the pixel in the centre."""
        chosen = draws.uniform(1) < self.probability
        sides = (shapes * self.side).round().to(torch.int64).clamp(min=1)
        start = draws.integers(shapes) - sides // 2
        end = torch.minimum(start + sides, shapes)
        start = start.clamp(min=0)
        return CutoutParams(torch.cat([start, end - start], dim=1) * chosen)

    def apply(
        self, images: Float[Tensor, "B 3 S S"], params: CutoutParams
    ) -> Float[Tensor, "B 3 S S"]:
        """Covers each image's box."""
        top, left, height, width = params.boxes[:, :, None].unbind(1)
        index_S = torch.arange(images.shape[-1], device=images.device)
        rows_BS = (index_S >= top) & (index_S < top + height)
        columns_BS = (index_S >= left) & (index_S < left + width)
        covered = rows_BS[:, None, :, None] & columns_BS[:, None, None, :]
        return images.masked_fill(covered, self.fill)


class NoiseParams(NamedTuple):
    """Which of B images get noise, and where their lists of normal numbers begin.

    The numbers themselves are made on the device.
    """

    disturbed: Bool[Tensor, " B"]
    keys: Int64[Tensor, " B"]


class Noise(Operation):
    """Gaussian noise, independent for every pixel and colour, then clamped to [0, 1].

    The paper does not publish its parameters.
    """

    kind: Literal["noise"] = "noise"

    published: ClassVar[bool] = False

    deviation: float = Field(default=0.1, gt=0, allow_inf_nan=False)
    """The noise's standard deviation; 0.1 is 25 grey levels of 255."""

    probability: float = Field(default=1.0, ge=0, le=1)
    """The probability that a view gets noise."""

    def draw(self, draws: Draws, shapes: Int64[Tensor, "B 2"]) -> NoiseParams:
        """Draws one number and one key for each image, instead of 3 S S floats."""
        del shapes
        return NoiseParams(draws.uniform(1).squeeze(1) < self.probability, draws.keys)

    def apply(
        self, images: Float[Tensor, "B 3 S S"], params: NoiseParams
    ) -> Float[Tensor, "B 3 S S"]:
        """Add ``Draws(keys).normal(3, S, S)`` times the deviation to the chosen images."""

        def disturb(planes: Tensor, keys: Tensor) -> Tensor:
            normal = Draws(keys).normal(*images.shape[1:]).mul_(self.deviation)
            return planes.add_(normal.transpose(0, 1)).clamp_(0, 1)

        planes = changed_where(images.transpose(0, 1), params.disturbed, disturb, params.keys)
        return planes.transpose(0, 1)


class RotationParams(NamedTuple):
    """Quarter turns against the clock, 0 to 3."""

    turns: Int64[Tensor, " B"]


class Rotation(Operation):
    """A rotation by 90, 180 or 270 degrees, each equally likely (figure 4).

    The paper gives these three angles but no probability. Here three views in four are rotated, which
    makes the four orientations equally likely, including the upright one that probes see.
    """

    kind: Literal["rotation"] = "rotation"

    published: ClassVar[bool] = False

    probability: float = Field(default=0.75, ge=0, le=1)
    """The probability that a view is rotated."""

    def draw(self, draws: Draws, shapes: Int64[Tensor, "B 2"]) -> RotationParams:
        """Draws one number and one integer for each image."""
        turned = draws.uniform(1).squeeze(1) < self.probability
        turns = 1 + draws.integers(torch.full_like(shapes[:, :1], 3)).squeeze(1)
        return RotationParams(turns * turned)

    def apply(
        self, images: Float[Tensor, "B 3 S S"], params: RotationParams
    ) -> Float[Tensor, "B 3 S S"]:
        """Moves pixels; no value changes."""
        size = images.shape[-1]
        pixel = torch.arange(size * size, device=images.device).view(size, size)
        source = torch.stack([pixel.rot90(turns).flatten() for turns in range(4)])[params.turns]
        flat = images.flatten(2)
        return flat.gather(2, source[:, None].expand_as(flat)).view(images.shape)


def _between(interval: tuple[float, float], uniform: Tensor) -> Tensor:
    return interval[0] + (interval[1] - interval[0]) * uniform


AnyOperation = Annotated[
    Crop
    | Cutout
    | Colour
    | Sobel
    | Noise
    | Blur
    | Rotation
    | Solarise
    | Equalise
    | MotionBlur
    | AutoAugment
    | FileOperation,
    Field(discriminator="kind"),
]
