"""Cuts boxes out of images and resizes them, with two matrices for each image.

Resizing is linear and separable: out = rows @ image @ columns^T for each colour. The matrices
hold the antialiased weights that torchvision (antialias=True) and Pillow use; a box is a range of
non-zero columns, a flip the same rows in reverse order, so crop, resize and flip are two batched
products.

Letters: B images, H x W their (padded) size, L one of the two, C the 3 colours, S the size
wanted.
"""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

Interpolation = Literal["bicubic", "bilinear"]

_FAR = 1e6  # a pixel so far away that every filter gives it the weight 0


def resized_boxes(
    images: UInt8[Tensor, "B 3 H W"] | Float[Tensor, "B 3 H W"],
    boxes: Int64[Tensor, "B 4"],
    flipped: Bool[Tensor, " B"],
    size: int,
    interpolation: Interpolation,
    *,
    antialias: bool = True,
) -> Float[Tensor, "B 3 size size"]:
    """Boxes (top, left, height, width) of images, resized to a square and mirrored where flipped.

    uint8 in 0 to 255 or float32 in [0, 1] comes in, float32 in [0, 1] goes out: what a bicubic
    filter overshoots is clamped. Pixels outside its box have no influence on a result. The colour
    planes of all images lie together in memory, [3, B, S, S]: operations on colours then run over
    long rows.
    """
    num, _, height, width = images.shape
    top, left, box_height, box_width = boxes.unbind(1)
    upright = torch.zeros_like(flipped)
    rows_BSH = _weights(top, box_height, upright, height, size, interpolation, antialias=antialias)
    columns_BSW = _weights(
        left, box_width, flipped, width, size, interpolation, antialias=antialias
    )
    if images.dtype == torch.uint8:
        rows_BSH.mul_(1 / 255)
    flat = images.to(torch.float32).reshape(num, 3 * height, width)
    narrow_B3HS = torch.bmm(flat, columns_BSW.transpose(1, 2)).view(num, 3, height, size)
    planes_CBSS = flat.new_empty(3, num, size, size)
    for plane, colour in zip(planes_CBSS, narrow_B3HS.unbind(1), strict=True):
        torch.bmm(rows_BSH, colour, out=plane)
    return planes_CBSS.clamp_(0, 1).transpose(0, 1)


def _weights(
    start: Tensor,
    extent: Tensor,
    reverse: Tensor,
    length: int,
    size: int,
    interpolation: Interpolation,
    *,
    antialias: bool,
) -> Tensor:
    """The resizing matrix [B, S, L] of a range start, ..., start + extent - 1 along one side.

    Output i looks at the source around start + (i + 1/2) extent / S. Where that shrinks, the filter
    is as much wider (antialias), and rows always add up to 1: at a border the filter is cut off.
    """
    scale_B1 = (extent.to(torch.float32) / size)[:, None]
    index_S = torch.arange(size, device=start.device) + 0.5
    mirrored_B1 = reverse.to(torch.float32)[:, None]
    index_BS = mirrored_B1 * size + (1 - 2 * mirrored_B1) * index_S
    centre_BS = index_BS * scale_B1 + start[:, None]
    pixel_L = torch.arange(length, device=start.device)
    outside_BL = (pixel_L < start[:, None]) | (pixel_L >= (start + extent)[:, None])
    position_BL = outside_BL * _FAR + (pixel_L + 0.5)
    distance = (position_BL[:, None, :] - centre_BS[:, :, None]).abs_()
    if antialias:
        distance.mul_(scale_B1.clamp(min=1).reciprocal()[:, :, None])
    weights = _cubic(distance) if interpolation == "bicubic" else (1 - distance).clamp_(min=0)
    return weights.div_(weights.sum(2, keepdim=True))


def _cubic(distance: Tensor) -> Tensor:
    """Keys' cubic with a = -1/2, for distances of at least 0.

    1.5 x^3 - 2.5 x^2 + 1 up to 1, then -0.5 x^3 + 2.5 x^2 - 4 x + 2 up to 2, then 0. Written with
    truncated powers, 0.5 (1 - x) (2 - x)_+^2 + (2 x - 1) (1 - x)_+^2, since a branch over a tensor
    costs 20 times a product (torch.where: 3.7 us a 32 x 32 matrix, a product 0.14;
    Zen 4, torch 2.15).
    """
    near = 1 - distance
    wide = (2 - distance).clamp_(min=0)
    wide.mul_(wide).mul_(near).mul_(0.5)
    near.clamp_(min=0)
    near.mul_(near).mul_(distance.mul_(2).sub_(1))
    return wide.add_(near)
