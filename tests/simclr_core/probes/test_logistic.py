"""The linear probe against scikit-learn's logistic regression, where fitting is easy and hard."""

import math
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, top_k_accuracy_score
from torch import Tensor

from simclr_core.probes.contract import top_k_accuracy
from simclr_core.probes.logistic import LogisticProbe

CLASSES = 4


class Case(NamedTuple):
    x: Tensor
    y: Tensor


def made(name: str) -> Case:
    """Fitting problems that a probe meets: 200 images, 6 features, 4 classes."""
    rng = torch.Generator().manual_seed(3)
    y = torch.arange(200) % CLASSES
    centres = torch.randn(CLASSES, 6, generator=rng, dtype=torch.float64)
    noise = torch.randn(200, 6, generator=rng, dtype=torch.float64)
    match name:
        case "overlapping":
            x = centres[y] + noise
        case "separable":
            x = 10 * centres[y] + 0.1 * noise
        case "unequal scales":
            x = (centres[y] + noise) * torch.tensor([1e-3, 0.1, 1, 10, 100, 1e3]).double()
        case "constant feature":
            x = (centres[y] + noise).clone()
            x[:, 2] = 5.0
            x[:, 4] = 0.0
        case "far from the origin":
            x = centres[y] + noise + 50
        case "imbalanced":
            y = torch.where(torch.arange(200) < 180, 0, y)
            x = centres[y] + noise
        case _:
            raise AssertionError(name)
    return Case(x, y)


CASES = (
    "overlapping",
    "separable",
    "unequal scales",
    "constant feature",
    "far from the origin",
    "imbalanced",
)


def scikit_learns(case: Case, l2: float) -> LogisticRegression:
    """The same problem by Newton's method on the full Hessian."""
    oracle = LogisticRegression(C=1 / l2, solver="newton-cholesky", tol=1e-10, max_iter=2000)
    return oracle.fit(case.x.numpy(), case.y.numpy())


@pytest.mark.parametrize("l2", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("name", CASES)
def test_the_solution_is_scikit_learns(name: str, l2: float) -> None:
    case = made(name)
    oracle = scikit_learns(case, l2)

    fitted = LogisticProbe(tolerance=1e-9).fit(case.x, case.y, CLASSES, l2)

    assert fitted.converged
    assert fitted.gradient <= 1e-9
    ours = fitted.scores(case.x).softmax(1).numpy()
    theirs = oracle.predict_proba(case.x.numpy())
    np.testing.assert_allclose(ours, theirs, atol=2e-5)
    assert log_loss(case.y, ours) == pytest.approx(log_loss(case.y, theirs), rel=1e-5, abs=1e-8)
    scale = np.abs(oracle.coef_).max()
    np.testing.assert_allclose(fitted.weights_CE[:, :-1], oracle.coef_, atol=2e-4 * scale)


def test_at_the_default_tolerance_the_predictions_are_scikit_learns() -> None:
    case = made("overlapping")

    fitted = LogisticProbe().fit(case.x, case.y, CLASSES, 1.0)

    assert (
        fitted.scores(case.x).argmax(1).tolist()
        == scikit_learns(case, 1.0).predict(case.x.numpy()).tolist()
    )


def test_the_bias_is_not_penalised() -> None:
    # With so strong a penalty only the biases are left: they are the logarithms of the shares.
    case = made("imbalanced")

    fitted = LogisticProbe(tolerance=1e-10).fit(case.x, case.y, CLASSES, 1e9)

    shares = torch.bincount(case.y, minlength=CLASSES).double() / 200
    assert fitted.weights_CE[:, :-1].abs().max() < 1e-5
    torch.testing.assert_close(fitted.weights_CE[:, -1].softmax(0), shares, atol=1e-5, rtol=0)


def test_a_class_that_is_absent_from_the_fit_is_never_predicted() -> None:
    case = made("overlapping")
    present = case.y != 2

    fitted = LogisticProbe().fit(case.x[present], case.y[present], CLASSES, 1.0)

    assert fitted.weights_CE.isfinite().all()
    assert 2 not in fitted.scores(case.x).argmax(1).tolist()


@pytest.mark.parametrize("scale", [0.0, 1e-9, 1e-14])
def test_features_that_say_nothing_give_the_shares_of_the_classes(scale: float) -> None:
    case = made("overlapping")
    uneven = torch.cat([case.y, torch.zeros(50, dtype=torch.int64)])
    x = scale * torch.ones(250, 6)

    fitted = LogisticProbe().fit(x, uneven, CLASSES, 1.0)

    shares = torch.bincount(uneven, minlength=CLASSES).double() / 250
    assert fitted.converged
    torch.testing.assert_close(fitted.scores(x)[0].softmax(0), shares, atol=1e-4, rtol=0)


def test_a_fit_out_of_steps_says_so() -> None:
    case = made("overlapping")

    fitted = LogisticProbe(max_iterations=1, tolerance=1e-9).fit(case.x, case.y, CLASSES, 0.01)

    assert not fitted.converged
    assert fitted.iterations == 1
    assert fitted.weights_CE.norm() > 0, "the one step that it may take is taken"
    probe = LogisticProbe(max_iterations=1, tolerance=1e-9, l2=(1e-4, 1e-3))
    choice = probe.choose(case, case, CLASSES)
    assert choice.unconverged == [1e-3, 1e-4]


@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0])
def test_the_gradient_that_is_told_is_autograds_in_the_features_own_unit(scale: float) -> None:
    case = made("overlapping")
    x = scale * case.x

    fitted = LogisticProbe(max_iterations=2).fit(x, case.y, CLASSES, 1.0)

    w = fitted.weights_CE.clone().requires_grad_()
    logits = x @ w[:, :-1].T + w[:, -1]
    loss = F.cross_entropy(logits, case.y, reduction="sum") + 0.5 * w[:, :-1].square().sum()
    [gradient] = torch.autograd.grad(loss, w)
    unit = 200 * x.square().mean().sqrt()
    assert fitted.gradient == pytest.approx(float(gradient.abs().max() / unit), rel=1e-6)


@pytest.mark.parametrize(
    "settings",
    [
        *({"l2": values} for values in ((), (0.0,), (-1.0,), (math.inf,), (math.nan,))),
        *({"tolerance": value} for value in (0.0, -1.0, math.inf, math.nan)),
        *({"max_iterations": value} for value in (0, -1)),
    ],
)
def test_a_number_outside_its_range_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(settings))):
        LogisticProbe(**settings)


def test_the_choice_is_the_best_on_the_validation_part_fitted_on_the_other() -> None:
    case = made("overlapping")
    fit, validation = Case(case.x[:120], case.y[:120]), Case(case.x[120:], case.y[120:])
    grid = (1e-3, 1.0, 1e3, 1e5)

    choice = LogisticProbe(l2=grid, tolerance=1e-9).choose(fit, validation, CLASSES)

    expected = {
        l2: 100 * scikit_learns(fit, l2).score(validation.x.numpy(), validation.y.numpy())
        for l2 in grid
    }
    assert dict(zip(choice.candidates, choice.accuracies, strict=True)) == pytest.approx(expected)
    assert expected[choice.l2] == max(expected.values())


def test_among_equals_the_strongest_penalty_is_chosen() -> None:
    case = made("separable")

    choice = LogisticProbe(l2=(0.01, 1.0, 0.1)).choose(case, case, CLASSES)

    assert choice.accuracies == [100.0] * 3
    assert choice.candidates == [1.0, 0.1, 0.01]
    assert choice.l2 == 1.0


def test_the_papers_grid_is_45_values_from_1e_minus_6_to_1e5_even_in_the_logarithm() -> None:
    grid = LogisticProbe().l2

    assert len(grid) == 45
    assert [math.log10(l2) for l2 in grid] == pytest.approx(np.linspace(-6, 5, 45), abs=1e-6)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_top_k_is_scikit_learns(k: int) -> None:
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=(300, 7)), rng.integers(0, 7, 300)

    found = top_k_accuracy(torch.from_numpy(scores), torch.from_numpy(labels), k)

    expected = top_k_accuracy_score(labels, scores, k=k, labels=range(7))
    assert found == pytest.approx(100 * expected)


def test_of_equal_scores_the_smaller_class_numbers_come_first() -> None:
    # Among many equal ones a sort that is not stable takes any.
    scores = torch.randint(0, 3, (200, 50), generator=torch.Generator().manual_seed(0)).double()
    expected = torch.from_numpy(np.argsort(-scores.numpy(), axis=1, kind="stable"))

    for k in (1, 5):
        last = expected[:, k - 1]
        assert top_k_accuracy(scores, last, k) == 100
        assert top_k_accuracy(scores, expected[:, k], k) == 0


def test_where_all_features_are_dead_the_gradient_is_told_in_the_biases_unit() -> None:
    x, y = torch.zeros(200, 3, dtype=torch.float64), (torch.arange(200) < 20).long()

    fitted = LogisticProbe(max_iterations=1).fit(x, y, 2, 1.0)

    p = fitted.scores(x).softmax(1)[0]
    assert fitted.gradient == pytest.approx(float((p - torch.tensor([0.9, 0.1])).abs().max()))
    assert fitted.gradient > 1e-3, "far from the solution, so that the unit shows"


def test_reports_say_what_the_probe_is_and_it_stops_after_a_thousand_steps() -> None:
    probe = LogisticProbe()

    assert probe.summary == (
        "L-BFGS on features of the centre square, l2 chosen on a validation split (B.8.1)"
    )
    assert (probe.tolerance, probe.max_iterations) == (1e-5, 1000)
