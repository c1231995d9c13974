"""The control with permuted labels: one permutation of all labels is fitted, chosen and measured on."""

from typing import Any

import pytest
import torch
from made_trials import HERE, Listener, small_config, textures, trained
from torch import Tensor

from reports.judging import negative_controls
from simclr_core.config.schema import Config
from simclr_core.evaluation.frozen_evaluation import evaluate
from simclr_core.evaluation.frozen_features import features
from simclr_core.probes.contract import top_k_accuracy
from simclr_core.seeds import generator

NUM = 4
CLASSES = 10
PARTS = ("fit", "validation", "test")
PROBES: dict[str, dict[str, Any]] = {
    "logistic": {"kind": "logistic", "l2": [0.01, 100.0]},
    "ridge": {"kind": "ridge", "l2": [0.01, 100.0]},
    "one hidden layer": {"kind": "mlp", "l2": [0.0, 1.0], "epochs": 5},
}
"""Each that chooses; the SGD probe has its own test in test_sgd_probe.py."""


def control(kind: str) -> tuple[Config, dict[str, Tensor]]:
    changes = {"evaluation.probe": PROBES[kind], "evaluation.permuted_labels": NUM}
    return small_config(changes), trained({"epochs": 0}).state


@pytest.mark.parametrize("kind", PROBES)
def test_each_permutation_is_fitted_chosen_and_measured_on_its_own_labels(kind: str) -> None:
    config, state = control(kind)
    dataset, other = textures(200, 100), textures(200, 100)
    encoder = config.encoder.build(0)
    encoder.load_state_dict(state)
    parts = [other.labelled(part) for part in PARTS]
    x_fit, x_validation, x_test = (
        features(encoder, part.images, other.size, HERE) for part in parts
    )
    sizes = [len(part.labels) for part in parts]
    labels = torch.cat([part.labels for part in parts])
    probe = config.evaluation.probe
    expected: list[float] = []
    for i in range(NUM):
        order = torch.randperm(len(labels), generator=generator(0, "permuted", i))
        y_fit, y_validation, y_test = labels[order].split(sizes)
        choice = probe.choose((x_fit, y_fit), (x_validation, y_validation), CLASSES)
        x, y = torch.cat([x_fit, x_validation]), torch.cat([y_fit, y_validation])
        fitted = probe.fit(x, y, CLASSES, choice.l2)
        expected.append(top_k_accuracy(fitted.scores(x_test), y_test, 1))

    values = evaluate(config, dataset, state, HERE, Listener()).values

    assert len(set(expected)) > 1
    assert values[negative_controls.PERMUTED_MEAN] == pytest.approx(sum(expected) / NUM, abs=1e-4)


@pytest.mark.parametrize("kind", PROBES)
def test_what_the_probe_is_fitted_and_chosen_on_agrees_with_the_truth_by_chance_alone(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, state = control(kind)
    dataset, other = textures(200, 100), textures(200, 100)
    fit, validation = (other.labelled(part).labels for part in PARTS[:2])
    truth = {len(y): y for y in (fit, validation, torch.cat([fit, validation]))}
    probe = type(config.evaluation.probe)
    agreement: list[float] = []
    both = probe.fit_each, probe.choose_each

    def noted(*labels: Tensor) -> None:
        agreement.extend(float((y.cpu() == truth[len(y)]).double().mean()) for y in labels)

    def fitted(self: Any, x: Tensor, labels_Ln: Tensor, *others: Any) -> Any:
        noted(*labels_Ln)
        return both[0](self, x, labels_Ln, *others)

    def chosen(self: Any, fit: Any, validation: Any, num_classes: int) -> Any:
        noted(*fit[1], *validation[1])
        return both[1](self, fit, validation, num_classes)

    monkeypatch.setattr(probe, "fit_each", fitted)
    monkeypatch.setattr(probe, "choose_each", chosen)

    evaluate(config, dataset, state, HERE, Listener())

    # A tenth agrees by chance; of 20 labels half do in 7 of a million permutations.
    assert len(agreement) >= 3 * NUM
    assert max(agreement) < 0.5
