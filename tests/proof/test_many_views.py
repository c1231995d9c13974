"""The distributions of 100,000 draws against their closed forms, at a false-alarm rate of 1e-6 each.

A hundred statistics in all: a false alarm comes once in 10,000 runs, and the seed is fixed.
"""

import math
from typing import Any

import pytest
import torch
from scipy import stats

from simclr_core.augment.autoaugment import POLICY, AutoAugment
from simclr_core.augment.blur_sobel import Sobel
from simclr_core.augment.motion_blur import MotionBlur
from simclr_core.augment.operations import Blur, Colour, Crop, Cutout, Noise, Rotation
from simclr_core.augment.solarise_equalise import Equalise, Solarise
from simclr_core.chance import Chance, Draws

pytestmark = [pytest.mark.proof, pytest.mark.statistical]

NUM, ALARM = 100_000, 1e-6


def draws(view: str, kind: str, *, seed: int = 11, epoch: int = 0) -> Draws:
    return Chance.of(seed, epoch, torch.arange(NUM)).at(view, kind)


def shapes(side: int) -> torch.Tensor:
    return torch.full((NUM, 2), side)


def as_promised(values: torch.Tensor, low: float, high: float) -> None:
    """Kolmogorov and Smirnov's test of a uniform law."""
    found = stats.kstest(values.double().numpy(), stats.uniform(low, high - low).cdf)
    assert found.pvalue > ALARM


def as_often_as(chosen: torch.Tensor, probability: float) -> None:
    found = stats.binomtest(int(chosen.sum()), len(chosen), probability)
    assert found.pvalue > ALARM


def test_jitter_and_drop_have_the_papers_probabilities_and_strengths() -> None:
    found = Colour(strength=0.5).draw(draws("first", "colour"), shapes(32))

    as_often_as(found.jittered, 0.8)
    as_often_as(found.dropped, 0.2)
    for factor in (found.brightness, found.contrast, found.saturation):
        as_promised(factor, 0.6, 1.4)
    as_promised(found.hue, -0.1, 0.1)


def test_blur_comes_half_the_time_with_sigma_uniform() -> None:
    found = Blur().draw(draws("first", "blur"), shapes(32))

    as_often_as(found.blurred, 0.5)
    as_promised(found.sigma, 0.1, 2.0)


def test_crops_of_a_large_square_have_uniform_area_and_log_uniform_aspect() -> None:
    # At 4,000 px rounding to pixels is finer than the test. Boxes of 9/16 of the area and less fit
    # at every allowed aspect: among them neither law is bent by what is thrown away.
    side = 4000
    found = Crop().draw(draws("first", "crop"), shapes(side))
    height, width = found.boxes[:, 2].double(), found.boxes[:, 3].double()
    area, aspect = height * width / side**2, width / height
    free = area <= 0.5

    as_often_as(found.flipped, 0.5)
    as_promised(area[free], 0.08, 0.5)
    as_promised(aspect[free].log(), math.log(3 / 4), math.log(4 / 3))


def test_a_crop_lies_anywhere_it_fits_with_equal_chance() -> None:
    side = 4000
    boxes = Crop().draw(draws("first", "crop"), shapes(side)).boxes.double()
    room = side - boxes[:, 2:]

    for place in (0, 1):
        some = room[:, place] > 500
        as_promised((boxes[some, place] + 0.5) / (room[some, place] + 1), 0, 1)


def test_quarter_turns_and_centres_come_as_often_as_each_other() -> None:
    turns = torch.bincount(Rotation().draw(draws("branch", "rotation"), shapes(32)).turns)
    centres = Cutout(side=1 / 32).draw(draws("branch", "cutout"), shapes(32)).boxes[:, :2]
    cells = torch.bincount(centres[:, 0] * 32 + centres[:, 1], minlength=1024)

    assert stats.chisquare(turns.numpy()).pvalue > ALARM
    assert stats.chisquare(cells.numpy()).pvalue > ALARM


@pytest.mark.parametrize("probability", [0.01, 0.2, 0.5, 0.999])
def test_every_operation_comes_as_often_as_it_is_asked_for(probability: float) -> None:
    def found(operation: Any) -> Any:
        return operation.draw(draws("first", operation.kind), shapes(32))

    as_often_as(found(Cutout(probability=probability)).boxes[:, 2] > 0, probability)
    as_often_as(found(Sobel(probability=probability)).filtered, probability)
    as_often_as(found(Noise(probability=probability)).disturbed, probability)
    as_often_as(found(Rotation(probability=probability)).turns > 0, probability)
    as_often_as(found(Solarise(probability=probability)).solarised, probability)
    as_often_as(found(Equalise(probability=probability)).equalised, probability)
    as_often_as(found(MotionBlur(probability=probability)).blurred, probability)


def test_what_is_covered_or_disturbed_has_nothing_to_do_with_whether_it_is() -> None:
    every, some = (Cutout(side=1 / 32, probability=p) for p in (1, 0.5))
    centres = every.draw(draws("branch", "cutout"), shapes(32)).boxes[:, :2]
    covered = some.draw(draws("branch", "cutout"), shapes(32)).boxes[:, 2] > 0
    noise = Noise(probability=0.5).draw(draws("branch", "noise"), shapes(1))
    normal = Draws(noise.keys).normal(1)[:, 0].double().numpy()
    chosen = noise.disturbed.numpy()

    for place in (0, 1):
        table = [
            torch.bincount(centres[which, place], minlength=32) for which in (covered, ~covered)
        ]
        assert stats.chi2_contingency(torch.stack(table).numpy()).pvalue > ALARM
    assert stats.ks_2samp(normal[chosen], normal[~chosen]).pvalue > ALARM


def test_lines_of_motion_blur_point_anywhere_with_equal_chance() -> None:
    found = MotionBlur().draw(draws("first", "motion_blur"), shapes(32))

    as_promised(found.angle, 0, math.pi)
    as_promised(found.angle[found.blurred], 0, math.pi)


def test_autoaugment_draws_pairs_signs_and_applications_as_published() -> None:
    found = AutoAugment().draw(draws("first", "auto_augment"), shapes(32))

    assert stats.chisquare(torch.bincount(found.policy, minlength=25).numpy()).pvalue > ALARM
    for place in (0, 1):
        as_often_as(found.negative[:, place], 0.5)
        for policy, pair in enumerate(POLICY):
            as_often_as(found.applied[found.policy == policy, place], pair[place].probability)


def test_noise_is_normal() -> None:
    keys = Noise().draw(draws("branch", "noise"), shapes(1)).keys
    found = stats.kstest(Draws(keys).normal(1)[:, 0].double().numpy(), "norm")

    assert found.pvalue > ALARM


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("first", "colour", 11, 0), ("second", "colour", 11, 0)),
        (("first", "colour", 11, 0), ("first", "colour", 11, 1)),
        (("first", "colour", 11, 0), ("first", "colour", 12, 0)),
        (("first", "colour", 11, 0), ("first", "blur", 11, 0)),
    ],
    ids=["views", "epochs", "seeds", "operations"],
)
def test_chances_tell_nothing_of_those_of_another(
    one: tuple[str, str, int, int], other: tuple[str, str, int, int]
) -> None:
    first, second = (
        draws(view, kind, seed=seed, epoch=epoch).uniform(1)[:, 0].double().numpy()
        for view, kind, seed, epoch in (one, other)
    )

    assert stats.spearmanr(first, second).pvalue > ALARM


def test_neighbouring_images_tell_nothing_of_each_other() -> None:
    values = draws("first", "crop").uniform(1)[:, 0].double().numpy()

    assert stats.spearmanr(values[:-1], values[1:]).pvalue > ALARM
