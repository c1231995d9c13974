"""The ridge probe against scikit-learn's, where fitting is easy and hard."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from made_trials import HERE, Listener, small_config, textures, trained
from sklearn.linear_model import Ridge, RidgeClassifier
from torch import Tensor

from reports.judging import negative_controls
from simclr_core.evaluation.frozen_evaluation import evaluate
from simclr_core.evaluation.frozen_features import features
from simclr_core.probes.ridge import RidgeProbe

CLASSES = 4


class Case(NamedTuple):
    x: Tensor
    y: Tensor


def made(name: str) -> Case:
    rng = torch.Generator().manual_seed(5)
    num, size = (20, 60) if name == "more features than images" else (200, 6)
    y = torch.arange(num) % CLASSES
    centres = torch.randn(CLASSES, size, generator=rng, dtype=torch.float64)
    x = centres[y] + torch.randn(num, size, generator=rng, dtype=torch.float64)
    match name:
        case "unequal scales":
            x = x * torch.tensor([1e-3, 0.1, 1, 10, 100, 1e3]).double()
        case "constant feature":
            x[:, 2], x[:, 4] = 5.0, 0.0
        case "far from the origin":
            x = x + 50
        case "imbalanced":
            y = torch.where(torch.arange(num) < 180, 0, y)
    return Case(x, y)


CASES = (
    "overlapping",
    "unequal scales",
    "constant feature",
    "far from the origin",
    "imbalanced",
    "more features than images",
)


@pytest.mark.parametrize("l2", [0.01, 1.0, 1e4])
@pytest.mark.parametrize("name", CASES)
def test_the_solution_is_scikit_learns(name: str, l2: float) -> None:
    case = made(name)
    one_hot = np.eye(CLASSES)[case.y.numpy()]
    oracle = Ridge(alpha=l2, solver="svd").fit(case.x.numpy(), one_hot)

    fitted = RidgeProbe().fit(case.x, case.y, CLASSES, l2)

    scale = np.abs(oracle.coef_).max()
    np.testing.assert_allclose(fitted.weights_dC.T, oracle.coef_, atol=1e-7 * scale)
    np.testing.assert_allclose(fitted.scores(case.x), oracle.predict(case.x.numpy()), atol=1e-7)
    classifier = RidgeClassifier(alpha=l2, solver="svd").fit(case.x.numpy(), case.y.numpy())
    assert fitted.scores(case.x).argmax(1).tolist() == classifier.predict(case.x.numpy()).tolist()


def test_among_equal_accuracies_the_strongest_is_chosen() -> None:
    case = made("overlapping")
    easy = Case(20 * torch.eye(CLASSES, dtype=torch.float64)[case.y], case.y)

    choice = RidgeProbe(l2=(1.0, 0.1, 10.0)).choose(easy, easy, CLASSES)

    assert choice.accuracies == [100, 100, 100]
    assert choice.l2 == 10.0


@pytest.mark.parametrize("num", [300])
def test_as_a_read_out_it_chooses_on_validation_refits_and_tests_once(num: int) -> None:
    grid = (1e-4, 1e-2, 1.0, 100.0, 1e4)
    dataset, state = textures(num, num), trained({"epochs": 0}).state
    config = small_config({"evaluation.probe": {"kind": "ridge", "l2": grid}})
    encoder = config.encoder.build(0)
    encoder.load_state_dict(state)
    other = textures(num, num)
    h = {
        part: (
            features(encoder, (got := other.labelled(part)).images, other.size, HERE)
            .double()
            .numpy(),
            got.labels.numpy(),
        )
        for part in ("fit", "validation", "train", "test")
    }

    def accuracy(l2: float, fitted_on: str, asked: str) -> float:
        return 100 * RidgeClassifier(alpha=l2, solver="svd").fit(*h[fitted_on]).score(*h[asked])

    on_validation = {l2: accuracy(l2, "fit", "validation") for l2 in grid}
    best = max(grid, key=lambda l2: (on_validation[l2], l2))
    assert best != max(grid, key=lambda l2: (accuracy(l2, "fit", "test"), l2))
    assert accuracy(best, "fit", "test") != accuracy(best, "train", "test")

    found = evaluate(config, dataset, state, HERE, Listener())

    assert found.facts["l2"] == best
    assert found.values["validation_top1"] == pytest.approx(on_validation[best])
    assert found.values["top1"] == pytest.approx(accuracy(best, "train", "test"))
    assert dataset.reads["test"] == 1
    assert "probe_converged" not in found.facts


def test_permuted_labels_are_found_no_better_than_chance() -> None:
    # Beyond 4 standard errors by chance: 3 in 100,000.
    changes = {"evaluation.probe": {"kind": "ridge"}, "evaluation.permuted_labels": 20}
    config, state = small_config(changes), trained({"epochs": 0}).state

    values = evaluate(config, textures(200, 100), state, HERE, Listener()).values

    above = values[negative_controls.PERMUTED_MEAN] - values[negative_controls.PERMUTED_CHANCE]
    assert above <= negative_controls.MOST_ERRORS * values[negative_controls.PERMUTED_ERROR]
