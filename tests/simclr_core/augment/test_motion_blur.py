"""Motion blur against scipy: kernels made by hand, points on a line, box means."""

import math

import numpy as np
import pytest
import scipy.ndimage
import torch
from made_images import FALSE_ALARM, made_images, params_of
from scipy import stats
from torch import Tensor

from simclr_core.augment.blur_sobel import kernel_size
from simclr_core.augment.motion_blur import MotionBlur, MotionBlurParams


def along(angles: list[float]) -> MotionBlurParams:
    """Every image blurred, along these lines."""
    return MotionBlurParams(torch.ones(len(angles), dtype=torch.bool), torch.tensor(angles))


def kernel_by_hand(points: int, angle: float) -> np.ndarray:
    """Point by point: each gives its share to the four pixels round it."""
    radius = points // 2
    kernel = np.zeros((points + 2, points + 2))
    for step in range(-radius, radius + 1):
        x, y = radius + step * math.cos(angle), radius + step * math.sin(angle)
        left, top = math.floor(x), math.floor(y)
        for row in (top, top + 1):
            for column in (left, left + 1):
                share = (1 - abs(x - column)) * (1 - abs(y - row))
                kernel[row + 1, column + 1] += share / points
    return kernel[1:-1, 1:-1]


def far(one: Tensor, other: np.ndarray) -> float:
    return float(np.abs(one.double().numpy() - other).max())


@pytest.mark.parametrize(("size", "length", "points"), [(8, 0.1, 3), (32, 0.2, 7), (45, 0.25, 11)])
def test_each_image_is_filtered_with_the_kernel_of_its_line(
    size: int, length: float, points: int
) -> None:
    blur = MotionBlur(length=length)
    images, params = made_images(12, size), params_of(blur, 12, size)

    blurred = blur.apply(images, params)

    assert blur.points(size) == points
    assert 0 < int(params.blurred.sum()) < 12
    for image, before, chosen, angle in zip(blurred, images, *params, strict=True):
        if not chosen:
            assert torch.equal(image, before)
            continue
        kernel = kernel_by_hand(points, float(angle))
        for plane, was in zip(image, before.double().numpy(), strict=True):
            assert far(plane, scipy.ndimage.correlate(was, kernel, mode="mirror")) < 1e-6


def test_a_pixel_is_the_mean_of_the_points_on_its_line() -> None:
    blur = MotionBlur(length=0.2)
    images, angles = made_images(4, 32), [0.3, 1.2, 2.0, 3.0]

    blurred = blur.apply(images, along(angles))

    rows, columns = np.mgrid[7:25, 7:25]
    for image, before, angle in zip(blurred, images.double().numpy(), angles, strict=True):
        steps = [(t * math.sin(angle), t * math.cos(angle)) for t in range(-3, 4)]
        expected = np.mean(
            [
                scipy.ndimage.map_coordinates(before[0], (rows + down, columns + right), order=1)
                for down, right in steps
            ],
            axis=0,
        )
        assert far(image[0, 7:25, 7:25], expected) < 1e-6


@pytest.mark.parametrize(("angle", "axis"), [(0.0, 1), (math.pi / 2, 0)])
def test_a_level_line_is_a_box_mean_along_rows_an_upright_one_along_columns(
    angle: float, axis: int
) -> None:
    image = made_images(1, 32)

    blurred = MotionBlur(length=0.3).apply(image, along([angle]))

    for plane, before in zip(blurred[0], image[0].double().numpy(), strict=True):
        assert far(plane, scipy.ndimage.uniform_filter1d(before, 9, axis, mode="mirror")) < 1e-6


def test_a_line_leaves_a_flat_colour_and_the_sum_of_a_point_alone() -> None:
    flat, point = torch.full((1, 3, 32, 32), 1.0), torch.zeros(1, 3, 32, 32)
    point[..., 16, 16] = 1

    assert far(MotionBlur(length=1.0).apply(flat, along([0.7])), np.ones((1, 3, 32, 32))) < 1e-6
    spread = MotionBlur(length=0.4).apply(point, along([0.7]))[0, 0]
    assert float(spread.sum()) == pytest.approx(1)
    # Clockwise: the line goes down to the right.
    assert float(spread[19, 19] + spread[18, 19]) > 0
    assert float(spread[13, 19] + spread[14, 19]) == 0


def test_the_line_is_by_default_as_long_as_the_gaussian_kernel_is_wide() -> None:
    assert [MotionBlur().points(s) for s in range(8, 513)] == [
        kernel_size(s) for s in range(8, 513)
    ]


@pytest.mark.statistical
def test_every_angle_is_as_likely_whether_or_not_an_image_is_blurred() -> None:
    params = params_of(MotionBlur(probability=0.3), 20_000, 32)

    assert stats.binomtest(int(params.blurred.sum()), 20_000, 0.3).pvalue > FALSE_ALARM / 3
    for angles in (params.angle[params.blurred], params.angle[~params.blurred]):
        found = stats.kstest(angles.numpy(), stats.uniform(0, math.pi).cdf)
        assert found.pvalue > FALSE_ALARM / 3


def test_an_image_too_small_to_mirror_is_refused_in_words() -> None:
    with pytest.raises(
        ValueError,
        match=r"^a motion blur mirrors 1 px at the border, so images must be larger than that, got 1",
    ):
        MotionBlur().apply(torch.rand(1, 3, 1, 1), along([0.5]))
