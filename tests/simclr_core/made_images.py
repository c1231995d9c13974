"""Images, shapes and chances that tests of the operations start from."""

from typing import Any

import torch
from torch import Tensor

from simclr_core.augment.operations import AnyOperation
from simclr_core.chance import Chance, Draws

FALSE_ALARM = 1e-6
"""How often a test of a distribution rejects the right one; seeds are fixed, so always or never."""

GREY_LEVEL = 1 / 255


def drawn_for(operation: AnyOperation, num: int, *, seed: int = 0) -> Draws:
    """The numbers of an operation on the first view of images 0 to num - 1."""
    return Chance.of(seed, 0, torch.arange(num)).at("first", operation.kind)


def params_of(operation: AnyOperation, num: int, size: int, *, seed: int = 0) -> Any:
    """What an operation does to images 0 to num - 1."""
    return operation.draw(drawn_for(operation, num, seed=seed), square_shapes(num, size))


def square_shapes(num: int, size: int) -> Tensor:
    """Heights and widths of square images."""
    return torch.full((num, 2), size)


def made_images(num: int, size: int, *, seed: int = 0) -> Tensor:
    """Random pixels, among them black, white, grey and saturated ones."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(num, 3, size, size, generator=generator)
    images = torch.where(
        torch.rand(num, 1, size, size, generator=generator) < 0.2, images.round(), images
    )
    grey = torch.rand(num, 1, size, size, generator=generator) < 0.1
    return torch.where(grey, images[:, :1], images)


def in_8_bits(images: Tensor) -> Tensor:
    """The nearest of 256 levels, as pictures have them."""
    return (images * 255).round().to(torch.uint8)
