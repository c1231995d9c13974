"""NT-Xent against equation 1 spelled out, against lightly's, and against its own symmetries."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lightly.loss import NTXentLoss
from torch import Tensor

from simclr_core.losses import NTXent, contrastive_accuracy

TEMPERATURES = (0.05, 0.1, 0.5, 1.0)


def embeddings(num_images: int, length: int = 5, *, seed: int = 0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(2 * num_images, length, generator=rng, dtype=torch.float64)


def cosines(z: list[list[float]]) -> list[list[float]]:
    norms = [math.sqrt(sum(a * a for a in row)) for row in z]
    return [
        [
            sum(a * b for a, b in zip(z[i], z[j], strict=True)) / (norms[i] * norms[j])
            for j in range(len(z))
        ]
        for i in range(len(z))
    ]


def equation_1(z: list[list[float]], temperature: float) -> float:
    """The mean of l(i, j) over both directions of all pairs, number by number."""
    s = cosines(z)
    half = len(z) // 2
    total = 0.0
    for i in range(len(z)):
        j = i + half if i < half else i - half
        others = sum(math.exp(s[i][k] / temperature) for k in range(len(z)) if k != i)
        total -= math.log(math.exp(s[i][j] / temperature) / others)
    return total / len(z)


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("num_images", [2, 3, 8])
def test_the_loss_is_equation_1(num_images: int, temperature: float) -> None:
    z = embeddings(num_images)

    loss = NTXent(temperature=temperature)(z)

    assert loss.item() == pytest.approx(equation_1(z.tolist(), temperature), abs=1e-10)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_loss_and_gradient_are_those_of_lightly(temperature: float) -> None:
    ours, theirs = embeddings(8).requires_grad_(), embeddings(8).requires_grad_()

    loss = NTXent(temperature=temperature)(ours)
    expected = NTXentLoss(temperature=temperature)(*theirs.chunk(2))
    loss.backward()
    expected.backward()

    assert ours.grad is not None
    assert loss.item() == pytest.approx(expected.item(), abs=1e-10)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=1e-10)


def by_hand(z: Tensor, temperature: float) -> float:
    """Equation 1 with inner products in the place of cosines, number by number."""
    rows, half, total = z.tolist(), len(z) // 2, 0.0
    for i, row in enumerate(rows):
        s = [sum(a * b for a, b in zip(row, other, strict=True)) / temperature for other in rows]
        highest = max(s[k] for k in range(len(s)) if k != i)
        others = sum(math.exp(s[k] - highest) for k in range(len(s)) if k != i)
        total += highest + math.log(others) - s[(i + half) % len(s)]
    return total / len(rows)


@pytest.mark.parametrize("length", [0.3, 1.0, 30.0])
def test_without_normalising_inner_products_take_the_place_of_cosines(length: float) -> None:
    z = length * embeddings(6)

    loss = NTXent(temperature=0.5, normalise=False)(z)

    assert loss.item() == pytest.approx(by_hand(z, 0.5), rel=1e-12)


def test_the_official_multiple_is_the_sum_of_both_directions_means() -> None:
    z = embeddings(6).requires_grad_()

    [once] = torch.autograd.grad(NTXent()(z), z)
    [twice] = torch.autograd.grad(NTXent(multiple=2)(z), z)

    assert NTXent(multiple=2)(z).item() == pytest.approx(2 * equation_1(z.tolist(), 0.1), rel=1e-12)
    torch.testing.assert_close(twice, 2 * once)


def test_the_gradient_is_that_of_finite_differences() -> None:
    assert torch.autograd.gradcheck(NTXent(temperature=0.3), (embeddings(3).requires_grad_(),))


@pytest.mark.parametrize("num_images", [2, 4, 128])
def test_an_encoder_that_maps_all_to_one_point_pays_log_of_the_others(num_images: int) -> None:
    z = torch.ones(2 * num_images, 3, dtype=torch.float64)

    assert NTXent()(z).item() == pytest.approx(math.log(2 * num_images - 1), abs=1e-10)


def test_perfect_pairs_at_right_angles_pay_what_the_closed_form_says() -> None:
    # Partners at cosine 1, all 2N - 2 others at cosine 0.
    z = torch.eye(4, dtype=torch.float64).repeat(2, 1)

    expected = math.log(1 + 6 * math.exp(-1 / 0.5))
    assert NTXent(temperature=0.5)(z).item() == pytest.approx(expected, abs=1e-10)


@given(st.integers(0, 10_000), st.floats(1e-3, 1e3), st.integers(2, 6))
def test_only_directions_count(seed: int, factor: float, num_images: int) -> None:
    z = embeddings(num_images, seed=seed)

    assert NTXent()(factor * z).item() == pytest.approx(NTXent()(z).item(), rel=1e-9)


@given(st.integers(0, 10_000), st.permutations(range(5)))
def test_the_order_of_the_images_plays_no_part(seed: int, order: list[int]) -> None:
    first, second = embeddings(5, seed=seed).chunk(2)

    loss = NTXent()(torch.cat([first[order], second[order]]))
    swapped = NTXent()(torch.cat([second, first]))

    expected = NTXent()(torch.cat([first, second])).item()
    assert loss.item() == pytest.approx(expected, rel=1e-12)
    assert swapped.item() == pytest.approx(expected, rel=1e-12)


def test_under_autocast_the_loss_is_still_computed_in_fp32() -> None:
    linear = torch.nn.Linear(5, 5)

    with torch.autocast("cpu", torch.bfloat16):
        z = linear(embeddings(8).float())
        loss = NTXent(temperature=0.01)(z)
        accuracy = contrastive_accuracy(z)
    loss.backward()

    assert z.dtype == torch.bfloat16
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(equation_1(z.double().tolist(), 0.01), rel=1e-5)
    assert accuracy == contrastive_accuracy(z.double())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in linear.parameters())


def test_accuracy_counts_the_views_whose_partner_is_nearest() -> None:
    for seed in range(5):
        z = embeddings(6, 3, seed=seed)
        s = cosines(z.tolist())
        found = 0
        for i in range(12):
            nearest = max((k for k in range(12) if k != i), key=lambda k, i=i: s[i][k])
            found += nearest == (i + 6) % 12

        assert float(contrastive_accuracy(z)) == pytest.approx(found / 12)


def test_accuracy_is_one_when_both_views_are_equal_and_moves_no_gradient() -> None:
    z = embeddings(6).chunk(2)[0].repeat(2, 1).requires_grad_()

    accuracy = contrastive_accuracy(z)

    assert float(accuracy) == 1.0
    assert not accuracy.requires_grad
