"""AutoAugment against torchvision's, with the same pair, application and sign for each image.

On uint8 tensors, level for level: torchvision's is what defines it. Pillow, which torchvision uses
on pictures, turns colours into grey and blends with other roundings: a level, or what the pair's
second operation makes of a level.
"""

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as TF
from made_images import FALSE_ALARM, in_8_bits, made_images, params_of
from scipy import stats
from torch import Tensor
from torchvision.transforms.autoaugment import AutoAugment as Theirs
from torchvision.transforms.autoaugment import AutoAugmentPolicy, _apply_op

from simclr_core.augment.autoaugment import POLICY, AutoAugment, AutoAugmentParams

THEIRS = Theirs(AutoAugmentPolicy.IMAGENET)

NAMES = {
    "posterise": "Posterize",
    "rotate": "Rotate",
    "solarise": "Solarize",
    "auto_contrast": "AutoContrast",
    "equalise": "Equalize",
    "invert": "Invert",
    "saturate": "Color",
    "contrast": "Contrast",
    "sharpen": "Sharpness",
    "shear": "ShearX",
}

EVERY_CASE = list(
    itertools.product(range(25), [(True, False), (False, True), (True, True)], [False, True])
)
"""Each pair, each way of carrying it out, both signs."""


def every_case() -> AutoAugmentParams:
    policy, applied, negative = zip(*EVERY_CASE, strict=True)
    return AutoAugmentParams(
        torch.tensor(policy),
        torch.tensor(applied),
        torch.tensor(negative)[:, None].expand(-1, 2),
    )


def by_torchvision(
    image: Any, policy: int, applied: Iterable[bool], negative: Iterable[bool], size: int
) -> Any:
    space = THEIRS._augmentation_space(10, (size, size))
    steps = zip(THEIRS.policies[policy], applied, negative, strict=True)
    for (name, _, level), carried_out, minus in steps:
        if carried_out:
            magnitudes, signed = space[name]
            magnitude = 0.0 if level is None else float(magnitudes[level])
            magnitude *= -1 if signed and minus else 1
            image = _apply_op(image, name, magnitude, TF.InterpolationMode.NEAREST, None)
    return image


def photographic(num: int, size: int) -> Tensor:
    """Images with room below black and white, some flat, some saturated."""
    images = made_images(num, size)
    images[: num // 2] = images[: num // 2] * 0.6 + 0.15
    images[0] = 0.4
    return images


def test_the_policy_is_torchvisions_pair_for_pair() -> None:
    ours = [[(NAMES[step.name], step.probability) for step in pair] for pair in POLICY]
    theirs = [[(name, probability) for name, probability, _ in pair] for pair in THEIRS.policies]

    assert ours == theirs


# On odd sizes a turn by 30 degrees puts points midway between two pixels: rounding decides there.
@pytest.mark.parametrize("size", [8, 32, 64])
def test_every_pair_is_torchvisions_level_for_level(size: int) -> None:
    params = every_case()
    images = photographic(len(EVERY_CASE), size)

    changed = AutoAugment().apply(images, params)

    assert float((changed * 255 - (changed * 255).round()).abs().max()) < 1e-4
    for i, (policy, applied, negative) in enumerate(EVERY_CASE):
        image = in_8_bits(images[i])
        expected = by_torchvision(image, policy, applied, [negative] * 2, size)
        assert torch.equal(in_8_bits(changed[i]), expected), (policy, applied, negative)


def test_pairs_on_pillows_pictures_differ_by_few_levels_in_few_pixels() -> None:
    # Against Pillow: the mean over an image's pixels is within two levels of 255 for each case, and
    # nine cases in ten are within a quarter.
    images = photographic(len(EVERY_CASE), 32)
    changed = in_8_bits(AutoAugment().apply(images, every_case()))

    apart = []
    for i, (policy, applied, negative) in enumerate(EVERY_CASE):
        picture = TF.to_pil_image(in_8_bits(images[i]))
        expected = by_torchvision(picture, policy, applied, [negative] * 2, 32)
        difference = changed[i].int() - TF.pil_to_tensor(expected).int()
        apart.append(float(difference.abs().float().mean()))

    assert max(apart) < 2
    assert np.quantile(apart, 0.9) < 0.25


def test_an_image_on_which_nothing_is_carried_out_comes_out_bit_for_bit() -> None:
    images = made_images(60, 32)
    params = params_of(AutoAugment(), 60, 32)

    changed = AutoAugment().apply(images, params)

    still = ~params.applied.any(1)
    assert bool(still.any())
    assert torch.equal(changed[still], images[still])


@pytest.mark.statistical
def test_pairs_applications_and_signs_come_as_often_as_published() -> None:
    # 25 pairs at once, 50 probabilities, 4 combinations of signs: 52 tests share the rate.
    num = 20_000
    params = params_of(AutoAugment(), num, 32)

    pairs = np.bincount(params.policy, minlength=25)
    signs = np.bincount(params.negative.long() @ torch.tensor([1, 2]), minlength=4)
    found = [stats.chisquare(pairs).pvalue, stats.chisquare(signs).pvalue]
    for policy, pair in enumerate(THEIRS.policies):
        applied = params.applied[params.policy == policy]
        for place, (_, probability, _) in enumerate(pair):
            carried_out = int(applied[:, place].sum())
            found.append(stats.binomtest(carried_out, len(applied), probability).pvalue)

    assert len(found) == 52
    assert min(found) > FALSE_ALARM / 52


@pytest.mark.statistical
def test_the_two_of_a_pair_are_carried_out_independently() -> None:
    params = params_of(AutoAugment(), 20_000, 32)

    # Probabilities 0.6 and 0.6, met by the pairs that solarise and then stretch.
    alike = (params.policy == 1) | (params.policy == 21)
    first, second = params.applied[alike].numpy().T
    table = np.array(
        [
            [np.sum(first & second), np.sum(first & ~second)],
            [np.sum(~first & second), np.sum(~first & ~second)],
        ]
    )
    assert stats.chi2_contingency(table).pvalue > FALSE_ALARM


def test_half_the_views_get_a_pair_where_that_is_the_probability() -> None:
    always, half = (params_of(AutoAugment(probability=p), 4000, 32) for p in (1, 0.5))

    assert torch.equal(always.policy, half.policy)
    kept = half.applied.any(1)
    assert torch.equal(half.applied[kept], always.applied[kept])
    # Of 4,000 images about 1,850: seven standard deviations are 220.
    assert abs(int(kept.sum()) / int(always.applied.any(1).sum()) - 0.5) < 0.06
