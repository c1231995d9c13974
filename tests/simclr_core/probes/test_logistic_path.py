"""Many logistic regressions at once: scikit-learn's one by one, and that none sees another."""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from simclr_core.probes import lbfgs, logistic_path
from simclr_core.probes.lbfgs import Objective, advance, begin
from simclr_core.probes.logistic import PAPER_GRID, LogisticProbe
from simclr_core.probes.logistic_path import Fitted
from simclr_core.probes.softmax import Softmax

CLASSES = 4
NUM = 300


def made(size: int = 8) -> tuple[Tensor, Tensor]:
    """Features with a decaying spectrum, as encoders have them, and three labellings of them."""
    rng = torch.Generator().manual_seed(4)
    labels = torch.stack(
        [torch.randperm(NUM, generator=rng) % CLASSES for _ in range(2)] + [torch.arange(NUM) % 3]
    )
    centres = torch.randn(CLASSES, size, generator=rng, dtype=torch.float64)
    x = centres[labels[0]] + torch.randn(NUM, size, generator=rng, dtype=torch.float64)
    return (x * torch.logspace(0, -2, size).double()).relu() + 0.1, labels


X, LABELS = made()
BOTH = pytest.mark.parametrize("exact", [True, False])
"""With Hessians, which problems of this size ask for at once, and without."""


def solved(
    labels: Tensor, l2s: Any, *, tolerance: float = 1e-5, most: int = 5000
) -> list[list[Fitted]]:
    probe = LogisticProbe(tolerance=tolerance, max_iterations=most)
    return probe.solutions(X, labels, CLASSES, l2s)


def restricted(monkeypatch: pytest.MonkeyPatch, exact: bool) -> None:  # noqa: FBT001 -- a parameter
    if not exact:
        monkeypatch.setattr(logistic_path, "_MOST_EXACT", 0)


def alike(one: Fitted, other: Fitted) -> bool:
    """Equal but for rounding, far below what the tolerance leaves open."""
    scale = float(other.weights_CE.abs().max())
    return torch.allclose(one.weights_CE, other.weights_CE, rtol=0, atol=1e-8 * scale)


@BOTH
def test_each_of_the_papers_45_values_gets_scikit_learns_solution(
    exact: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    restricted(monkeypatch, exact)

    [fits] = solved(LABELS[:1], [PAPER_GRID], tolerance=1e-9)

    for l2, fitted in zip(PAPER_GRID, fits, strict=True):
        oracle = LogisticRegression(C=1 / l2, solver="newton-cholesky", tol=1e-10, max_iter=2000)
        oracle.fit(X.numpy(), LABELS[0].numpy())
        ours = fitted.scores(X).softmax(1).numpy()
        assert fitted.converged
        np.testing.assert_allclose(ours, oracle.predict_proba(X.numpy()), atol=2e-5)
        scale = np.abs(oracle.coef_).max()
        np.testing.assert_allclose(fitted.weights_CE[:, :-1], oracle.coef_, atol=2e-4 * scale)


@BOTH
@settings(max_examples=15)
@given(
    wanted=st.lists(st.floats(-6, 5), min_size=1, max_size=5, unique=True),
    others=st.lists(st.floats(-6, 5), max_size=5, unique=True),
    order=st.randoms(use_true_random=False),
)
def test_a_solution_depends_on_no_other_value_of_l2(
    exact: bool,  # noqa: FBT001
    wanted: list[float],
    others: list[float],
    order: Any,
) -> None:
    alone = [10**one for one in wanted]
    together = list(dict.fromkeys([*alone, *(10**one for one in others)]))
    order.shuffle(together)

    with pytest.MonkeyPatch.context() as patch:
        restricted(patch, exact)
        [fits] = solved(LABELS[:1], [together])
        [mine] = solved(LABELS[:1], [alone])

    found = dict(zip(together, fits, strict=True))
    for l2, fitted in zip(alone, mine, strict=True):
        assert alike(found[l2], fitted)
        assert found[l2].iterations == fitted.iterations


@BOTH
def test_a_solution_depends_on_no_other_labelling(
    exact: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    restricted(monkeypatch, exact)
    l2s = [[1e-3, 0.5], [30.0, 1e-5, 2e6], [0.02]]

    together = solved(LABELS, l2s)
    turned = solved(LABELS.flip(0), l2s[::-1])[::-1]

    for i, values in enumerate(l2s):
        [alone] = solved(LABELS[i : i + 1], [values])
        for one, other, mine in zip(together[i], turned[i], alone, strict=True):
            assert alike(one, mine)
            assert alike(other, mine)
            assert (one.iterations, one.converged) == (mine.iterations, mine.converged)


def test_what_the_tolerance_leaves_open_would_show() -> None:
    # Else the laws above could not find a start that comes from another fit.
    [[rough]], [[fine]] = (solved(LABELS[:1], [[1e-4]], tolerance=t) for t in (1e-5, 1e-10))

    assert rough.converged
    assert not alike(rough, fine)


def test_it_repeats_to_the_bit() -> None:
    one, other = (solved(LABELS, [[1e-4, 1.0]] * 3) for _ in range(2))

    assert all(
        torch.equal(a.weights_CE, b.weights_CE)
        for left, right in zip(one, other, strict=True)
        for a, b in zip(left, right, strict=True)
    )


@BOTH
@pytest.mark.parametrize("most", [1, 3])
def test_those_out_of_steps_are_named_and_only_they(
    most: int,
    exact: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    restricted(monkeypatch, exact)

    [fits] = solved(LABELS[:1], [PAPER_GRID], tolerance=1e-9, most=most)

    for l2, fitted in zip(PAPER_GRID, fits, strict=True):
        w = fitted.weights_CE.clone().requires_grad_()
        logits = X @ w[:, :-1].T + w[:, -1]
        loss = F.cross_entropy(logits, LABELS[0], reduction="sum")
        [gradient] = torch.autograd.grad(loss + 0.5 * l2 * w[:, :-1].square().sum(), w)
        size = float(gradient.abs().max()) / NUM / float(X.square().mean().sqrt())
        assert fitted.gradient == pytest.approx(size, rel=1e-3, abs=1e-12)
        assert fitted.converged == (fitted.gradient <= 1e-9)
        assert fitted.iterations <= most
    assert not all(one.converged for one in fits)
    [others] = solved(LABELS[:1], [PAPER_GRID], tolerance=1e-9)
    assert all(one.converged for one in others)


def test_a_class_that_is_absent_is_never_predicted_for_any_l2() -> None:
    [fits] = solved(LABELS[2:], [PAPER_GRID])

    for fitted in fits:
        assert fitted.weights_CE.isfinite().all()
        assert 3 not in fitted.scores(X).argmax(1).tolist()


def test_where_steps_are_many_the_hessian_makes_them_few(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [0]

    def counted(*given: Any) -> Any:
        steps[-1] += 1
        return advance(*given)

    monkeypatch.setattr(lbfgs, "advance", counted)
    [[bent]] = solved(LABELS[:1], [[1e-6]])
    steps.append(0)
    restricted(monkeypatch, exact=False)
    [[plain]] = solved(LABELS[:1], [[1e-6]])

    assert bent.hard
    assert bent.converged
    assert plain.converged
    assert steps[0] < steps[1] / 2


def test_a_fit_from_a_near_one_is_the_fit_itself_in_fewer_steps() -> None:
    probe = LogisticProbe(tolerance=1e-9)
    near = probe.fit(X[:250], LABELS[0, :250], CLASSES, 0.01)

    warm = probe.fit(X, LABELS[0], CLASSES, 0.01, near)
    cold = probe.fit(X, LABELS[0], CLASSES, 0.01)

    scale = float(cold.weights_CE.abs().max())
    torch.testing.assert_close(warm.weights_CE, cold.weights_CE, rtol=0, atol=1e-4 * scale)
    assert warm.converged
    assert 0 < warm.iterations < 15


def test_a_fit_that_is_done_stays_while_another_moves() -> None:
    problem = Softmax(X, LABELS[:1], CLASSES)
    objective = Objective.of(problem, [0], torch.ones(1, 2).double())
    u = torch.zeros(1, 2, CLASSES, X.shape[1] + 1, dtype=torch.float64)
    bound = NUM / 2 + problem.stretch_E
    state = begin(objective, u)
    state = state._replace(direction_LKCE=-state.gradient_LKCE / bound)

    for _ in range(3):
        state = advance(objective, state, torch.tensor([[False, True]]), lambda g: g / bound)

    assert not state.u_LKCE[0, 0].any()
    assert state.u_LKCE[0, 1].any()
    assert state.steps_LK.tolist() == [[0, 3]]


def test_a_step_that_leads_up_is_halved_until_it_leads_down() -> None:
    problem = Softmax(X, LABELS[:1], CLASSES)
    objective = Objective.of(problem, [0], torch.ones(1, 1).double())
    u = torch.zeros(1, 1, CLASSES, X.shape[1] + 1, dtype=torch.float64)
    bound = NUM / 2 + problem.stretch_E
    state = begin(objective, u)
    state = state._replace(direction_LKCE=-300 * state.gradient_LKCE / bound)
    first = state.value_LK

    values = []
    for _ in range(12):
        state = advance(objective, state, torch.tensor([[True]]), lambda g: g / bound)
        values.append(float(state.value_LK))

    assert values[0] == float(first)
    assert values[-1] < float(first)
    assert values == sorted(values, reverse=True)


def test_a_matrix_with_a_negative_eigenvalue_is_factorised_with_more_on_its_diagonal() -> None:
    matrix = torch.diag(torch.tensor([5.0, 1.0, -1e-6])).double()

    factor = logistic_path._factor(matrix.clone(), 10)

    torch.testing.assert_close(factor @ factor.T, matrix, atol=2e-3, rtol=0)
    assert factor.diagonal().min() > 0
