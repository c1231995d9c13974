"""The laws of the loss: right ones keep them, and each mistake is named with its counter-example.

The broken losses are restated from what reports on re-implementations describe.
"""

import math
from collections.abc import Callable
from functools import cache

import pytest
import torch
import torch.nn.functional as F
from lightly.loss import NTXentLoss
from pytorch_metric_learning.losses import NTXentLoss as MetricLearningNTXent
from torch import Tensor

from simclr_core.conformance.api import examine_loss
from simclr_core.conformance.checks import Finding
from simclr_core.conformance.loss_cases import cases
from simclr_core.conformance.loss_checks import LOSS_LAWS
from simclr_core.conformance.loss_variants import EQUATION_1, OTHERS, cosines
from simclr_core.losses.contrastive import NTXent

Loss = Callable[[Tensor, Tensor, float], Tensor]


examined = cache(examine_loss)


def failing(found: tuple[Finding, ...]) -> dict[str, str]:
    return {one.law: one.text for one in found if one.verdict == "fails"}


# ---------------------------------------------------------------------------------- right losses


def ours(z1: Tensor, z2: Tensor, temperature: float) -> Tensor:
    return NTXent(temperature=temperature)(torch.cat([z1, z2]))


def lightlys(z1: Tensor, z2: Tensor, temperature: float) -> Tensor:
    return NTXentLoss(temperature=temperature)(z1, z2)


def official(z1: Tensor, z2: Tensor, temperature: float) -> Tensor:
    """The official code's form: two cross entropies over [other side, own side], added."""
    a, b = F.normalize(z1, dim=1), F.normalize(z2, dim=1)
    own = torch.eye(len(a), dtype=torch.bool)
    labels = torch.arange(len(a))
    sides = [
        torch.cat([x @ y.T, (x @ x.T).masked_fill(own, -torch.inf)], dim=1) / temperature
        for x, y in ((a, b), (b, a))
    ]
    return F.cross_entropy(sides[0], labels) + F.cross_entropy(sides[1], labels)


@pytest.mark.parametrize("loss", [ours, lightlys])
def test_a_right_loss_keeps_every_law(loss: Loss) -> None:
    found = examined(loss)

    assert [one.law for one in found] == [law.name for law in LOSS_LAWS]
    assert {one.verdict for one in found} == {"holds"}


def test_the_official_codes_form_is_told_as_twice_the_value_and_fails_nothing() -> None:
    found = {one.law: one for one in examined(official)}

    assert found["the loss is the mean over the 2N views"][1:] == (
        "differs",
        "twice algorithm 1's value: the official code's form",
    )
    assert {one.verdict for one in found.values()} == {"holds", "differs"}


def test_the_loss_of_a_third_library_keeps_the_laws_of_its_value() -> None:
    def theirs(z1: Tensor, z2: Tensor, temperature: float) -> Tensor:
        labels = torch.arange(len(z1)).repeat(2)
        return MetricLearningNTXent(temperature=temperature)(torch.cat([z1, z2]), labels)

    failed = set(failing(examined(theirs)))

    # It takes the logarithm of a ratio, which float16 cannot hold where it is small.
    assert failed == {"float16 embeddings neither overflow nor underflow"}


# --------------------------------------------------------------------------------- broken losses


def unit(z1: Tensor, z2: Tensor) -> Tensor:
    return F.normalize(torch.cat([z1, z2]), dim=1)


def crossed(s: Tensor, partner: Tensor) -> Tensor:
    return F.cross_entropy(s.masked_fill(torch.eye(len(s), dtype=torch.bool), -torch.inf), partner)


def joined(num: int) -> Tensor:
    return torch.arange(2 * num).roll(num)


def interleaved(z1: Tensor, z2: Tensor, t: float) -> Tensor:
    u = unit(z1, z2)
    return crossed(u @ u.T / t, torch.arange(len(u)) ^ 1)


def one_side(z1: Tensor, z2: Tensor, t: float) -> Tensor:
    s = F.normalize(z1, dim=1) @ F.normalize(z2, dim=1).T / t
    own = torch.arange(len(s))
    return (F.cross_entropy(s, own) + F.cross_entropy(s.T, own)) / 2


def multiplied(z1: Tensor, z2: Tensor, t: float) -> Tensor:
    u = unit(z1, z2)
    return crossed(u @ u.T * t, joined(len(z1)))


def log_of_mean(z1: Tensor, z2: Tensor, t: float) -> Tensor:
    u, rows = unit(z1, z2), torch.arange(2 * len(z1))
    s = (u @ u.T / t).masked_fill(torch.eye(len(u), dtype=torch.bool), -torch.inf)
    return -torch.log(s.softmax(1)[rows, joined(len(z1))].mean())


def clamped(z1: Tensor, z2: Tensor, t: float) -> Tensor:
    u = unit(z1, z2)
    return crossed((u @ u.T).clamp(min=1e-7) / t, joined(len(z1)))


def with_eps(z1: Tensor, z2: Tensor, t: float) -> Tensor:
    u, eps = unit(z1, z2), 1e-6
    e = torch.exp(u @ u.T / t)
    others = (e.sum(1) - math.exp(1 / t)).clamp(min=eps)
    positive = torch.exp((u * u.roll(len(z1), 0)).sum(1) / t)
    return -torch.log(positive / (others + eps)).mean()


MASK = torch.eye(16, dtype=torch.bool)


def fixed_batch(z1: Tensor, z2: Tensor, t: float) -> Tensor:
    u = unit(z1, z2)
    return F.cross_entropy((u @ u.T / t).masked_fill(MASK, -torch.inf), joined(8))


def built_once() -> Loss:
    """A mask built for the first batch, and cut to the later ones."""
    mask: list[Tensor] = []

    def loss(z1: Tensor, z2: Tensor, t: float) -> Tensor:
        u = unit(z1, z2)
        if not mask:
            mask.append(torch.arange(2 * len(z1)).roll(len(z1)))
        return crossed(u @ u.T / t, mask[0][: len(u)])

    return loss


def bare_exponentials(z1: Tensor, z2: Tensor, t: float) -> Tensor:
    u = unit(z1, z2)
    e = torch.exp(u @ u.T / t).masked_fill(torch.eye(len(u), dtype=torch.bool), 0)
    return (torch.log(e.sum(1)) - (u * u.roll(len(z1), 0)).sum(1) / t).mean()


def detached(z1: Tensor, z2: Tensor, t: float) -> Tensor:
    return ours(z1, z2.detach(), t)


def summed(z1: Tensor, z2: Tensor, t: float) -> Tensor:
    return 2 * len(z1) * ours(z1, z2, t)


def own_negative(z1: Tensor, z2: Tensor, t: float) -> Tensor:
    u = unit(z1, z2)
    return F.cross_entropy(u @ u.T / t, joined(len(z1)))


def decoupled(z1: Tensor, z2: Tensor, t: float) -> Tensor:
    u, partner = unit(z1, z2), joined(len(z1))
    s, rows = u @ u.T / t, torch.arange(2 * len(z1))
    out = torch.eye(len(u), dtype=torch.bool)
    out[rows, partner] = True
    return (s.masked_fill(out, -torch.inf).logsumexp(1) - s[rows, partner]).mean()


def as_they_are(z1: Tensor, z2: Tensor, t: float) -> Tensor:
    return NTXent(temperature=t, normalise=False)(torch.cat([z1, z2]))


def first_views_only(z1: Tensor, z2: Tensor, t: float) -> Tensor:
    u = unit(z1, z2)
    s = (u @ u.T / t).masked_fill(torch.eye(len(u), dtype=torch.bool), -torch.inf)
    return F.cross_entropy(s[: len(z1)], joined(len(z1))[: len(z1)])


def by_distance(z1: Tensor, z2: Tensor, t: float) -> Tensor:
    """Cosines by way of distances: right in value, without a gradient where rows are equal."""
    u = unit(z1, z2)
    square = (u[:, None] - u[None]).norm(dim=2) ** 2
    return crossed((1 - square.sqrt() ** 2 / 2) / t, joined(len(z1)))


def no_gradient(z1: Tensor, z2: Tensor, t: float) -> Tensor:
    return ours(z1, z2, t).detach()


def uncertain(z1: Tensor, z2: Tensor, t: float) -> Tensor:
    order = torch.arange(len(z1)).roll(1)
    return ours(z1, z2, t) + 1e-3 * (z1[0] * z2[order[0]]).sum() ** 2


BROKEN: dict[str, tuple[Loss, str, str]] = {
    "wrong positives": (interleaved, "the partner is the other view of the image", "image 0 move"),
    "wrong positives, named": (
        interleaved,
        "the values are those of equation 1",
        "as if views were interleaved",
    ),
    "own side missing": (
        one_side,
        "negatives come from both views of the others",
        "first views of both images move apart from 10 to 80 degrees, the loss stays at",
    ),
    "own side missing, by value": (
        one_side,
        "if all images map to one point, the loss is ln(2N - 1)",
        "N = 2: 0.6931 instead of ln 3 = 1.099, ln N: negatives of the view's own side",
    ),
    "temperature multiplies": (
        multiplied,
        "similarities are divided by the temperature",
        "at temperature 100",
    ),
    "temperature multiplies, named": (
        multiplied,
        "the values are those of equation 1",
        "the temperature multiplies",
    ),
    "logarithm of the mean": (
        log_of_mean,
        "the values are those of equation 1",
        "minus the logarithm of the mean probability",
    ),
    "clamped": (clamped, "negative similarities count in full", "similarities below 0 are cut"),
    "eps": (with_eps, "nothing is added to the denominator", "temperature 0.01: "),
    "a fixed batch": (
        fixed_batch,
        "every batch size works, and after any other one",
        "of N = 2 to 512, only 8 work",
    ),
    "built for the first batch": (
        built_once(),
        "every batch size works, and after any other one",
        "raises",
    ),
    "float16": (
        bare_exponentials,
        "float16 embeddings neither overflow nor underflow",
        "temperature 0.05; row 0 twice: inf in float16",
    ),
    "float32": (
        bare_exponentials,
        "small temperatures stay finite in float32",
        "exp(1 / 0.01) = 2.7e+43 exceeds its range",
    ),
    "detached": (detached, "the gradient reaches both views", "no gradient reaches z2"),
    "detached, by value": (
        detached,
        "the gradient is that of finite differences",
        "of z2 the gradient says 0,",
    ),
    "summed": (summed, "the loss is the mean over the 2N views", "2N times algorithm 1's value"),
    "its own negative": (
        own_negative,
        "if all images map to one point, the loss is ln(2N - 1)",
        "ln 2N",
    ),
    "decoupled": (decoupled, "the values are those of equation 1", "the decoupled loss"),
    "not normalised": (as_they_are, "only directions matter", "normalise them in the loss"),
    "one direction": (
        first_views_only,
        "the two views may be swapped",
        "with both views exchanged",
    ),
    "a root at zero": (
        by_distance,
        "duplicate and opposite rows are handled correctly",
        "the gradient is not finite",
    ),
    "no gradient": (no_gradient, "the gradient reaches both views", "the value has no gradient"),
    "images differ": (
        uncertain,
        "the order of the images has no effect",
        "with the last image first",
    ),
}


@pytest.mark.parametrize("name", list(BROKEN))
def test_a_broken_loss_is_named_with_a_counter_example(name: str) -> None:
    loss, law, text = BROKEN[name]

    found = failing(examined(loss))

    assert law in found
    assert text in found[law]


def test_every_law_is_broken_by_one_of_them() -> None:
    assert {law for _, law, _ in BROKEN.values()} == {law.name for law in LOSS_LAWS}


@pytest.mark.parametrize(
    ("loss", "law"),
    [
        (as_they_are, "only directions matter"),
        (summed, "the loss is the mean over the 2N views"),
        (decoupled, "the values are those of equation 1"),
    ],
)
def test_one_mistake_does_not_spread_to_laws_that_are_kept(loss: Loss, law: str) -> None:
    assert set(failing(examined(loss))) <= {
        law,
        "if all images map to one point, the loss is ln(2N - 1)",
    }


@pytest.mark.parametrize(
    ("loss", "text"),
    [
        (lambda *_: 1.0, "returns float instead of a scalar tensor at N = 2,"),
        (
            lambda z1, z2, _: (z1 * z2).sum(1),
            "returns torch.float64 [2] instead of a single number at N = 2",
        ),
        (lambda *_: torch.tensor(1), "returns torch.int64 [] instead of a single number"),
        (lambda z1, _: z1.sum(), "raises TypeError"),
        (lambda *_: exec("raise SystemExit(3)"), "raises SystemExit"),
    ],
)
def test_what_breaks_the_contract_ends_the_examination(loss: Loss, text: str) -> None:
    first, *rest = examined(loss)

    assert first.verdict == "fails"
    assert text in first.text
    assert {one.verdict for one in rest} == {"not measured"}
    assert all(first.law in one.text for one in rest)


# -------------------------------------------------------------------------------- the yardstick


def test_the_yardstick_is_lightlys_loss_on_every_case() -> None:
    for case in cases():
        s = cosines(torch.cat([case.z1, case.z2]).tolist())
        expected = lightlys(case.z1, case.z2, 0.5).item()
        assert EQUATION_1.value(s, 0.5) == pytest.approx(expected, abs=1e-9)


def test_each_other_form_is_another_value_on_some_case() -> None:
    for form in OTHERS:
        differs = [
            abs(form.value(s, t) - EQUATION_1.value(s, t)) > 1e-3
            for case in cases()
            for s in [cosines(torch.cat([case.z1, case.z2]).tolist())]
            for t in (0.5, 0.1)
        ]
        assert any(differs), form.says


def test_two_examinations_say_the_same() -> None:
    assert examine_loss(interleaved) == examined(interleaved)
