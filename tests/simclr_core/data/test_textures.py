"""The embedded textures: the same bytes everywhere, colour as the shortcut they are built for."""

import hashlib

import numpy as np
import pytest
import torch
from made_images import FALSE_ALARM
from pydantic import ValidationError
from scipy import stats
from torch import Tensor

from simclr_core.augment.operations import Colour, Crop
from simclr_core.chance import Chance
from simclr_core.data.dataset import fingerprint, load
from simclr_core.data.textures import CLASS_NAMES, Textures, generate

TRAIN, TEST = 0, 1


def digest_of_first_fifty() -> str:
    """SHA-256 over the bytes of the first 50 training images, then of the first 50 test images."""
    return hashlib.sha256(generate(TRAIN, 50).tobytes() + generate(TEST, 50).tobytes()).hexdigest()


def _histograms(images: Tensor) -> Tensor:
    """The share of each of 16 levels in each colour: [N, 48]."""
    levels = images.flatten(2).mul(16).long().clamp(max=15)
    return torch.nn.functional.one_hot(levels, 16).float().mean(2).flatten(1)


def _share_of_partners_found_by_colour(*, distorted: bool) -> float:
    """How often the crop whose colour histogram is nearest is the other one of the same image."""
    images = torch.from_numpy(generate(TRAIN, 400))
    chance, shapes = Chance.of(1000, 0, torch.arange(400)), torch.full((400, 2), 32)
    crop, colour, views = Crop(), Colour(), list[Tensor]()
    for view in ("first", "second"):
        cut = crop.apply(images, crop.draw(chance.at(view, "crop"), shapes), 32)
        if distorted:
            cut = colour.apply(cut, colour.draw(chance.at(view, "colour"), shapes))
        views.append(_histograms(cut))
    nearest = torch.cdist(*views, p=1).argmin(1)
    return float((nearest == torch.arange(400)).double().mean())


# ------------------------------------------------------------------------------- the mechanism


def test_two_crops_of_an_image_find_each_other_by_colour_until_it_is_distorted() -> None:
    # Chance finds 1 of 400. These are wide bounds on what the design is for, not its numbers.
    assert _share_of_partners_found_by_colour(distorted=False) > 0.5
    assert _share_of_partners_found_by_colour(distorted=True) < 0.15


@pytest.mark.statistical
def test_the_tint_tells_nothing_of_the_class() -> None:
    # Sixths of the hues that occur against classes: chi-square, false-alarm rate 1e-6.
    r, g, b = generate(TRAIN, 3000).astype(np.int64).sum((2, 3)).T
    hue = np.arctan2(np.sqrt(3) * (g - b), 2 * r - g - b)
    sixth = np.digitize(hue, np.quantile(hue, np.arange(1, 6) / 6))
    table = np.zeros((10, 6))
    np.add.at(table, (np.arange(3000) % 10, sixth), 1)

    assert stats.chi2_contingency(table).pvalue > FALSE_ALARM


def test_classes_differ_in_form() -> None:
    # Edges upright or level: the mean step along a row against that along a column, by class.
    grey = generate(TRAIN, 1000).astype(np.float64).mean(1)
    along_row = np.abs(np.diff(grey, axis=2)).mean((1, 2))
    along_column = np.abs(np.diff(grey, axis=1)).mean((1, 2))
    ratio = np.log(along_row / along_column)

    means = [ratio[c::10].mean() for c in range(10)]

    for pattern in range(5):
        upright, level = means[2 * pattern : 2 * pattern + 2]
        assert upright > level, CLASS_NAMES[2 * pattern]


# ------------------------------------------------------------------------------------- the bytes


def test_the_bytes_depend_on_no_generator_and_move_none() -> None:
    digests, states = [], []
    for seed in (1, 2):
        np.random.seed(seed)  # noqa: NPY002 -- the one that everybody shares
        torch.manual_seed(seed)
        before = np.random.get_state()[1].tobytes(), torch.get_rng_state()  # noqa: NPY002
        digests.append(digest_of_first_fifty())
        states.append((before, (np.random.get_state()[1].tobytes(), torch.get_rng_state())))  # noqa: NPY002

    assert digests[0] == digests[1]
    for (numpy_before, torch_before), (numpy_after, torch_after) in states:
        assert numpy_before == numpy_after
        assert torch.equal(torch_before, torch_after)


def test_a_longer_set_starts_with_the_shorter_one() -> None:
    assert np.array_equal(generate(TRAIN, 60)[:25], generate(TRAIN, 25))


def test_classes_take_turns_in_both_parts() -> None:
    dataset = load(Textures(num_images=40, num_test=25), cache=None)

    assert dataset.class_names == CLASS_NAMES
    assert len(set(CLASS_NAMES)) == dataset.num_classes == 10
    assert dataset.labelled("train").labels.tolist() == [i % 10 for i in range(40)]
    assert dataset.labelled("test").labels.tolist() == [i % 10 for i in range(25)]


def test_no_picture_stands_twice_and_none_of_train_in_test() -> None:
    dataset = load(Textures(num_images=500, num_test=500), cache=None)

    hashes = dataset.labelled("train").hashes + dataset.labelled("test").hashes
    assert len(set(hashes)) == 1000
    assert dataset.overlap == 0
    assert dataset.deviations == ()


def test_pictures_use_the_range_without_drowning_in_black_or_white() -> None:
    images = generate(TRAIN, 200)

    assert images.shape == (200, 3, 32, 32)
    assert images.dtype == np.uint8
    assert (images == 0).mean() < 0.05
    assert (images == 255).mean() < 0.05


# -------------------------------------------------------------------------------------- settings


def test_the_fingerprint_is_of_the_parameters_and_needs_no_picture() -> None:
    sets = [Textures(), Textures(num_images=3000), Textures(num_test=2000)]

    prints = [fingerprint(data, None) for data in sets]

    assert len(set(prints)) == 3
    assert fingerprint(Textures(), None) == prints[0]


@pytest.mark.parametrize("settings", [{"size": 64}, {"num_images": 5}, {"version": 2}, {"seed": 1}])
def test_another_design_is_refused(settings: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        Textures.model_validate(settings)


def test_version_1_is_frozen() -> None:
    digests = [
        hashlib.sha256(generate(part, num).tobytes()).hexdigest()
        for part, num in ((TRAIN, 1000), (TEST, 500))
    ]

    assert digests == [
        "12a78b408c683c081555e972fbfee842bcd2e49d3c5f53be07cf991e367cb4bd",
        "412a80b16cab421fb2562126d109c0eebc7d9847bbf171ffded2b05b481c90d2",
    ], "another design is another version"
