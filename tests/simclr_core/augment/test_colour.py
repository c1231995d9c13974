"""Colour distortion against torchvision's adjustments and Python's own HSV."""

import colorsys
import itertools
from collections import Counter

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as TF
from hypothesis import given
from hypothesis import strategies as st
from made_images import FALSE_ALARM, GREY_LEVEL, made_images, params_of
from scipy import stats
from torchvision.transforms import ColorJitter

from simclr_core.augment.colour import Colour, ColourParams


@pytest.mark.parametrize("strength", [0.125, 0.5, 1.0, 2.5])
def test_jitter_is_torchvisions_four_adjustments_in_order_then_grey(strength: float) -> None:
    colour = Colour(strength=strength)
    images, params = made_images(64, 24), params_of(colour, 64, 24)

    changed = colour.apply(images, params)

    for image, before, jittered, brightness, contrast, saturation, hue, dropped in zip(
        changed, images, *(field.tolist() for field in params[:-1]), strict=True
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
    image = torch.tensor(pixel).div(255).view(1, 3, 1, 1).expand(1, 3, 2, 2)
    one = torch.ones(1)
    params = ColourParams(
        one.bool(),
        one,
        one,
        one,
        torch.tensor([percent / 100]),
        one.bool() ^ True,
        torch.arange(4)[None],
    )

    changed = Colour().apply(image, params)

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

    ours = params_of(Colour(), num, 32)

    for one, two in zip(ours[1:5], theirs.T, strict=True):
        assert stats.ks_2samp(one.numpy(), two).pvalue > alarm
    for one, two in itertools.combinations(ours[1:5], 2):
        assert stats.pearsonr(one.numpy(), two.numpy()).pvalue > alarm
    assert stats.binomtest(int(ours.jittered.sum()), num, 0.8).pvalue > alarm
    assert stats.binomtest(int(ours.dropped.sum()), num, 0.2).pvalue > alarm


def test_strength_scales_the_same_chances() -> None:
    weak, strong = (params_of(Colour(strength=strength), 50, 32) for strength in (0.5, 1.0))

    assert torch.equal(weak.jittered, strong.jittered)
    torch.testing.assert_close(2 * (weak.brightness - 1), strong.brightness - 1)
    torch.testing.assert_close(2 * weak.hue, strong.hue)


def test_without_strength_only_rounding_changes_a_colour() -> None:
    colour = Colour(strength=0, drop_probability=0)
    images = made_images(20, 16)

    changed = colour.apply(images, params_of(colour, 20, 16))

    assert float((changed - images).abs().max()) < 1e-6


ADJUSTMENTS = (TF.adjust_brightness, TF.adjust_contrast, TF.adjust_saturation, TF.adjust_hue)


@pytest.mark.parametrize("brightness", ["multiplicative", "additive"])
@pytest.mark.parametrize("order", ["fixed", "random"])
def test_jitter_in_any_order_and_with_added_brightness_is_torchvisions_one_by_one(
    brightness: str, order: str
) -> None:
    colour = Colour(brightness=brightness, order=order, drop_probability=0)
    images, params = made_images(64, 24), params_of(colour, 64, 24)

    changed = colour.apply(images, params)

    for row, (image, before) in enumerate(zip(changed, images, strict=True)):
        expected = before
        amounts = [float(field[row]) for field in params[1:5]]
        for which in params.order[row].tolist() if params.jittered[row] else ():
            if which == 0 and brightness == "additive":
                expected = (expected + amounts[0]).clamp(0, 1)
            else:
                expected = ADJUSTMENTS[which](expected, amounts[which])
        assert float((image - expected).abs().max()) < 0.003 * GREY_LEVEL


@pytest.mark.statistical
def test_each_of_the_24_orders_comes_as_often_and_added_brightness_is_uniform() -> None:
    found = params_of(Colour(order="random", brightness="additive", strength=0.5), 24_000, 32)

    orders = Counter(map(tuple, found.order.tolist()))
    assert len(orders) == 24
    assert stats.chisquare(list(orders.values())).pvalue > FALSE_ALARM
    law = stats.uniform(-0.4, 0.8)
    assert stats.kstest(found.brightness.numpy(), law.cdf).pvalue > FALSE_ALARM


def test_the_order_leaves_the_other_chances_as_they_were() -> None:
    fixed, shuffled = (params_of(Colour(order=order), 50, 32) for order in ("fixed", "random"))

    assert all(torch.equal(a, b) for a, b in zip(fixed[:-1], shuffled[:-1], strict=True))
