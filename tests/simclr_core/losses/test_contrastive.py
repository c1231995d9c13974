"""Losses against equation 1 spelled out, against lightly's and metric-learning's, and by laws."""

import math
from collections.abc import Callable
from typing import Any, Literal

import pytest
import torch
from embedded import cosines, embeddings
from hypothesis import given
from hypothesis import strategies as st
from lightly.loss import NTXentLoss
from pytorch_metric_learning.losses import SupConLoss
from torch import Tensor

from simclr_core.config.overrides import mistakes
from simclr_core.losses.contrastive import (
    CrossEntropy,
    MarginTriplet,
    NTLogistic,
    NTXent,
    SupCon,
)
from simclr_core.losses.contrastive_metrics import contrastive_accuracy, contrastive_entropy

TEMPERATURES = (0.05, 0.1, 0.5, 1.0)


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
    loss.backward()

    assert z.dtype == torch.bfloat16
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(equation_1(z.double().tolist(), 0.01), rel=1e-5)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in linear.parameters())


def shared_out(
    z: list[list[float]], temperature: float, counts: Callable[[int, int], bool]
) -> float:
    """Equation 1 with the sum over those k that count for i, number by number."""
    s, half, total = cosines(z), len(z) // 2, 0.0
    for i in range(len(z)):
        others = sum(math.exp(s[i][k] / temperature) for k in range(len(z)) if counts(i, k))
        total -= s[i][(i + half) % len(z)] / temperature - math.log(others)
    return total / len(z)


@pytest.mark.parametrize("temperature", [0.1, 0.5])
@pytest.mark.parametrize("num_images", [2, 3, 7])
def test_negatives_from_one_view_are_those_of_the_other_side(
    num_images: int, temperature: float
) -> None:
    z = embeddings(num_images)

    loss = NTXent(temperature=temperature, negatives="one_view")(z)

    expected = shared_out(
        z.tolist(), temperature, lambda i, k: (i < num_images) != (k < num_images)
    )
    assert loss.item() == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("one_view", [False, True])
def test_decoupled_leaves_the_partner_out_of_the_sum(*, one_view: bool) -> None:
    n, z = 5, embeddings(5)

    kind: Literal["one_view", "both_views"] = "one_view" if one_view else "both_views"
    loss = NTXent(temperature=0.3, decoupled=True, negatives=kind)(z)

    def counts(i: int, k: int) -> bool:
        return i % n != k % n and (not one_view or (i < n) != (k < n))

    assert loss.item() == pytest.approx(shared_out(z.tolist(), 0.3, counts), abs=1e-10)


@pytest.mark.parametrize("num_views", [3, 4])
def test_several_views_are_averaged_over_all_pairs_of_an_image(num_views: int) -> None:
    z = embeddings(3 * num_views, 6)[: 3 * num_views]
    s, pairs, total = cosines(z.tolist()), 0, 0.0
    for i in range(len(z)):
        others = sum(math.exp(s[i][k] / 0.5) for k in range(len(z)) if k != i)
        for j in range(len(z)):
            if j != i and j % 3 == i % 3:
                total -= math.log(math.exp(s[i][j] / 0.5) / others)
                pairs += 1

    loss = NTXent(temperature=0.5)(z, num_views=num_views)

    assert loss.item() == pytest.approx(total / pairs, abs=1e-10)


def test_pre_training_minimises_the_loss_of_as_many_views_as_there_are() -> None:
    z, loss = embeddings(6), NTXent(temperature=0.5)

    assert torch.equal(loss.of_batch(z, 3, None), loss(z, 3))
    assert float(loss.of_batch(z, 3, None)) != float(loss(z, 2))


@pytest.mark.parametrize("loss", [NTXent(), NTLogistic(), SupCon()], ids=lambda loss: loss.kind)
def test_losses_with_a_temperature_log_the_entropy_at_it(loss: Any) -> None:
    z = embeddings(6)

    found = loss.metrics(z, 2)

    assert found["contrastive_accuracy"] == contrastive_accuracy(z)
    assert found["contrastive_entropy"] == contrastive_entropy(z, loss.temperature)


def test_supcon_is_metric_learnings_and_khoslas_equation_2() -> None:
    labels = torch.tensor([0, 1, 1, 2, 0, 1]).repeat(2)
    ours, theirs = embeddings(6).requires_grad_(), embeddings(6).requires_grad_()

    loss = SupCon(temperature=0.2)(ours, labels)
    expected = SupConLoss(temperature=0.2)(theirs, labels)
    loss.backward()
    expected.backward()

    assert loss.item() == pytest.approx(expected.item(), abs=1e-6)  # theirs adds an epsilon
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=1e-6)


def test_supcon_with_each_image_its_own_class_is_nt_xent() -> None:
    z = embeddings(7)

    loss = SupCon(temperature=0.2)(z, torch.arange(7).repeat(2))

    assert loss.item() == pytest.approx(equation_1(z.tolist(), 0.2), abs=1e-10)


def test_cross_entropy_is_the_mean_over_all_views_of_the_share_of_its_class() -> None:
    z, labels = embeddings(3, 4), [1, 3, 0]
    total = 0.0
    for row, label in zip(z.tolist(), labels * 2, strict=True):
        total -= math.log(math.exp(row[label]) / sum(map(math.exp, row)))

    loss = CrossEntropy()(z, torch.tensor(labels).repeat(2))

    assert loss.item() == pytest.approx(total / 6, abs=1e-10)


ALL: list[Any] = [
    NTXent(),
    NTXent(negatives="one_view", multiple=2),
    NTXent(decoupled=True),
    NTXent(normalise=False, temperature=10),
    NTLogistic(),
    NTLogistic(semi_hard=True, negatives="one_view"),
    MarginTriplet(),
    MarginTriplet(semi_hard=True),
    SupCon(),
]


@pytest.mark.parametrize("loss", ALL, ids=str)
@pytest.mark.parametrize("num_images", [4, 9])
def test_one_point_for_all_images_costs_what_each_loss_says(loss: Any, num_images: int) -> None:
    z = torch.full((2 * num_images, 3), 0.6)
    labels = [torch.arange(num_images).repeat(2)] if loss.sees_labels else []

    assert loss(z, *labels).item() == pytest.approx(loss.collapsed_value(2 * num_images), abs=1e-5)


@pytest.mark.parametrize("loss", ALL, ids=str)
def test_each_loss_moves_both_views_and_learns_to_tell_partners(loss: Any) -> None:
    labels = [torch.arange(6).repeat(2)] if loss.sees_labels else []
    z = embeddings(6, 8, seed=3).requires_grad_()
    optimizer = torch.optim.Adam([z], lr=0.05)

    [first] = torch.autograd.grad(loss(z, *labels), z)
    for _ in range(150):
        optimizer.zero_grad()
        loss(z, *labels).backward()
        optimizer.step()

    assert first[:6].norm() > 0
    assert first[6:].norm() > 0
    assert contrastive_accuracy(z) == 1


@pytest.mark.parametrize("loss", ALL, ids=str)
def test_under_autocast_each_loss_is_that_of_fp32(loss: Any) -> None:
    labels = [torch.arange(8).repeat(2)] if loss.sees_labels else []
    z = embeddings(8).bfloat16()

    with torch.autocast("cpu", torch.bfloat16):
        value = loss(z, *labels)

    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(loss(z.double(), *labels).item(), rel=1e-5)


def test_the_defaults_are_those_that_the_paper_and_khosla_name() -> None:
    assert (NTXent().temperature, SupCon().temperature) == (0.1, 0.1)
    assert NTLogistic().temperature in (0.1, 0.2, 0.5, 1.0)  # appendix B.10's
    assert MarginTriplet().margin in (0, 0.4, 0.8, 1.6)


def test_a_margin_lies_between_what_similarities_span() -> None:
    for margin in (-0.1, 2.1):
        [found] = mistakes({"loss": {"kind": "margin_triplet", "margin": margin}})
        assert found.field == "loss.margin"
