"""The seven operations: the contract of the family, and each against a library or a plain restatement.

Tolerances are said in grey levels of 255 where pictures are compared.
"""

import itertools
import math
from typing import Any, get_args

import numpy as np
import pytest
import scipy.ndimage
import torch
import torchvision.transforms.functional as TF
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from scipy import stats
from torch import Tensor
from torchvision.transforms import ColorJitter, InterpolationMode, RandomResizedCrop

from simclr_core.augmentations import AnyOperation, Crop, Cutout, Noise, Rotation
from simclr_core.chance import Chance, Draws, select
from simclr_core.colour import Colour, ColourChances
from simclr_core.filters import Blur, BlurChances, Sobel, kernel_size

OPERATIONS = get_args(get_args(AnyOperation)[0])
FALSE_ALARM = 1e-6
GREY_LEVEL = 1 / 255

every_operation = pytest.mark.parametrize(
    "operation", [kind() for kind in OPERATIONS], ids=lambda o: o.kind
)


def _draws(operation: AnyOperation, num: int, *, seed: int = 0) -> Draws:
    return Chance.of(seed, 0, torch.arange(num)).at("first", operation.kind)


def _images(num: int, size: int, *, seed: int = 0) -> Tensor:
    """Random pixels, among them black, white, grey and saturated ones."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(num, 3, size, size, generator=generator)
    images = torch.where(
        torch.rand(num, 1, size, size, generator=generator) < 0.2, images.round(), images
    )
    grey = torch.rand(num, 1, size, size, generator=generator) < 0.1
    return torch.where(grey, images[:, :1], images)


def _square(num: int, size: int) -> Tensor:
    return torch.full((num, 2), size)


def _chances(operation: AnyOperation, num: int, size: int, *, seed: int = 0) -> Any:
    return operation.draw(_draws(operation, num, seed=seed), _square(num, size))


# ---------------------------------------------------------------------------------------- the family


@every_operation
@pytest.mark.parametrize("size", [8, 32, 45])
def test_an_operation_keeps_shape_type_and_range(operation: AnyOperation, size: int) -> None:
    images = _images(12, size)

    changed = operation.apply(images, _chances(operation, 12, size))

    assert changed.shape == images.shape
    assert changed.dtype == torch.float32
    assert float(changed.min()) >= 0
    assert float(changed.max()) <= 1


@every_operation
def test_an_operation_leaves_its_input_alone(operation: AnyOperation) -> None:
    for images in (_images(12, 32), _images(12, 32).transpose(0, 1).contiguous().transpose(0, 1)):
        before = images.clone()

        operation.apply(images, _chances(operation, 12, 32))

        assert torch.equal(images, before)


@every_operation
@given(order=st.permutations(range(9)))
def test_what_happens_to_an_image_depends_on_that_image_alone(
    operation: AnyOperation, order: list[int]
) -> None:
    images, rows = _images(9, 32), torch.tensor(order[:5])
    chances = _chances(operation, 9, 32)

    together = operation.apply(images, chances)
    part = operation.apply(images[rows], select(chances, rows))

    assert torch.equal(part, together[rows])


@every_operation
def test_images_of_a_batch_have_chances_of_their_own(operation: AnyOperation) -> None:
    if operation.kind == "sobel":
        return
    same = _images(1, 32).expand(40, -1, -1, -1)

    changed = operation.apply(same, _chances(operation, 40, 32))

    assert len({image.numpy().tobytes() for image in changed}) >= 4


@every_operation
@pytest.mark.parametrize("layout", ["channels last", "planes"])
def test_the_layout_in_memory_is_no_matter(operation: AnyOperation, layout: str) -> None:
    images, chances = _images(6, 32), _chances(operation, 6, 32)
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


# ---------------------------------------------------------------------------------------------- crop


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("size", [16, 32, 57])
def test_a_crop_is_torchvisions_resized_crop_and_flip_for_pictures_of_mixed_shapes(
    interpolation: str, size: int
) -> None:
    shapes = torch.tensor([[32, 32], [48, 64], [20, 90], [90, 20], [64, 48], [1, 7], [33, 31]] * 6)
    generator = torch.Generator().manual_seed(3)
    pictures = torch.zeros(len(shapes), 3, 90, 90, dtype=torch.uint8)
    for picture, (height, width) in zip(pictures, shapes.tolist(), strict=True):
        picture[:, :height, :width] = torch.randint(0, 256, (3, height, width), generator=generator)
    crop = Crop(interpolation=interpolation)
    chances = crop.draw(_draws(crop, len(shapes)), shapes)

    cropped = crop.apply(pictures, chances, size)

    assert bool(chances.flipped.any())
    assert not bool(chances.flipped.all())
    for image, picture, box, flipped in zip(cropped, pictures, *chances, strict=True):
        expected = TF.resized_crop(
            picture.float() / 255,
            *box.tolist(),
            size=[size, size],
            interpolation=InterpolationMode(interpolation),
            antialias=True,
        ).clamp(0, 1)
        expected = TF.hflip(expected) if flipped else expected
        assert float((image - expected).abs().max()) < 0.003 * GREY_LEVEL


@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    image=st.integers(0, 10**9),
    least=st.floats(0.01, 1),
)
def test_a_box_is_torchvisions_rule_told_one_try_at_a_time(
    height: int, width: int, image: int, least: float
) -> None:
    crop = Crop(area=(least, 1.0))
    draws = Chance.of(0, 0, torch.tensor([image])).at("first", "crop")

    [box] = crop.draw(draws, torch.tensor([[height, width]])).boxes.tolist()

    uniform = draws.uniform(21)[0].tolist()
    for area_number, aspect_number in zip(uniform[1:11], uniform[11:], strict=True):
        area = height * width * (least + (1 - least) * area_number)
        low, high = math.log(3 / 4), math.log(4 / 3)
        aspect = math.exp(low + (high - low) * aspect_number)
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            top, left = draws.integers(torch.tensor([[height - h + 1, width - w + 1]]))[0].tolist()
            break
    else:
        w, h = width, height
        if width / height < 3 / 4:
            h = max(1, round(width / (3 / 4)))
        elif width / height > 4 / 3:
            w = max(1, round(height * (4 / 3)))
        top, left = (height - h) // 2, (width - w) // 2
    assert box == [top, left, h, w]


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 3), (500, 3)])
def test_a_box_lies_inside_the_picture_however_odd_its_shape(shape: tuple[int, int]) -> None:
    height, width = shape

    boxes = Crop().draw(_draws(Crop(), 500), torch.tensor([shape]).expand(500, 2)).boxes

    top, left, h, w = boxes.unbind(1)
    assert int(boxes[:, :2].min()) >= 0
    assert int(boxes[:, 2:].min()) >= 1
    assert int((top + h).max()) <= height
    assert int((left + w).max()) <= width


@pytest.mark.statistical
@pytest.mark.parametrize("shape", [(32, 32), (96, 64)])
def test_boxes_have_the_distribution_of_torchvisions(shape: tuple[int, int]) -> None:
    # Two-sample tests of 5 marginals, each at a fifth of the false-alarm rate 1e-6.
    num = 6000
    torch.manual_seed(0)
    template = torch.empty(3, *shape)
    theirs = np.array(
        [RandomResizedCrop.get_params(template, [0.08, 1.0], [3 / 4, 4 / 3]) for _ in range(num)]
    )

    ours = Crop().draw(_draws(Crop(), num), torch.tensor([shape]).expand(num, 2)).boxes.numpy()

    for one, two in zip(_marginals(ours), _marginals(theirs), strict=True):
        assert stats.ks_2samp(one, two).pvalue > FALSE_ALARM / 5


def _marginals(boxes: np.ndarray) -> tuple[np.ndarray, ...]:
    top, left, height, width = boxes.T
    return top, left, height, width, height * width


@pytest.mark.statistical
@pytest.mark.parametrize("probability", [0.0, 0.5, 1.0])
def test_flips_come_as_often_as_asked(probability: float) -> None:
    flipped = _chances(Crop(flip=probability), 20_000, 32).flipped

    assert stats.binomtest(int(flipped.sum()), 20_000, probability).pvalue > FALSE_ALARM


def test_the_whole_picture_at_its_own_size_comes_out_as_it_is() -> None:
    crop = Crop(area=(1, 1), aspect=(1, 1), flip=0)
    images = _images(5, 32)

    cropped = crop.apply(images, _chances(crop, 5, 32))

    assert float((cropped - images).abs().max()) < 1e-6


def test_nothing_outside_the_box_is_seen() -> None:
    crop = Crop(area=(0.08, 0.5))
    chances = _chances(crop, 20, 64)
    images = _images(20, 64)
    spoiled = torch.full_like(images, 1e3)
    for image, clean, (top, left, h, w) in zip(
        spoiled, images, chances.boxes.tolist(), strict=True
    ):
        inside = (slice(None), slice(top, top + h), slice(left, left + w))
        image[inside] = clean[inside]

    assert torch.equal(crop.apply(spoiled, chances, 32), crop.apply(images, chances, 32))


# -------------------------------------------------------------------------------------------- colour


@pytest.mark.parametrize("strength", [0.125, 0.5, 1.0, 2.5])
def test_jitter_is_torchvisions_four_adjustments_in_order_then_grey(strength: float) -> None:
    colour = Colour(strength=strength)
    images, chances = _images(64, 24), _chances(colour, 64, 24)

    changed = colour.apply(images, chances)

    for image, before, jittered, brightness, contrast, saturation, hue, dropped in zip(
        changed, images, *(field.tolist() for field in chances), strict=True
    ):
        expected = before
        if jittered:
            expected = TF.adjust_brightness(expected, brightness)
            expected = TF.adjust_contrast(expected, contrast)
            expected = TF.adjust_saturation(expected, saturation)
            expected = TF.adjust_hue(expected, hue)
        if dropped:
            expected = TF.rgb_to_grayscale(expected, num_output_channels=3)
        assert float((image - expected).abs().max()) < 0.003 * GREY_LEVEL
        if not (jittered or dropped):
            assert torch.equal(image, before)


@given(st.tuples(*[st.integers(0, 255)] * 3), st.integers(-50, 50))
def test_a_hue_turned_is_that_of_pythons_own_hsv(pixel: tuple[int, ...], percent: int) -> None:
    import colorsys

    image = torch.tensor(pixel).div(255).view(1, 3, 1, 1).expand(1, 3, 2, 2)
    one = torch.ones(1)
    chances = ColourChances(
        one.bool(), one, one, one, torch.tensor([percent / 100]), one.bool() ^ True
    )

    changed = Colour().apply(image, chances)

    hue, saturation, value = colorsys.rgb_to_hsv(*(level / 255 for level in pixel))
    expected = colorsys.hsv_to_rgb((hue + percent / 100) % 1, saturation, value)
    assert changed[0, :, 0, 0].tolist() == pytest.approx(expected, abs=2e-6)


@pytest.mark.statistical
def test_jitter_has_the_distribution_of_torchvisions() -> None:
    # Five marginals and two frequencies, each at a seventh of 1e-6.
    alarm, num = FALSE_ALARM / 7, 5000
    torch.manual_seed(0)
    reference = ColorJitter(0.8, 0.8, 0.8, 0.2)
    theirs = np.array(
        [
            ColorJitter.get_params(
                reference.brightness, reference.contrast, reference.saturation, reference.hue
            )[1:]
            for _ in range(num)
        ]
    )

    ours = _chances(Colour(), num, 32)

    for one, two in zip(ours[1:5], theirs.T, strict=True):
        assert stats.ks_2samp(one.numpy(), two).pvalue > alarm
    for one, two in itertools.combinations(ours[1:5], 2):
        assert stats.pearsonr(one.numpy(), two.numpy()).pvalue > alarm
    assert stats.binomtest(int(ours.jittered.sum()), num, 0.8).pvalue > alarm
    assert stats.binomtest(int(ours.dropped.sum()), num, 0.2).pvalue > alarm


def test_strength_scales_the_same_chances() -> None:
    weak, strong = (_chances(Colour(strength=strength), 50, 32) for strength in (0.5, 1.0))

    assert torch.equal(weak.jittered, strong.jittered)
    torch.testing.assert_close(2 * (weak.brightness - 1), strong.brightness - 1)
    torch.testing.assert_close(2 * weak.hue, strong.hue)


def test_without_strength_only_rounding_changes_a_colour() -> None:
    colour = Colour(strength=0, drop_probability=0)
    images = _images(20, 16)

    changed = colour.apply(images, _chances(colour, 20, 16))

    assert float((changed - images).abs().max()) < 1e-6


# ---------------------------------------------------------------------------------- blur and Sobel


@pytest.mark.parametrize(("size", "taps"), [(8, 3), (32, 3), (64, 7), (96, 9), (224, 23)])
def test_a_blur_is_torchvisions_gaussian_blur_with_the_official_kernel(
    size: int, taps: int
) -> None:
    blur = Blur()
    images, chances = _images(12, size), _chances(blur, 12, size)

    blurred = blur.apply(images, chances)

    assert kernel_size(size) == taps
    assert bool(chances.blurred.any())
    for image, before, chosen, sigma in zip(blurred, images, *chances, strict=True):
        if chosen:
            expected = TF.gaussian_blur(before, [taps, taps], [float(sigma)] * 2)
            assert float((image - expected).abs().max()) < 0.001 * GREY_LEVEL
        else:
            assert torch.equal(image, before)


@pytest.mark.statistical
def test_blur_chooses_half_the_images_and_spreads_sigma_evenly() -> None:
    chances = _chances(Blur(), 20_000, 32)

    assert stats.binomtest(int(chances.blurred.sum()), 20_000, 0.5).pvalue > FALSE_ALARM / 3
    uniform = stats.uniform(0.1, 1.9).cdf
    assert stats.kstest(chances.sigma.numpy(), uniform).pvalue > FALSE_ALARM / 3
    both = stats.ks_2samp(
        chances.sigma[chances.blurred].numpy(), chances.sigma[~chances.blurred].numpy()
    )
    assert both.pvalue > FALSE_ALARM / 3


def test_an_image_too_small_to_mirror_is_refused_in_words() -> None:
    chances = BlurChances(torch.tensor([True]), torch.tensor([1.0]))

    with pytest.raises(ValueError, match="mirrors 1 px at the border: images need more, got 1"):
        Blur().apply(torch.rand(1, 3, 1, 1), chances)


def test_sobel_is_scipys_with_a_mirrored_border() -> None:
    images = _images(5, 32)

    edges = Sobel().apply(images, _chances(Sobel(), 5, 32))

    for plane, before in zip(edges.flatten(0, 1), images.flatten(0, 1).double(), strict=True):
        along_y, along_x = (
            scipy.ndimage.sobel(before.numpy(), axis=axis, mode="mirror") for axis in (0, 1)
        )
        expected = np.minimum(np.hypot(along_y, along_x) / 4, 1)
        assert np.abs(plane.numpy() - expected).max() < 1e-6


def test_sobel_gives_one_on_a_full_step_and_nothing_on_a_flat_colour() -> None:
    image = torch.zeros(1, 3, 8, 8)
    image[..., 4:] = 1

    edges = Sobel().apply(image, _chances(Sobel(), 1, 8))

    assert edges[0, 0, 3].tolist() == [0, 0, 0, 1, 1, 0, 0, 0]


# ------------------------------------------------------------------------ rotation, cutout and noise


def test_a_rotation_is_torchvisions_rotate() -> None:
    images, chances = _images(40, 17), _chances(Rotation(), 40, 17)

    turned = Rotation().apply(images, chances)

    assert sorted(set(chances.turns.tolist())) == [0, 1, 2, 3]
    for image, before, turns in zip(turned, images, chances.turns.tolist(), strict=True):
        assert torch.equal(image, TF.rotate(before, 90 * turns))


@pytest.mark.statistical
@pytest.mark.parametrize(("probability", "shares"), [(0.75, [1, 1, 1, 1]), (0.5, [3, 1, 1, 1])])
def test_the_orientations_come_as_often_as_promised(probability: float, shares: list[int]) -> None:
    turns = _chances(Rotation(probability=probability), 12_000, 32).turns

    expected = np.array(shares) * 12_000 / sum(shares)
    assert stats.chisquare(np.bincount(turns, minlength=4), expected).pvalue > FALSE_ALARM


@given(size=st.integers(2, 33), side=st.floats(0.05, 1), seed=st.integers(0, 1000))
def test_a_cutout_covers_a_square_round_a_pixel_of_the_image(
    size: int, side: float, seed: int
) -> None:
    cutout = Cutout(side=side, fill=0.25)
    images, draws = _images(4, size), _draws(cutout, 4, seed=seed)

    covered = cutout.apply(images, cutout.draw(draws, _square(4, size)))

    centres = draws.integers(_square(4, size))
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

    boxes = _chances(cutout, 20_000, 32).boxes

    cells = (boxes[:, 0] // 4) * 8 + boxes[:, 1] // 4
    assert stats.chisquare(np.bincount(cells, minlength=64)).pvalue > FALSE_ALARM


def test_noise_adds_the_images_own_normal_numbers() -> None:
    noise = Noise(deviation=0.2)
    images, draws = _images(6, 16), _draws(noise, 6)

    noisy = noise.apply(images, noise.draw(draws, _square(6, 16)))

    expected = (images + 0.2 * draws.normal(3, 16, 16)).clamp(0, 1)
    assert float((noisy - expected).abs().max()) < 1e-6


@pytest.mark.statistical
def test_noise_on_grey_is_gaussian_in_every_pixel_and_colour() -> None:
    grey = torch.full((200, 3, 16, 16), 0.5)
    noise = Noise(deviation=0.05)

    added = noise.apply(grey, _chances(noise, 200, 16)) - grey

    assert stats.kstest(added.flatten().numpy(), stats.norm(0, 0.05).cdf).pvalue > FALSE_ALARM / 2
    red, green = added[:, 0].flatten().numpy(), added[:, 1].flatten().numpy()
    assert stats.pearsonr(red, green).pvalue > FALSE_ALARM / 2


# ------------------------------------------------------------------------------------------ settings


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
