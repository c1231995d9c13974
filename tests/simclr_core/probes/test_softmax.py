"""Sums, gradients and Hessians of many softmax regressions at once, against autograd in plain form."""

import pytest
import torch
import torch.nn.functional as F
from hostless import META, Copies
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from simclr_core.probes import softmax
from simclr_core.probes.lbfgs import Objective, advance, begin
from simclr_core.probes.softmax import Softmax

CLASSES = 3


def made(num: int = 50, size: int = 4, num_labellings: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Features off the origin and of unequal scales, labellings, and coefficients [L, 2, C, E]."""
    rng = torch.Generator().manual_seed(2)
    x = torch.randn(num, size, generator=rng, dtype=torch.float64)
    x = x * torch.logspace(-2, 2, size).double() + 3
    labels = torch.randint(0, CLASSES, (num_labellings, num), generator=rng)
    w = torch.randn(num_labellings, 2, CLASSES, size + 1, generator=rng, dtype=torch.float64)
    return x, labels, w / 100


def plain(x: Tensor, labels: Tensor, w: Tensor) -> Tensor:
    return F.cross_entropy(x @ w[:, :-1].T + w[:, -1], labels, reduction="sum")


def test_value_and_gradient_of_each_fit_of_each_labelling_are_autograds() -> None:
    x, labels, w = made()
    problem = Softmax(x, labels, CLASSES)

    sums = problem.cross_entropy(problem.coordinates(w), problem.targets_LCE[:, None])
    sizes = problem.size(sums.gradient_LKCE)

    for i, labels_n in enumerate(labels):
        for k in range(2):
            one = w[i, k].clone().requires_grad_()
            value = plain(x, labels_n, one)
            [gradient] = torch.autograd.grad(value, one)
            unit = len(x) * x.square().mean().sqrt()
            assert float(sums.value_LK[i, k]) == pytest.approx(value.item())
            assert float(sizes[i, k]) == pytest.approx(float(gradient.abs().max() / unit))


def test_logits_whose_images_differ_by_thousands_are_summed_without_overflow() -> None:
    x, labels, w = made()
    x[0] *= 3e3
    problem = Softmax(x, labels, CLASSES)
    w = w[:, :1] * 1e4

    found = problem.cross_entropy(problem.coordinates(w), problem.targets_LCE[:, None]).value_LK

    assert float((x @ w[0, 0, :, :-1].T).amax(1).max()) > 5e4
    expected = torch.stack([plain(x, some, one[0]) for some, one in zip(labels, w, strict=True)])
    torch.testing.assert_close(found[:, 0], expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize("most", [1, 1 << 8, 1 << 20])
def test_how_many_images_are_taken_at_a_time_does_not_matter(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, labels, w = made(num=500)
    problem = Softmax(x, labels, CLASSES)
    u = problem.coordinates(w)
    whole, bent = problem.cross_entropy(u, problem.targets_LCE[:, None]), problem.curvature(u[0, 0])

    monkeypatch.setattr(softmax, "_IN_CACHE", most)

    torch.testing.assert_close(problem.cross_entropy(u, problem.targets_LCE[:, None]), whole)
    torch.testing.assert_close(problem.curvature(u[0, 0]), bent, rtol=1e-4, atol=1e-3)


def test_the_curvature_is_autograds_hessian_where_classes_differ() -> None:
    x, labels, w = made()
    problem = Softmax(x, labels, CLASSES)
    u = problem.coordinates(w)[0, 0]

    def value(flat: Tensor) -> Tensor:
        return plain(x, labels[0], problem.weights(flat.view(1, 1, *u.shape))[0, 0])

    expected = torch.autograd.functional.hessian(value, u.flatten())
    found = problem.curvature(u)

    difference = torch.randn(CLASSES, u.shape[1], dtype=torch.float64)
    difference = (difference - difference.mean(0)).flatten()
    torch.testing.assert_close(found @ difference, expected @ difference, rtol=1e-4, atol=1e-4)
    assert torch.linalg.eigvalsh(found)[0] > 0
    assert torch.linalg.eigvalsh(expected)[0] < 1e-9


@given(st.integers(1, 6), st.integers(2, 40), st.floats(-4, 4), st.floats(-100, 100))
def test_coordinates_lead_back_and_keep_the_penalty_and_the_logits(
    size: int, num: int, scale: float, shift: float
) -> None:
    rng = torch.Generator().manual_seed(num)
    x = 10**scale * torch.randn(num, size, generator=rng, dtype=torch.float64) + shift
    problem = Softmax(x, torch.arange(num)[None] % CLASSES, CLASSES)
    u = torch.randn(1, 1, CLASSES, size + 1, generator=rng, dtype=torch.float64)

    w = problem.weights(u)

    again = problem.weights(problem.coordinates(w))
    torch.testing.assert_close(again, w, rtol=1e-6, atol=1e-6 * float(w.abs().max()))
    penalty = (problem.stretch_E * u.square()).sum()
    torch.testing.assert_close(w[..., :-1].square().sum(), penalty)


def test_dead_features_get_no_weight() -> None:
    x, labels, _ = made()
    x = torch.cat([x, torch.full((50, 1), 7.0), torch.zeros(50, 1), x[:, :1]], dim=1)
    problem = Softmax(x, labels, CLASSES)

    found = problem.weights(torch.ones(2, 1, CLASSES, 8, dtype=torch.float64))

    assert float(found[..., 4:6].abs().max()) < 1e-9 * float(found.abs().max())
    torch.testing.assert_close(found[..., 6], found[..., 0])  # a copy shares the weight


def test_a_step_neither_reads_numbers_back_from_the_device_nor_copies_any_there() -> None:
    x, labels, w = (one.to(META) for one in made())
    problem = Softmax(x, labels, CLASSES)
    objective = Objective.of(problem, [0, 1], torch.ones(2, 2, device=META).double())
    bound = 50 + problem.stretch_E
    state = begin(objective, w)

    with Copies() as copies:
        for _ in range(3):
            state = advance(objective, state, state.size_LK > 1e-5, lambda g: g / bound)
        bent = problem.curvature(w[0, 0])

    assert copies.found == []
    assert state.u_LKCE.device.type == bent.device.type == META
