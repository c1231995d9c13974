"""Solarise and equalise against Pillow's and torchvision's, image by image and level for level."""

import pytest
import torch
import torchvision.transforms.functional as TF
from hypothesis import given, settings
from hypothesis import strategies as st
from made_images import GREY_LEVEL, in_8_bits, made_images, params_of
from PIL import Image, ImageOps
from torch import Tensor

from simclr_core.augment.solarise_equalise import Equalise, Solarise

ROUNDING = 1e-4 * GREY_LEVEL
"""Levels are compared as float32: equal levels differ by no more than their last place."""


def picture(image: Tensor) -> Image.Image:
    return Image.fromarray(image.permute(1, 2, 0).numpy())


def level_for_level(changed: Tensor, expected: Tensor | Image.Image) -> bool:
    """Whether an image has these 8-bit levels."""
    if isinstance(expected, Image.Image):
        expected = TF.pil_to_tensor(expected)
    return float((changed - expected.float() / 255).abs().max()) < ROUNDING


def pictures_of_many_kinds(size: int) -> Tensor:
    """Noise, dark and bright ramps, flat colours, few levels; in [0, 1], not in levels."""
    noise = made_images(6, size)
    ramp = torch.linspace(0.1, 0.6, size * size).view(1, 1, size, size).expand(1, 3, -1, -1)
    flat = torch.full((1, 3, size, size), 0.3)
    few = (made_images(2, size, seed=1) * 3).round() / 4
    dark = made_images(2, size, seed=2) ** 4
    one_pixel = torch.zeros(1, 3, size, size)
    one_pixel[..., 0, 0] = 0.7
    return torch.cat([noise, ramp, flat, few, dark, one_pixel])


@pytest.mark.parametrize("size", [8, 17, 32, 96])
def test_equalise_is_pillows_and_torchvisions_of_the_nearest_levels(size: int) -> None:
    images = pictures_of_many_kinds(size)
    always = Equalise(probability=1)

    changed = always.apply(images, params_of(always, len(images), size))

    assert float((changed * 255 - (changed * 255).round()).abs().max()) < 1e-4
    for image, before in zip(changed, in_8_bits(images), strict=True):
        assert level_for_level(image, ImageOps.equalize(picture(before)))
        assert level_for_level(image, TF.equalize(before))


def test_an_equalised_ramp_uses_all_levels_evenly() -> None:
    # 32 x 32 pixels on 64 dark levels, 16 on each: q = floor((1024 - 16) / 255) = 3, hence level k
    # becomes floor((16 k + 1) / 3), cut off at 255.
    levels = torch.arange(1024) // 16
    ramp = (levels.view(1, 1, 32, 32).expand(1, 3, -1, -1) / 255).float()
    always = Equalise(probability=1)

    changed = always.apply(ramp, params_of(always, 1, 32))

    expected = ((16 * levels + 1) // 3).clamp(max=255)
    assert (changed[0, 0].flatten() * 255).round().tolist() == expected.tolist()


@pytest.mark.parametrize("size", [8, 32])
@pytest.mark.parametrize("threshold", [128, 64, 255])
def test_solarise_is_pillows_and_torchvisions_on_images_of_256_levels(
    size: int, threshold: int
) -> None:
    always = Solarise(probability=1, threshold=0.5 if threshold == 128 else threshold / 255)
    eight = in_8_bits(pictures_of_many_kinds(size))
    every_level = torch.arange(size * size).view(size, size).expand(3, -1, -1) % 256
    eight = torch.cat([eight, every_level[None].to(torch.uint8)])

    changed = always.apply(eight.float() / 255, params_of(always, len(eight), size))

    for image, before in zip(changed, eight, strict=True):
        assert level_for_level(image, ImageOps.solarize(picture(before), threshold))
        assert level_for_level(image, TF.solarize(before, threshold))


@settings(max_examples=25)
@given(threshold=st.floats(0, 1), seed=st.integers(0, 100))
def test_solarise_inverts_what_reaches_the_threshold_and_nothing_else(
    threshold: float, seed: int
) -> None:
    images = made_images(2, 8, seed=seed)
    images[0, 0, 0, 0] = threshold
    always = Solarise(probability=1, threshold=threshold)

    changed = always.apply(images, params_of(always, 2, 8))

    for after, before in zip(changed.flatten().tolist(), images.flatten().tolist(), strict=True):
        reaches = before >= float(torch.tensor(threshold))
        assert after == pytest.approx(1 - before if reaches else before, abs=1e-7)
