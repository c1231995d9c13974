"""Alignment, uniformity and effective rank against closed forms, double loops and numpy's SVD."""

import math

import numpy as np
import pytest
import torch
from scipy.special import ive
from torch import Tensor

from simclr_core.probes.geometry import alignment, effective_rank, uniformity


def points(num: int, size: int, *, seed: int = 0) -> Tensor:
    return torch.randn(num, size, generator=torch.Generator().manual_seed(seed))


def angles(of: Tensor) -> Tensor:
    """Points on the circle."""
    return torch.stack([of.cos(), of.sin()], dim=1)


# ------------------------------------------------------------------------------------ alignment


@pytest.mark.parametrize("alpha", [1.0, 2.0, 3.0])
def test_alignment_is_the_mean_power_of_the_distance_of_unit_vectors(alpha: float) -> None:
    x, y = points(9, 4).tolist(), points(9, 4, seed=1).tolist()
    powers: list[float] = []
    for one, other in zip(x, y, strict=True):
        u, v = ([entry / math.hypot(*row) for entry in row] for row in (one, other))
        powers.append(math.dist(u, v) ** alpha)

    found = alignment(torch.tensor(x), torch.tensor(y), alpha)

    assert found == pytest.approx(sum(powers) / 9, rel=1e-6)


def test_views_that_coincide_up_to_length_are_aligned() -> None:
    x = points(5, 3)

    assert alignment(x, 7 * x) == pytest.approx(0, abs=1e-12)
    assert alignment(x, -x) == pytest.approx(4)
    assert alignment(x, -x, alpha=1.0) == pytest.approx(2)


# ----------------------------------------------------------------------------------- uniformity


@pytest.mark.parametrize("t", [0.5, 2.0])
def test_uniformity_is_the_log_of_the_mean_kernel_over_pairs_of_different_images(t: float) -> None:
    x = points(11, 4).tolist()
    u = [[entry / math.hypot(*row) for entry in row] for row in x]
    kernels = [
        math.exp(-t * math.dist(u[i], u[j]) ** 2) for i in range(11) for j in range(11) if i != j
    ]

    found = uniformity(torch.tensor(x), t)

    assert found == pytest.approx(math.log(sum(kernels) / 110), rel=1e-6)


def test_all_on_one_point_is_0_and_orthogonal_features_are_minus_2_t() -> None:
    assert uniformity(torch.ones(6, 3)) == pytest.approx(0, abs=1e-12)
    assert uniformity(3 * torch.eye(5), t=2.0) == pytest.approx(-4)
    assert uniformity(torch.tensor([[1.0, 0.0], [-2.0, 0.0]]), t=2.0) == pytest.approx(-8)


@pytest.mark.parametrize("t", [0.5, 2.0])
def test_even_points_on_the_circle_approach_the_bessel_function(t: float) -> None:
    # The mean of exp(-t (2 - 2 cos a)) over the circle is exp(-2 t) I_0(2 t). A sum over n even
    # points is that integral to rounding; own pairs are left out of it.
    num = 400
    x = angles(torch.arange(num, dtype=torch.float64) * 2 * math.pi / num)
    integral = float(ive(0, 2 * t))

    found = uniformity(x, t)

    assert found == pytest.approx(math.log((num * integral - 1) / (num - 1)), rel=1e-9)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x = points(50, 6)
    whole = uniformity(x)

    monkeypatch.setattr("simclr_core.probes.geometry._PRODUCTS", 350)

    assert uniformity(x) == pytest.approx(whole, rel=1e-12)


def test_of_one_image_nothing_is_known_of_uniformity() -> None:
    assert math.isnan(uniformity(points(1, 3)))


# -------------------------------------------------------------------------------- effective rank


@pytest.mark.parametrize("shape", [(40, 7), (7, 40), (12, 12)])
def test_effective_rank_is_the_exponential_of_numpys_singular_values_entropy(
    shape: tuple[int, int],
) -> None:
    x = points(*shape) * torch.linspace(0.1, 3, shape[1])
    singular = np.linalg.svd(x.double().numpy(), compute_uv=False)
    shares = [value / sum(singular) for value in singular]
    entropy = -sum(share * math.log(share) for share in shares)

    assert effective_rank(x) == pytest.approx(math.exp(entropy), rel=1e-9)


def test_equal_singular_values_are_counted_and_one_direction_is_1() -> None:
    assert effective_rank(5 * torch.eye(6)) == pytest.approx(6)
    assert effective_rank(torch.diag(torch.tensor([2.0, 2.0, 2.0, 0.0]))) == pytest.approx(3)
    assert effective_rank(torch.ones(9, 4)) == pytest.approx(1, abs=1e-6)
    # Shares 3/4 and 1/4.
    expected = math.exp(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))
    assert effective_rank(torch.diag(torch.tensor([3.0, 1.0]))) == pytest.approx(expected)


def test_a_matrix_of_zeros_has_no_effective_rank() -> None:
    assert math.isnan(effective_rank(torch.zeros(4, 3)))


def test_turning_and_scaling_change_none_of_the_three() -> None:
    x, y = points(20, 5), points(20, 5, seed=1)
    turn, _ = torch.linalg.qr(points(5, 5, seed=2))

    for one, other in (
        (alignment(x, y), alignment(3 * x @ turn, 3 * y @ turn)),
        (uniformity(x), uniformity(3 * x @ turn)),
        (effective_rank(x), effective_rank(3 * x @ turn)),
    ):
        assert one == pytest.approx(other, rel=1e-5)
