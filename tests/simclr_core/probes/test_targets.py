"""What a read-out predicts in place of classes: each image's own transformation, and the answer."""

import math
from typing import Any

import numpy as np
import pytest
import torch
import torchvision.transforms.v2.functional as tv
from made_trials import HERE, Listener, random_pictures, small_config, trained
from scipy import ndimage, stats
from torch import Tensor

from simclr_core.config.overrides import mistakes
from simclr_core.data.dataset import Dataset, load
from simclr_core.data.textures import Textures
from simclr_core.evaluation.frozen_evaluation import evaluate
from simclr_core.probes.targets import (
    Filtered,
    Grey,
    Noisy,
    Transformation,
    Turned,
)

ALL: list[Transformation] = [Grey(), Turned(), Noisy(), Filtered()]
FALSE_ALARM = 1e-6


def squares(num: int, side: int = 9) -> Tensor:
    return random_pictures(num, side).float() / 255


def labels(num: int) -> Tensor:
    """Of classes, which no transformation looks at."""
    return torch.zeros(num, dtype=torch.int64)


def asked(target: Transformation, images: Tensor, part: str = "fit") -> tuple[Tensor, Tensor]:
    index = torch.arange(len(images))
    told = target.answers(labels(len(images)), part)
    return target.transformed(images, told, index, part), told


# --------------------------------------------------------------- the answer is what was done to it


def test_the_answer_is_the_number_of_quarter_turns() -> None:
    images = squares(40)

    seen, turns = asked(Turned(), images)

    assert set(turns.tolist()) == {0, 1, 2, 3}
    for image, shown, turn in zip(images, seen, turns.tolist(), strict=True):
        assert np.array_equal(shown.numpy(), np.rot90(image.numpy(), turn, axes=(1, 2)))


def test_grey_images_are_torchvisions_and_the_others_are_as_they_were() -> None:
    images = squares(60)

    seen, grey = asked(Grey(), images)

    assert set(grey.tolist()) == {0, 1}
    assert torch.equal(seen[grey == 0], images[grey == 0])
    expected = tv.rgb_to_grayscale(images[grey == 1], num_output_channels=3)
    torch.testing.assert_close(seen[grey == 1], expected, rtol=0, atol=1e-3)


def test_filtered_images_are_scipys_and_the_others_are_as_they_were() -> None:
    images = squares(40)

    seen, filtered = asked(Filtered(), images)

    assert torch.equal(seen[filtered == 0], images[filtered == 0])
    for image, shown in zip(images[filtered == 1], seen[filtered == 1], strict=True):
        expected = np.stack(
            [
                np.hypot(*(ndimage.sobel(plane, axis, mode="mirror") for axis in (0, 1)))
                for plane in image.numpy()
            ]
        )
        expected = np.minimum(expected / 4, 1)
        np.testing.assert_allclose(shown.numpy(), expected, atol=1e-5)


def test_noise_has_its_deviation_and_the_others_are_as_they_were() -> None:
    images = torch.full((200, 3, 16, 16), 0.5)

    seen, noisy = asked(Noisy(deviation=0.05), images)

    assert torch.equal(seen[noisy == 0], images[noisy == 0])
    noise = (seen[noisy == 1] - 0.5).double()
    # Of n normal numbers the deviation is off by 1 / sqrt(2 n) of itself.
    sigmas = stats.norm.isf(FALSE_ALARM / 2)
    assert float(noise.std()) == pytest.approx(0.05, rel=sigmas / math.sqrt(2 * noise.numel()))
    assert abs(float(noise.mean())) < sigmas * 0.05 / math.sqrt(noise.numel())


@pytest.mark.parametrize(
    ("target", "shares"),
    [
        (Grey(), [0.8, 0.2]),
        (Grey(probability=0.35), [0.65, 0.35]),
        (Turned(), [0.25] * 4),
        (Noisy(), [0.5, 0.5]),
        (Filtered(), [0.5, 0.5]),
    ],
    ids=str,
)
def test_answers_come_as_often_as_they_should(target: Any, shares: list[float]) -> None:
    for num in (1, 2, 3, 7, 60, 1001, 20_000):
        found = torch.bincount(target.answers(labels(num), "test"), minlength=len(shares))

        assert len(found) == len(shares) == target.num_answers(10)
        assert np.abs(found.numpy() - num * np.array(shares)).max() <= 1


@pytest.mark.parametrize("target", ALL, ids=str)
def test_images_parts_and_questions_have_chances_of_their_own(target: Any) -> None:
    images = torch.zeros(4000, 3, 3, 3)

    told = {part: asked(target, images, part)[1] for part in ("fit", "validation", "test")}
    told |= {str(other): asked(other, images)[1] for other in ALL if other != target}

    names = list(told)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            table = np.zeros((4, 4))
            np.add.at(table, (told[one].numpy(), told[other].numpy()), 1)
            table = table[table.sum(1) > 0][:, table.sum(0) > 0]
            assert stats.chi2_contingency(table).pvalue > FALSE_ALARM, (one, other)


@pytest.mark.parametrize("target", ALL, ids=str)
def test_an_image_is_the_same_in_whatever_batch(target: Any) -> None:
    images, index = squares(50), torch.arange(50)
    order = torch.randperm(50, generator=torch.Generator().manual_seed(0))

    told = target.answers(labels(50), "test")
    whole = target.transformed(images, told, index, "test")
    split = [target.transformed(images[some], told[some], some, "test") for some in order.split(7)]

    assert torch.equal(torch.cat(split), whole[order])


# ------------------------------------------------------------------------------------ in a read-out


def data(**changes: Any) -> Dataset:
    return load(Textures(**{"num_images": 400, "num_test": 300, **changes}), cache=None)


def found_by(dataset: Dataset, target: str, **changes: Any) -> Any:
    state = trained({"epochs": 0}).state
    settings = {"epochs": 0, "evaluation.target": {"kind": target}, **changes}
    return evaluate(small_config(settings), dataset, state, HERE, Listener())


@pytest.mark.parametrize("target", ["grey", "rotation", "noise", "sobel"])
def test_classes_and_the_trials_seed_play_no_part_in_what_is_found(target: str) -> None:
    dataset, other = data(), data()
    other._labels.copy_(other._labels.roll(1))

    found = found_by(dataset, target)

    assert found.values == found_by(other, target).values
    assert found.values == found_by(dataset, target, seed=7).values
    assert found_by(dataset, "classes").values != found_by(other, "classes").values


def test_what_always_the_same_answer_gives_is_on_record() -> None:
    dataset = data()

    for target, share in (("grey", 80), ("rotation", 25), ("noise", 50), ("sobel", 50)):
        found = found_by(dataset, target)

        assert found.facts["largest_class_share"] == pytest.approx(share)  # of 300 images
        assert set(found.values) == {"validation_top1", "top1", "knn_top1"}


@pytest.mark.proof
def test_raw_pixels_tell_sobel_filtering_and_permuted_answers_tell_nothing() -> None:
    pixels = {
        "encoder": {"kind": "pixels", "side": 8},
        "epochs": 0,
        "evaluation.target": {"kind": "sobel"},
        "evaluation.probe": {"kind": "mlp"},
    }
    found, permuted = (
        evaluate(small_config(changes), data(), {}, HERE, Listener()).values
        for changes in (pixels, {**pixels, "evaluation.permuted_labels": 20})
    )

    assert found["top1"] > 65
    share, error = permuted["permuted/largest_class_share"], permuted["permuted/standard_error"]
    assert 50 <= share < 60
    assert permuted["permuted/mean"] < share + 4 * error


@pytest.mark.parametrize(
    ("evaluation", "field", "words"),
    [
        ({"probe": {"kind": "sgd"}}, "evaluation", "target noise needs a probe that is fitted on "),
        ({"geometry": {}}, "evaluation", "geometry must be null under target noise"),
        ({"target": {"kind": "nois"}}, "evaluation.target.kind", "did you mean noise?"),
        ({"target": {"kind": "noise", "deviation": 0}}, "evaluation.target.deviation", "got 0"),
        ({"target": {"kind": "grey", "probability": 1}}, "evaluation.target.probability", "got 1"),
    ],
)
def test_what_does_not_go_with_a_target_is_told(evaluation: Any, field: str, words: str) -> None:
    [found] = mistakes({"evaluation": {"target": {"kind": "noise"}, **evaluation}})

    assert found.field == field
    assert words in found.text
