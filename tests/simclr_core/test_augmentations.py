"""The seven operations: the contract of the family; rotation, cutout and noise one by one.

Crops stand in test_crops, colours in test_colour, blur and Sobel in test_filters.
"""

import itertools
from typing import Any, get_args

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as TF
from hypothesis import given
from hypothesis import strategies as st
from made_images import FALSE_ALARM, chances_of, drawn_for, made_images, square_shapes
from pydantic import TypeAdapter, ValidationError
from scipy import stats

from simclr_core.augmentations import AnyOperation, Cutout, Noise, Rotation
from simclr_core.chance import select

OPERATIONS = get_args(get_args(AnyOperation)[0])

every_operation = pytest.mark.parametrize(
    "operation", [kind() for kind in OPERATIONS], ids=lambda o: o.kind
)


@every_operation
@pytest.mark.parametrize("size", [8, 32, 45])
def test_an_operation_keeps_shape_type_and_range(operation: AnyOperation, size: int) -> None:
    images = made_images(12, size)

    changed = operation.apply(images, chances_of(operation, 12, size))

    assert changed.shape == images.shape
    assert changed.dtype == torch.float32
    assert float(changed.min()) >= 0
    assert float(changed.max()) <= 1


@every_operation
def test_an_operation_leaves_its_input_alone(operation: AnyOperation) -> None:
    for images in (
        made_images(12, 32),
        made_images(12, 32).transpose(0, 1).contiguous().transpose(0, 1),
    ):
        before = images.clone()

        operation.apply(images, chances_of(operation, 12, 32))

        assert torch.equal(images, before)


@every_operation
@given(order=st.permutations(range(9)))
def test_what_happens_to_an_image_depends_on_that_image_alone(
    operation: AnyOperation, order: list[int]
) -> None:
    images, rows = made_images(9, 32), torch.tensor(order[:5])
    chances = chances_of(operation, 9, 32)

    together = operation.apply(images, chances)
    part = operation.apply(images[rows], select(chances, rows))

    assert torch.equal(part, together[rows])


@every_operation
def test_images_of_a_batch_have_chances_of_their_own(operation: AnyOperation) -> None:
    if operation.kind == "sobel":
        return
    same = made_images(1, 32).expand(40, -1, -1, -1)

    changed = operation.apply(same, chances_of(operation, 40, 32))

    assert len({image.numpy().tobytes() for image in changed}) >= 4


@every_operation
@pytest.mark.parametrize("layout", ["channels last", "planes"])
def test_the_layout_in_memory_is_no_matter(operation: AnyOperation, layout: str) -> None:
    images, chances = made_images(6, 32), chances_of(operation, 6, 32)
    laid = (
        images.contiguous(memory_format=torch.channels_last)
        if layout == "channels last"
        else images.transpose(0, 1).contiguous().transpose(0, 1)
    )

    assert torch.equal(operation.apply(laid, chances), operation.apply(images, chances))


@every_operation
def test_an_operation_comes_back_from_its_settings(operation: AnyOperation) -> None:
    adapter = TypeAdapter(AnyOperation)

    assert adapter.validate_python(operation.model_dump(mode="json")) == operation
    assert adapter.validate_python({"kind": operation.kind}) == operation


def test_a_rotation_is_torchvisions_rotate() -> None:
    images, chances = made_images(40, 17), chances_of(Rotation(), 40, 17)

    turned = Rotation().apply(images, chances)

    assert sorted(set(chances.turns.tolist())) == [0, 1, 2, 3]
    for image, before, turns in zip(turned, images, chances.turns.tolist(), strict=True):
        assert torch.equal(image, TF.rotate(before, 90 * turns))


@pytest.mark.statistical
@pytest.mark.parametrize(("probability", "shares"), [(0.75, [1, 1, 1, 1]), (0.5, [3, 1, 1, 1])])
def test_the_orientations_come_as_often_as_promised(probability: float, shares: list[int]) -> None:
    turns = chances_of(Rotation(probability=probability), 12_000, 32).turns

    expected = np.array(shares) * 12_000 / sum(shares)
    assert stats.chisquare(np.bincount(turns, minlength=4), expected).pvalue > FALSE_ALARM


@given(size=st.integers(2, 33), side=st.floats(0.05, 1), seed=st.integers(0, 1000))
def test_a_cutout_covers_a_square_round_a_pixel_of_the_image(
    size: int, side: float, seed: int
) -> None:
    cutout = Cutout(side=side, fill=0.25)
    images, draws = made_images(4, size), drawn_for(cutout, 4, seed=seed)

    covered = cutout.apply(images, cutout.draw(draws, square_shapes(4, size)))

    centres = draws.integers(square_shapes(4, size))
    length = max(1, round(size * side))
    expected = images.clone()
    for image, (y, x) in zip(expected, centres.tolist(), strict=True):
        top, left = y - length // 2, x - length // 2
        for row, column in itertools.product(range(size), range(size)):
            if top <= row < top + length and left <= column < left + length:
                image[:, row, column] = 0.25
    assert torch.equal(covered, expected)


@pytest.mark.statistical
def test_cutouts_are_centred_anywhere_with_equal_chance() -> None:
    cutout = Cutout(side=1 / 32)

    boxes = chances_of(cutout, 20_000, 32).boxes

    cells = (boxes[:, 0] // 4) * 8 + boxes[:, 1] // 4
    assert stats.chisquare(np.bincount(cells, minlength=64)).pvalue > FALSE_ALARM


def test_noise_adds_the_images_own_normal_numbers() -> None:
    noise = Noise(deviation=0.2)
    images, draws = made_images(6, 16), drawn_for(noise, 6)

    noisy = noise.apply(images, noise.draw(draws, square_shapes(6, 16)))

    expected = (images + 0.2 * draws.normal(3, 16, 16)).clamp(0, 1)
    assert float((noisy - expected).abs().max()) < 1e-6


@pytest.mark.statistical
def test_noise_on_grey_is_gaussian_in_every_pixel_and_colour() -> None:
    grey = torch.full((200, 3, 16, 16), 0.5)
    noise = Noise(deviation=0.05)

    added = noise.apply(grey, chances_of(noise, 200, 16)) - grey

    assert stats.kstest(added.flatten().numpy(), stats.norm(0, 0.05).cdf).pvalue > FALSE_ALARM / 2
    red, green = added[:, 0].flatten().numpy(), added[:, 1].flatten().numpy()
    assert stats.pearsonr(red, green).pvalue > FALSE_ALARM / 2


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"kind": "crop", "area": [0, 1]},
            "area must be a pair with 0 < least <= largest <= 1, got",
        ),
        ({"kind": "crop", "area": [0.5, 0.2]}, "area must be a pair"),
        ({"kind": "crop", "area": [0.5, 1.2]}, "area must be a pair"),
        (
            {"kind": "crop", "aspect": [2, 1]},
            "aspect must be a pair with 0 < least <= largest, got",
        ),
        ({"kind": "crop", "flip": 1.5}, "less than or equal to 1"),
        ({"kind": "crop", "interpolation": "nearest"}, "'bicubic' or 'bilinear'"),
        ({"kind": "blur", "sigma": [0, 2]}, "sigma must be a pair with 0 < least <= largest, got"),
        ({"kind": "blur", "probability": -0.1}, "greater than or equal to 0"),
        ({"kind": "colour", "strength": 2.6}, "less than or equal to 2.5"),
        ({"kind": "color"}, "does not match any of the expected tags"),
        ({"kind": "noise", "deviation": 0}, "greater than 0"),
        ({"kind": "cutout", "side": 0}, "greater than 0"),
        ({"kind": "rotation", "angles": [90]}, "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_rule(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        TypeAdapter(AnyOperation).validate_python(settings)
