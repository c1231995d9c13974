"""The operations: the contract of the family; rotation, cutout and noise one by one.

Crops stand in test_crops, colours in test_colour, blur and Sobel in test_filters, solarise and
equalise in test_levels, motion blur in test_motion, AutoAugment in test_autoaugment.
"""

import itertools
from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as TF
from hypothesis import given
from hypothesis import strategies as st
from made_images import FALSE_ALARM, drawn_for, made_images, params_of, square_shapes
from made_parts import made
from pydantic import TypeAdapter, ValidationError
from scipy import stats
from torch import Tensor

from simclr_core.augment import autoaugment, blur_sobel, colour, solarise_equalise
from simclr_core.augment import motion_blur as motion
from simclr_core.augment import operations as augmentations
from simclr_core.augment.autoaugment import POLICY
from simclr_core.augment.blur_sobel import Sobel
from simclr_core.augment.file_operation import FileOperation
from simclr_core.augment.operations import AnyOperation, Cutout, Noise, Rotation
from simclr_core.chance import select

OPERATIONS = get_args(get_args(AnyOperation)[0])

every_operation = pytest.mark.parametrize(
    "operation", [made(kind) for kind in OPERATIONS], ids=lambda o: o.kind
)

CHOICES: dict[str, dict[str, Callable[[Any], Tensor]]] = {
    "crop": {"flip": lambda c: c.flipped},
    "cutout": {"probability": lambda c: c.boxes[:, 2] > 0},
    "colour": {
        "jitter_probability": lambda c: c.jittered,
        "drop_probability": lambda c: c.dropped,
    },
    "sobel": {"probability": lambda c: c.filtered},
    "noise": {"probability": lambda c: c.disturbed},
    "blur": {"probability": lambda c: c.blurred},
    "rotation": {"probability": lambda c: c.turns > 0},
    "solarise": {"probability": lambda c: c.solarised},
    "equalise": {"probability": lambda c: c.equalised},
    "motion_blur": {"probability": lambda c: c.blurred},
    "auto_augment": {"probability": lambda c: c.applied.any(1)},
}
"""An operation's fields that are probabilities, and where its params say which images it chose."""

every_kind_with_a_probability = pytest.mark.parametrize(
    "kind", [kind for kind in OPERATIONS if "probability" in kind.model_fields]
)


@every_operation
@pytest.mark.parametrize("size", [8, 32, 45])
def test_an_operation_keeps_shape_type_and_range(operation: AnyOperation, size: int) -> None:
    images = made_images(12, size)

    changed = operation.apply(images, params_of(operation, 12, size))

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

        operation.apply(images, params_of(operation, 12, 32))

        assert torch.equal(images, before)


@every_operation
@given(order=st.permutations(range(9)))
def test_what_happens_to_an_image_depends_on_that_image_alone(
    operation: AnyOperation, order: list[int]
) -> None:
    images, rows = made_images(9, 32), torch.tensor(order[:5])
    params = params_of(operation, 9, 32)

    together = operation.apply(images, params)
    part = operation.apply(images[rows], select(params, rows))

    assert torch.equal(part, together[rows])


@every_operation
def test_images_of_a_batch_have_chances_of_their_own(operation: AnyOperation) -> None:
    if operation.kind == "sobel":
        return
    same = made_images(1, 32).expand(40, -1, -1, -1)

    changed = operation.apply(same, params_of(operation, 40, 32))

    # Nothing is left to chance of these two but which images they change.
    least = 2 if operation.kind in ("solarise", "equalise") else 4
    assert len({image.numpy().tobytes() for image in changed}) >= least


@every_kind_with_a_probability
def test_images_that_an_operation_does_not_choose_come_out_bit_for_bit(kind: Any) -> None:
    images = made_images(60, 32)
    never, half, always = (
        (kind(probability=p), params_of(kind(probability=p), 60, 32)) for p in (0, 0.5, 1)
    )

    assert torch.equal(never[0].apply(images, never[1]), images)
    changed, whole = (operation.apply(images, params) for operation, params in (half, always))
    chosen = CHOICES[kind().kind]["probability"](half[1])
    assert 0 < int(chosen.sum()) < 60
    assert torch.equal(changed[~chosen], images[~chosen])
    # What happens to a chosen image has nothing to do with how likely it was to be chosen.
    assert torch.equal(changed[chosen], whole[chosen])
    assert not (changed[chosen] == images[chosen]).flatten(1).all(1).any()


@every_operation
def test_where_picking_images_would_wait_for_the_device_the_result_is_the_same(
    operation: AnyOperation, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What other devices than CPUs do: all images are changed and the chosen ones kept.
    def all_changed(
        planes: Tensor, chosen: Tensor, change: Callable[..., Tensor], *params: Tensor
    ) -> Tensor:
        changed = change(planes.clone(memory_format=torch.contiguous_format), *params)
        return torch.where(chosen[:, None, None], changed, planes)

    images, params = made_images(40, 32), params_of(operation, 40, 32)
    picked = operation.apply(images, params)
    for module in (augmentations, autoaugment, colour, blur_sobel, solarise_equalise, motion):
        monkeypatch.setattr(module, "changed_where", all_changed)

    assert torch.equal(operation.apply(images, params), picked)


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("kind", "field"), [(k, field) for k in OPERATIONS for field in CHOICES.get(made(k).kind, ())]
)
def test_images_are_chosen_with_the_probability_that_is_set(kind: Any, field: str) -> None:
    params = params_of(kind(**{field: 0.3}), 20_000, 32)

    chosen = CHOICES[kind().kind][field](params)

    likely = 0.3
    if kind().kind == "auto_augment":
        nothing = [np.prod([1 - step.probability for step in pair]) for pair in POLICY]
        likely *= 1 - float(np.mean(nothing))
    assert stats.binomtest(int(chosen.sum()), 20_000, likely).pvalue > FALSE_ALARM


def test_every_probability_of_the_family_is_tested() -> None:
    for kind in OPERATIONS:
        fields = {
            name
            for name, field in kind.model_fields.items()
            if "probability" in name or name == "flip"
        }
        assert fields == set(CHOICES.get(made(kind).kind, ()))
        for name in fields:
            for wrong in (-0.01, 1.01):
                with pytest.raises(ValidationError, match="equal to"):
                    kind(**{name: wrong})


def test_operations_of_figure_4_are_as_before_where_their_probability_is_not_set() -> None:
    assert [kind().probability for kind in (Cutout, Sobel, Noise)] == [1, 1, 1]


@every_operation
@pytest.mark.parametrize("layout", ["channels last", "planes"])
def test_the_layout_in_memory_is_no_matter(operation: AnyOperation, layout: str) -> None:
    images, params = made_images(6, 32), params_of(operation, 6, 32)
    laid = (
        images.contiguous(memory_format=torch.channels_last)
        if layout == "channels last"
        else images.transpose(0, 1).contiguous().transpose(0, 1)
    )

    assert torch.equal(operation.apply(laid, params), operation.apply(images, params))


@every_operation
def test_an_operation_comes_back_from_its_settings(operation: AnyOperation) -> None:
    adapter = TypeAdapter(AnyOperation)

    assert adapter.validate_python(operation.model_dump(mode="json")) == operation
    fields = type(operation).model_fields
    needed = {name: getattr(operation, name) for name in fields if fields[name].is_required()}
    alone = adapter.validate_python({"kind": operation.kind, **needed})
    assert alone == operation or isinstance(operation, FileOperation)


def test_a_rotation_is_torchvisions_rotate() -> None:
    images, params = made_images(40, 17), params_of(Rotation(), 40, 17)

    turned = Rotation().apply(images, params)

    assert sorted(set(params.turns.tolist())) == [0, 1, 2, 3]
    for image, before, turns in zip(turned, images, params.turns.tolist(), strict=True):
        assert torch.equal(image, TF.rotate(before, 90 * turns))


@pytest.mark.statistical
@pytest.mark.parametrize(("probability", "shares"), [(0.75, [1, 1, 1, 1]), (0.5, [3, 1, 1, 1])])
def test_the_orientations_come_as_often_as_promised(probability: float, shares: list[int]) -> None:
    turns = params_of(Rotation(probability=probability), 12_000, 32).turns

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

    boxes = params_of(cutout, 20_000, 32).boxes

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

    added = noise.apply(grey, params_of(noise, 200, 16)) - grey

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
        ({"kind": "blur", "sigma_drawn": "per_view"}, "'per_image' or 'per_batch'"),
        ({"kind": "solarise", "threshold": 128}, "less than or equal to 1"),
        ({"kind": "motion_blur", "length": 0}, "greater than 0"),
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
