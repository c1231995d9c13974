"""Random crops: the boxes drawn and the resizing, against torchvision and closed forms."""

import itertools
import math

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as TF
from hypothesis import given
from hypothesis import strategies as st
from made_images import FALSE_ALARM, GREY_LEVEL, drawn_for, made_images, params_of
from scipy import stats
from torchvision.transforms import InterpolationMode, RandomResizedCrop

from simclr_core.augment.operations import Crop, CropParams
from simclr_core.chance import Chance


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
    params = crop.draw(drawn_for(crop, len(shapes)), shapes)

    cropped = crop.apply(pictures, params, size)

    assert bool(params.flipped.any())
    assert not bool(params.flipped.all())
    for image, picture, box, flipped in zip(cropped, pictures, *params, strict=True):
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

    boxes = Crop().draw(drawn_for(Crop(), 500), torch.tensor([shape]).expand(500, 2)).boxes

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

    ours = Crop().draw(drawn_for(Crop(), num), torch.tensor([shape]).expand(num, 2)).boxes.numpy()

    for one, two in zip(_marginals(ours), _marginals(theirs), strict=True):
        assert stats.ks_2samp(one, two).pvalue > FALSE_ALARM / 5


def _marginals(boxes: np.ndarray) -> tuple[np.ndarray, ...]:
    top, left, height, width = boxes.T
    return top, left, height, width, height * width


@pytest.mark.statistical
@pytest.mark.parametrize("probability", [0.0, 0.5, 1.0])
def test_flips_come_as_often_as_asked(probability: float) -> None:
    flipped = params_of(Crop(flip=probability), 20_000, 32).flipped

    assert stats.binomtest(int(flipped.sum()), 20_000, probability).pvalue > FALSE_ALARM


def test_the_whole_picture_at_its_own_size_comes_out_as_it_is() -> None:
    crop = Crop(area=(1, 1), aspect=(1, 1), flip=0)
    images = made_images(5, 32)

    cropped = crop.apply(images, params_of(crop, 5, 32))

    assert float((cropped - images).abs().max()) < 1e-6


def test_nothing_outside_the_box_is_seen() -> None:
    crop = Crop(area=(0.08, 0.5))
    params = params_of(crop, 20, 64)
    images = made_images(20, 64)
    spoiled = torch.full_like(images, 1e3)
    for image, clean, (top, left, h, w) in zip(spoiled, images, params.boxes.tolist(), strict=True):
        inside = (slice(None), slice(top, top + h), slice(left, left + w))
        image[inside] = clean[inside]

    assert torch.equal(crop.apply(spoiled, params, 32), crop.apply(images, params, 32))


# The area of a try is uniform in 8 to 100 % and the logarithm of its aspect in +- log(4/3); in a
# square image it fits where |log aspect| <= -log area. Of those that fit, the area a therefore has
# a density proportional to min(log(4/3), -log a).
_WIDEST = math.log(4 / 3)


def _area_below(area: np.ndarray) -> np.ndarray:
    """The probability that a box in a large square image has at most this part of its area."""

    def mass(a: np.ndarray) -> np.ndarray:
        flat = _WIDEST * (np.minimum(a, 3 / 4) - 0.08)
        beyond = np.maximum(a, 3 / 4)
        return flat + (beyond - beyond * np.log(beyond)) - 3 / 4 * (1 + _WIDEST)

    return mass(area) / mass(np.array(1.0))


@pytest.mark.statistical
def test_areas_and_aspects_have_the_papers_distribution_in_closed_form() -> None:
    # Two Kolmogorov tests, each at half of the false-alarm rate; at 4,000 px a side rounding moves
    # an area by 1/4,000 of itself, the tests see 1/40.
    shapes = torch.full((20_000, 2), 4000)

    boxes = Crop().draw(drawn_for(Crop(), 20_000), shapes).boxes.double().numpy()

    _, _, height, width = boxes.T
    area, aspect = height * width / 4000**2, np.log(width / height)
    assert stats.kstest(area, _area_below).pvalue > FALSE_ALARM / 2
    free = aspect[area < 0.74]  # smaller boxes of every allowed aspect fit
    assert stats.kstest(free, stats.uniform(-_WIDEST, 2 * _WIDEST).cdf).pvalue > FALSE_ALARM / 2


@pytest.mark.statistical
def test_flip_area_aspect_and_place_tell_nothing_of_each_other() -> None:
    # Ten rank correlations over 20,000 large square images, false-alarm rate 1e-6 in all. Areas
    # below 3/4 only: larger boxes must be squarer to fit.
    shapes = torch.full((20_000, 2), 4000)

    boxes, flipped = Crop().draw(drawn_for(Crop(), 20_000), shapes)

    top, left, height, width = boxes.double().numpy().T
    area = height * width / 4000**2
    with np.errstate(invalid="ignore"):
        places = top / (4000 - height), left / (4000 - width)
    numbers = (flipped.numpy(), area, width / height, *places)
    free = area < 0.74
    for one, two in itertools.combinations(numbers, 2):
        assert stats.spearmanr(one[free], two[free]).pvalue > FALSE_ALARM / 10


@pytest.mark.parametrize("size", [8, 32])
def test_without_antialiasing_a_bilinear_crop_is_torchvisions(size: int) -> None:
    crop = Crop(interpolation="bilinear", antialias=False)
    images, params = made_images(40, 48), params_of(crop, 40, 48)

    cropped = crop.apply(images, params, size)

    for image, before, box, flipped in zip(cropped, images, *params, strict=True):
        expected = TF.resized_crop(
            before,
            *box.tolist(),
            size=[size, size],
            interpolation=InterpolationMode.BILINEAR,
            antialias=False,
        )
        expected = TF.hflip(expected) if flipped else expected
        assert float((image - expected).abs().max()) < 0.003 * GREY_LEVEL


def keys_cubic(x: float) -> float:
    """Keys 1981, equation 15 with a = -1/2."""
    x = abs(x)
    if x < 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def test_without_antialiasing_a_bicubic_crop_is_keys_cubic_at_four_pixels() -> None:
    crop = Crop(antialias=False, flip=0)
    row = torch.linspace(0, 1, 24).square()
    images = row.expand(1, 3, 24, 24)
    boxes = torch.tensor([[0, 3, 24, 19]])

    [image] = crop.apply(images, CropParams(boxes, torch.zeros(1, dtype=torch.bool)), 8)

    for place, found in enumerate(image[0, 4].tolist()):
        centre = 3 + (place + 0.5) * 19 / 8
        weights = [keys_cubic(pixel + 0.5 - centre) for pixel in range(3, 22)]
        values = [w * float(row[pixel]) for w, pixel in zip(weights, range(3, 22), strict=True)]
        assert found == pytest.approx(sum(values) / sum(weights), abs=1e-6)


@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    image=st.integers(0, 10**9),
)
def test_a_box_of_the_official_sampler_is_its_rule_told_one_try_at_a_time(
    height: int, width: int, image: int
) -> None:
    draws = Chance.of(0, 0, torch.tensor([image])).at("first", "crop")

    [box] = Crop(sampler="height").draw(draws, torch.tensor([[height, width]])).boxes.tolist()

    uniform = draws.uniform(21)[0].tolist()
    whole = height * width
    h, w = height, width
    for aspect_number, height_number in zip(uniform[1:11], uniform[11:], strict=True):
        aspect = 3 / 4 + (4 / 3 - 3 / 4) * aspect_number
        least, most = round(math.sqrt(0.08 * whole / aspect)), round(math.sqrt(whole / aspect))
        if round(most * aspect) > width:
            most = math.floor((width + 0.5 - 1e-7) / aspect)
        most = min(most, height)
        least = min(least, most)
        tried = least + math.floor(height_number * (most - least + 1))
        wide = round(tried * aspect)
        allowed = 0.08 * whole <= tried * wide <= whole and tried * wide >= 0.1 * whole
        if allowed and 1 <= wide <= width and 1 <= tried <= height:
            h, w = tried, wide
            break
    corner = draws.integers(torch.tensor([[max(1, height - h), max(1, width - w)]]))[0].tolist()
    assert box == [*corner, h, w]


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("sampler", "shape", "mean"),
    [
        ("height", (32, 32), 0.431),
        ("height", (375, 500), 0.386),
        ("area", (32, 32), 0.490),
        ("area", (375, 500), 0.434),
    ],
)
def test_the_mean_areas_are_those_of_tensorflow_and_torchvision(
    sampler: str, shape: tuple[int, int], mean: float
) -> None:
    # Simulated with both libraries to three digits. The standard error of 40,000 areas is 0.0013:
    # six of them are a false alarm once in 5e8.
    crop = Crop(sampler=sampler)
    boxes = crop.draw(drawn_for(crop, 40_000), torch.tensor([shape]).expand(40_000, 2)).boxes

    area = boxes[:, 2] * boxes[:, 3] / math.prod(shape)
    assert float(area.double().mean()) == pytest.approx(mean, abs=0.0083)
    if sampler == "height":
        assert float(area.min()) >= 0.1
