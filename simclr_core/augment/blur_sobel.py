"""Operations that look at a pixel's neighbours: Gaussian blur and the Sobel filter.

At a border the image is mirrored without repeating its edge (torch's reflect, scipy's mirror).
Letters: B images of S x S pixels, C its 3 colours, M the images that an operation chose,
K taps of a kernel.
"""

from typing import ClassVar, Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from pydantic import Field, field_validator
from torch import Tensor

from simclr_core.augment.contract import Operation
from simclr_core.augment.masked_apply import changed_where
from simclr_core.chance import Draws


class BlurParams(NamedTuple):
    """Which of B images are blurred, and with which sigma (in pixels)."""

    blurred: Bool[Tensor, " B"]
    sigma: Float[Tensor, " B"]


class Blur(Operation):
    """Gaussian blur of half the images, sigma uniform in 0.1 to 2 pixels (appendix A).

    The kernel is 10 % of the image's side, made odd as the official code does it: see
    ``kernel_size``. Each image has its own sigma. The official code draws one sigma for all images of a
    batch and view; ``per_batch`` does the same and uses the sigma of the first image. Only this setting
    makes a view depend on the batch that an image is in, and on the order of the images.
    """

    kind: Literal["blur"] = "blur"

    probability: float = Field(default=0.5, ge=0, le=1)
    """The probability that a view is blurred."""

    sigma: tuple[float, float] = (0.1, 2.0)
    """The least and the largest standard deviation, in pixels of the resized image."""

    sigma_drawn: Literal["per_image", "per_batch"] = "per_image"
    """Whether each image has its own sigma, or a batch has one sigma for each view (official code)."""

    @field_validator("sigma")
    @classmethod
    def _ordered(cls, sigma: tuple[float, float]) -> tuple[float, float]:
        if not 0 < sigma[0] <= sigma[1]:
            raise ValueError(f"sigma must be a pair with 0 < least <= largest, got {sigma}")
        return sigma

    def draw(self, draws: Draws, shapes: Int64[Tensor, "B 2"]) -> BlurParams:
        """Draws two numbers for each image; per batch, the first image's second number is used for all."""
        del shapes
        chosen, width = draws.uniform(2).unbind(1)
        if self.sigma_drawn == "per_batch":
            width = width[:1].expand_as(width)
        least, largest = self.sigma
        return BlurParams(chosen < self.probability, least + (largest - least) * width)

    def apply(
        self, images: Float[Tensor, "B 3 S S"], params: BlurParams
    ) -> Float[Tensor, "B 3 S S"]:
        """Blurs the chosen images; the others are unchanged bit for bit."""
        planes = changed_where(images.transpose(0, 1), params.blurred, _blur, params.sigma)
        return planes.transpose(0, 1)


def kernel_size(size: int) -> int:
    """The number of taps for images of this side: 32 -> 3, 96 -> 9, 224 -> 23.

    2 int((S // 10) / 2) + 1, the rule of the official code; but at least 3, since its single tap
    for sides under 20 px would not blur.
    """
    return max(3, 2 * int((size // 10) / 2) + 1)


class SobelParams(NamedTuple):
    """Which of B images are filtered."""

    filtered: Bool[Tensor, " B"]


class Sobel(Operation):
    """The length of each colour's gradient by the Sobel filter.

    sqrt(gx^2 + gy^2) / 4, clamped to [0, 1]: a step from 0 to 1 gives 1, a flat colour 0. The paper
    shows the operation (figure 4) without its parameters; kernel [1 2 1] x [-1 0 1] and mirrored
    border are those of TensorFlow's sobel_edges.
    """

    kind: Literal["sobel"] = "sobel"

    published: ClassVar[bool] = False

    probability: float = Field(default=1.0, ge=0, le=1)
    """The probability that a view is filtered."""

    def draw(self, draws: Draws, shapes: Int64[Tensor, "B 2"]) -> SobelParams:
        """Draws one number for each image."""
        del shapes
        return SobelParams(draws.uniform(1).squeeze(1) < self.probability)

    def apply(
        self, images: Float[Tensor, "B 3 S S"], params: SobelParams
    ) -> Float[Tensor, "B 3 S S"]:
        """The gradient's length for the chosen images; the others are unchanged bit for bit."""
        planes = changed_where(images.transpose(0, 1), params.filtered, _gradient)
        return planes.transpose(0, 1)


def _gradient(planes_CMSS: Tensor) -> Tensor:
    padded = F.pad(planes_CMSS, (1, 1, 1, 1), mode="reflect")
    smooth_y = padded[..., :-2, :] + 2 * padded[..., 1:-1, :] + padded[..., 2:, :]
    smooth_x = padded[..., :-2] + 2 * padded[..., 1:-1] + padded[..., 2:]
    along_x = smooth_y[..., 2:] - smooth_y[..., :-2]
    along_y = smooth_x[..., 2:, :] - smooth_x[..., :-2, :]
    return along_x.square_().add_(along_y.square_()).sqrt_().div_(4).clamp_(max=1)


def _blur(planes_CMSS: Tensor, sigma_M: Tensor) -> Tensor:
    size = planes_CMSS.shape[-1]
    radius = kernel_size(size) // 2
    if size <= radius:
        raise ValueError(
            f"a blur mirrors {radius} px at the border, so images must be larger than that, got "
            f"{size} px"
        )
    offset_K = torch.arange(-radius, radius + 1, device=sigma_M.device)
    weights_MK = (-0.5 * (offset_K / sigma_M[:, None]).square()).exp_()
    weights_MK = weights_MK / weights_MK.sum(1, keepdim=True)
    blurred = (
        _by_three(planes_CMSS, weights_MK) if radius == 1 else _by_many(planes_CMSS, weights_MK)
    )
    return blurred.clamp_(0, 1)


def _by_three(planes_CMSS: Tensor, weights_M3: Tensor) -> Tensor:
    """Three taps, in place, by adding shifted planes over their whole length.

    That mixes the end of a row with the start of the next; the two border lines are then set right.
    """
    side_M, centre_M = weights_M3[:, 0, None], weights_M3[:, 1, None]
    size = planes_CMSS.shape[-1]
    planes = planes_CMSS.flatten(2)
    for axis, step in ((-1, 1), (-2, size)):
        both_sides = torch.empty_like(planes)
        line = planes.view(-1)
        torch.add(line[: -2 * step], line[2 * step :], out=both_sides.view(-1)[step:-step])
        image, sums = planes.view_as(planes_CMSS), both_sides.view_as(planes_CMSS)
        torch.mul(image.select(axis, 1), 2, out=sums.select(axis, 0))
        torch.mul(image.select(axis, -2), 2, out=sums.select(axis, -1))
        planes.mul_(centre_M).addcmul_(both_sides, side_M)
    return planes_CMSS


def _by_many(planes_CMSS: Tensor, weights_MK: Tensor) -> Tensor:
    """Any number of taps, as the same matrix [S, S] on rows and on columns of an image."""
    size, taps = planes_CMSS.shape[-1], weights_MK.shape[1]
    index_S = torch.arange(size, device=weights_MK.device)
    source_KS = (index_S[:taps, None] - taps // 2 + index_S).abs()
    source_KS = torch.where(source_KS < size, source_KS, 2 * (size - 1) - source_KS)
    placed_KSS = F.one_hot(source_KS, size).to(weights_MK.dtype)
    matrix_MSS = (weights_MK @ placed_KSS.flatten(1)).view(-1, size, size)
    for plane in planes_CMSS:
        torch.bmm(torch.bmm(matrix_MSS, plane), matrix_MSS.transpose(1, 2), out=plane)
    return planes_CMSS
