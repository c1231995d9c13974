"""NT-Logistic and the margin triplet: table 2's rows and gradients, and semi-hard negatives."""

import math
from typing import Literal

import pytest
import torch
from embedded import cosines, embeddings
from hypothesis import given
from hypothesis import strategies as st
from pytorch_metric_learning.distances import CosineSimilarity
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.reducers import MeanReducer
from torch import Tensor

from simclr_core.config.overrides import mistakes
from simclr_core.losses.contrastive import MarginTriplet, NTLogistic, NTXent

Side = Literal["both_views", "one_view"]
SIDES: tuple[Side, ...] = ("both_views", "one_view")


def log_sigmoid(x: float) -> float:
    return -math.log1p(math.exp(-x))


def negatives_of(i: int, num_images: int, side: Side) -> list[int]:
    """Views of other images; of the other side alone where negatives come from one view."""
    return [
        k
        for k in range(2 * num_images)
        if k % num_images != i % num_images
        and (side == "both_views" or (k < num_images) != (i < num_images))
    ]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("num_images", [2, 3, 8])
@pytest.mark.parametrize("temperature", [0.1, 0.5, 1.0])
def test_nt_logistic_is_table_2s_row(num_images: int, temperature: float, side: Side) -> None:
    z, total = embeddings(num_images), 0.0
    s = cosines(z.tolist())
    for i in range(2 * num_images):
        others = negatives_of(i, num_images, side)
        total -= log_sigmoid(s[i][(i + num_images) % (2 * num_images)] / temperature)
        total -= sum(log_sigmoid(-s[i][k] / temperature) for k in others) / len(others)

    loss = NTLogistic(temperature=temperature, negatives=side)(z)

    assert loss.item() == pytest.approx(total / (2 * num_images), abs=1e-10)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("margin", [0.0, 0.4, 1.6])
def test_the_margin_triplet_is_table_2s_row(margin: float, side: Side) -> None:
    z, total = embeddings(6), 0.0
    s = cosines(z.tolist())
    for i in range(12):
        others, positive = negatives_of(i, 6, side), s[i][(i + 6) % 12]
        total += sum(max(s[i][k] - positive + margin, 0) for k in others) / len(others)

    loss = MarginTriplet(margin=margin, negatives=side)(z)

    assert loss.item() == pytest.approx(total / 12, abs=1e-10)


@pytest.mark.parametrize("margin", [0.0, 0.4, 1.6])
def test_the_margin_triplet_is_metric_learnings_over_all_triplets(margin: float) -> None:
    z, labels = embeddings(6), torch.arange(6).repeat(2)

    expected = TripletMarginLoss(margin, distance=CosineSimilarity(), reducer=MeanReducer())

    assert MarginTriplet(margin=margin)(z).item() == pytest.approx(expected(z, labels).item())


def semi_hard_by_hand(
    row: list[float], positive: float, others: list[int], margin: float
) -> float | None:
    """The most similar negative that is less similar than the partner, by less than the margin."""
    allowed = [row[k] for k in others if positive - margin < row[k] < positive]
    return max(allowed, default=None)


@given(st.integers(0, 5000), st.sampled_from(SIDES), st.sampled_from([0.1, 0.4, 1.6]))
def test_semi_hard_takes_the_nearest_negative_behind_the_partner(
    seed: int, side: Side, margin: float
) -> None:
    z, triplet, logistic = embeddings(5, 3, seed=seed), 0.0, 0.0
    s = cosines(z.tolist())
    for i in range(10):
        others, positive = negatives_of(i, 5, side), s[i][(i + 5) % 10]
        near = semi_hard_by_hand(s[i], positive, others, margin)
        triplet += 0 if near is None else near - positive + margin
        near = semi_hard_by_hand(s[i], positive, others, math.inf)
        logistic -= log_sigmoid(positive / 0.5)
        logistic -= 0 if near is None else log_sigmoid(-near / 0.5)

    found = MarginTriplet(margin=margin, semi_hard=True, negatives=side)(z)
    assert found.item() == pytest.approx(triplet / 10, abs=1e-9)
    found = NTLogistic(temperature=0.5, semi_hard=True, negatives=side)(z)
    assert found.item() == pytest.approx(logistic / 10, abs=1e-9)


def test_without_a_semi_hard_negative_a_view_is_only_drawn_to_its_partner() -> None:
    # Partners nearly opposite, all others nearer: no negative lies behind the partner.
    z = torch.tensor([[1, 0], [0, 1], [-1, 0.1], [0.1, -1]], dtype=torch.float64)
    z.requires_grad_()

    triplet = MarginTriplet(semi_hard=True)(z)
    logistic = NTLogistic(semi_hard=True, temperature=1)(z)
    [still] = torch.autograd.grad(triplet, z)
    [drawn] = torch.autograd.grad(logistic, z)

    s = cosines(z.tolist())
    alone = -sum(log_sigmoid(s[i][(i + 2) % 4]) for i in range(4)) / 4
    assert triplet.item() == 0
    assert not still.any()
    assert logistic.item() == pytest.approx(alone)
    assert drawn.norm(dim=1).gt(0).all()


def on_the_sphere(u: Tensor, gradient: Tensor) -> Tensor:
    """What is left of a gradient with respect to a unit vector when its length is normalised."""
    return gradient - (gradient @ u) * u


@pytest.mark.parametrize("name", ["nt_xent", "nt_logistic", "margin_triplet"])
@pytest.mark.parametrize("seed", range(4))
def test_the_gradient_is_table_2s(name: str, seed: int) -> None:
    u, p, n = (v / v.norm() for v in embeddings(2, seed=seed)[:3])
    t, m = 0.3, 0.4
    anchor = u.clone().requires_grad_()

    # An anchor u, its partner p and one negative n, all else detached.
    def row(s_p: Tensor, s_n: Tensor) -> Tensor:
        if name == "nt_xent":
            return s_p / t - torch.stack([s_p, s_n]).div(t).logsumexp(0)
        if name == "nt_logistic":
            return torch.sigmoid(s_p / t).log() + torch.sigmoid(-s_n / t).log()
        return -(s_n - s_p + m).clamp(min=0)

    p_s, n_s = float(u @ p), float(u @ n)
    share = math.exp(p_s / t) / (math.exp(p_s / t) + math.exp(n_s / t))
    sigmoid = 1 / (1 + math.exp(p_s / t)), 1 / (1 + math.exp(-n_s / t))
    table = {
        "nt_xent": (1 - share) / t * p - (1 - share) / t * n,
        "nt_logistic": sigmoid[0] / t * p - sigmoid[1] / t * n,
        "margin_triplet": p - n if p_s - n_s < m else torch.zeros_like(p),
    }[name]
    loss = {
        "nt_xent": NTXent(temperature=t, negatives="one_view"),
        "nt_logistic": NTLogistic(temperature=t, negatives="one_view"),
        "margin_triplet": MarginTriplet(margin=m, negatives="one_view"),
    }[name]

    # Two images, first views (u, x), second views (p, n): u meets p and n and nothing else.
    other = embeddings(3, seed=100 + seed)[0]
    value = loss(torch.stack([anchor, other, p, n]))
    [gradient] = torch.autograd.grad(value, anchor)
    # The rows of p and n see u as well; their part is taken from the row's own definition.
    seen = u.clone().requires_grad_()
    unit = seen / seen.norm()
    x = other / other.norm()
    mutual = row(p @ unit, p @ x) + row(n @ x, n @ unit)
    [theirs] = torch.autograd.grad(mutual, seen)

    torch.testing.assert_close(-4 * gradient - theirs, on_the_sphere(u, table))


def test_a_margin_of_0_leaves_semi_hard_negatives_no_room_and_says_so() -> None:
    [found] = mistakes({"loss": {"kind": "margin_triplet", "margin": 0, "semi_hard": True}})

    assert str(found) == (
        "loss: semi_hard needs a margin above 0, within which it finds negatives, got margin 0"
    )
