"""The paper's SGD probe against a restatement in numpy, scikit-learn, and layers fitted one by one."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from made_trials import (
    HERE,
    Listener,
    made_dataset,
    random_pictures,
    small_config,
    textures,
    trained,
)
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from reports.judging import negative_controls
from simclr_core.augment.operations import Crop
from simclr_core.chance import Chance
from simclr_core.data.dataset import Dataset
from simclr_core.data.images import Images
from simclr_core.errors import ConfigurationError
from simclr_core.evaluation.frozen_evaluation import Evaluated, evaluate
from simclr_core.evaluation.frozen_features import features
from simclr_core.optim.schedules import Constant
from simclr_core.probes.contract import top_k_accuracy
from simclr_core.probes.sgd import FittedLayers, SgdProbe
from simclr_core.seeds import generator

CLASSES = 3


def made(num: int = 90, size: int = 5) -> tuple[Tensor, Tensor]:
    """Overlapping classes."""
    rng = torch.Generator().manual_seed(4)
    y = torch.arange(num) % CLASSES
    centres = torch.randn(CLASSES, size, generator=rng)
    return centres[y] + torch.randn(num, size, generator=rng), y


def fitted(probe: SgdProbe, x: Tensor, y_Ln: Tensor, *, seed: int = 0) -> FittedLayers:
    """On features that no crop changes."""
    return probe.fit(lambda _, index: x[index], y_Ln, CLASSES, seed, Listener())


def restated(
    x: NDArray[np.float64], y: NDArray[np.int64], batch: int, epochs: int, *, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """B.6 by hand: Nesterov's momentum as in Sutskever et al. 2013 with the gradient looked ahead.

    a <- 0.9 a + g, w <- w - rate (g + 0.9 a): TensorFlow's and torch's common form.
    """
    per_epoch = len(y) // batch
    total, peak, done = epochs * per_epoch, 0.1 * batch / 256, 0
    w, b = np.zeros((CLASSES, x.shape[1])), np.zeros(CLASSES)
    aw, ab = np.zeros_like(w), np.zeros_like(b)
    for epoch in range(epochs):
        order = torch.randperm(len(y), generator=generator(seed, "probe", epoch)).numpy()
        for step in range(per_epoch):
            rows = order[step * batch : (step + 1) * batch]
            logits = x[rows] @ w.T + b
            p = np.exp(logits - logits.max(1, keepdims=True))
            p /= p.sum(1, keepdims=True)
            p[np.arange(batch), y[rows]] -= 1
            gw, gb = p.T @ x[rows] / batch, p.mean(0)
            aw, ab = 0.9 * aw + gw, 0.9 * ab + gb
            rate = peak * 0.5 * (1 + math.cos(math.pi * done / total))
            w, b = w - rate * (gw + 0.9 * aw), b - rate * (gb + 0.9 * ab)
            done += 1
    return w, b


# --------------------------------------------------------------------------------- the fit itself


@pytest.mark.parametrize(("batch", "epochs"), [(20, 4), (90, 3), (64, 5)])
def test_the_layer_is_that_of_nesterovs_rule_by_hand(batch: int, epochs: int) -> None:
    x, y = made()
    w, b = restated(100 * x.double().numpy(), y.numpy(), batch, epochs, seed=6)

    layers = fitted(SgdProbe(batch_size=batch, epochs=epochs), 100 * x, y[None], seed=6)

    np.testing.assert_allclose(layers.weights_LCd[0], w, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layers.biases_LC[0], b, rtol=1e-4, atol=1e-5)


def test_the_defaults_are_the_papers() -> None:
    probe = SgdProbe()

    assert (probe.epochs, probe.batch_size, probe.momentum) == (90, 4096, 0.9)
    assert probe.learning_rate * probe.batch_size / 256 == pytest.approx(1.6)
    assert [probe.schedule.share(step, 100, 10) for step in (0, 50, 100)] == pytest.approx(
        [1, 0.5, 0]
    )
    assert probe.crop == Crop()


def test_it_ends_where_regression_without_a_penalty_ends() -> None:
    x, y = made()
    x = x + 2 * torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    oracle = LogisticRegression(C=1e8, solver="newton-cholesky", tol=1e-10).fit(x, y)
    probe = SgdProbe(batch_size=90, epochs=800, learning_rate=1.0, schedule=Constant())

    scores = fitted(probe, x, y[None]).scores(x)

    np.testing.assert_allclose(scores.softmax(1), oracle.predict_proba(x), atol=2e-3)


def test_layers_side_by_side_are_those_fitted_one_by_one() -> None:
    x, y = made()
    labels = torch.stack([y, y.roll(1), y.flip(0)])
    probe = SgdProbe(batch_size=30, epochs=5)

    together = fitted(probe, x, labels)

    for place, own in enumerate(labels):
        alone = fitted(probe, x, own[None])
        torch.testing.assert_close(together.scores(x, place), alone.scores(x))


def test_equal_seeds_give_equal_bits_and_another_seed_another_order() -> None:
    x, y = made()
    probe = SgdProbe(batch_size=30, epochs=2)

    one, same, other = (fitted(probe, x, y[None], seed=seed) for seed in (1, 1, 2))

    assert torch.equal(one.weights_LCd, same.weights_LCd)
    assert not torch.equal(one.weights_LCd, other.weights_LCd)


def test_a_batch_larger_than_what_is_fitted_on_ends_in_a_sentence() -> None:
    x, y = made()

    with pytest.raises(
        ConfigurationError, match=r"probe\.batch_size: must be at most .*, got 91 of 90; lower it"
    ):
        fitted(SgdProbe(batch_size=91), x, y[None])


def test_it_tells_its_steps_and_stops_when_asked_to() -> None:
    x, y = made()
    told, stopped = Listener(), Listener(stop_after=2)
    probe = SgdProbe(batch_size=40, epochs=2)

    for listener in (told, stopped):
        probe.fit(lambda _, index: x[index], y[None], CLASSES, 0, listener)

    assert told.steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert stopped.steps == [(1, 4), (2, 4)]


# ------------------------------------------------------------------------------------ as read-out

QUICK: dict[str, Any] = {"kind": "sgd", "batch_size": 30, "epochs": 3, "learning_rate": 5.0}
WHOLE = {"area": [1, 1], "aspect": [1, 1], "flip": 0}


def found_by(probe: dict[str, Any], dataset: Dataset | None = None, **changes: Any) -> Evaluated:
    """The read-outs of a random encoder."""
    config = small_config({"evaluation.probe": {**QUICK, **probe}, **changes})
    state = trained({"epochs": 0}).state
    return evaluate(config, dataset or textures(), state, HERE, Listener())


def test_it_is_fitted_on_all_training_images_and_tested_once_on_centre_squares() -> None:
    dataset, other = textures(), textures()
    encoder = small_config().encoder.build(0)
    encoder.load_state_dict(trained({"epochs": 0}).state)
    fit, validation, test = (other.labelled(part) for part in ("fit", "validation", "test"))
    h = [features(encoder, part.images, other.size, HERE) for part in (fit, validation, test)]
    y = torch.cat([fit.labels, validation.labels])
    layer = torch.nn.Linear(h[0].shape[1], 10)
    for parameter in layer.parameters():
        torch.nn.init.zeros_(parameter)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    for epoch in range(3):
        order = torch.randperm(120, generator=generator(0, "probe", epoch))
        for step, rows in enumerate(order.split(30)):
            share = 0.5 * (1 + math.cos(math.pi * (4 * epoch + step) / 12))
            optimizer.param_groups[0]["lr"] = 5.0 * 30 / 256 * share
            optimizer.zero_grad()
            logits = layer(torch.cat(h[:2])[rows])
            torch.nn.functional.cross_entropy(logits, y[rows]).backward()
            optimizer.step()
    expected = top_k_accuracy(layer(h[2]), test.labels, 1)

    found = found_by({"crop": None}, dataset)

    assert found.values["top1"] == pytest.approx(expected, abs=1.7)  # a rounded image of 60
    assert found.values.keys() == {"top1", "top5", "knn_top1", "knn_top5"}
    assert dataset.reads == {"fit": 1, "validation": 1, "test": 1}
    assert found.facts["test_reads_before_evaluation"] == 0
    assert found.facts["encoder_hash_before"] == found.facts["encoder_hash_after"]


def test_crops_of_the_whole_image_are_centre_squares() -> None:
    cached, through = found_by({"crop": None}).values, found_by({"crop": WHOLE}).values

    for name, value in cached.items():
        assert through[name] == pytest.approx(value, abs=1.7), name


def test_random_crops_are_new_in_each_epoch_and_leave_the_encoder_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Tensor] = []
    view = SgdProbe.view

    def watched(*arguments: Any) -> Tensor:
        seen.append(view(*arguments))
        return seen[-1]

    monkeypatch.setattr(SgdProbe, "view", watched)

    facts = found_by({"batch_size": 120, "epochs": 2, "crop": {"flip": 0.5}}).facts

    first, second = seen
    assert first.shape == (120, 3, 32, 32)
    assert float(first.min()) >= 0
    assert float(first.max()) <= 1
    # Two epochs show no image alike, in whatever order.
    nearest = torch.cdist(first.flatten(1), second.flatten(1)).amin(1)
    assert float(nearest.min()) > 0.1
    assert facts["encoder_hash_before"] == facts["encoder_hash_after"]


def test_a_crop_depends_neither_on_batch_nor_order() -> None:
    images, probe, crop = Images.of(random_pictures(12, 16)), SgdProbe(), Crop()
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))

    def views(index: Tensor, epoch: int = 3) -> Tensor:
        return probe.view(crop, images, index, Chance.of(7, epoch, index), 16)

    whole = views(torch.arange(12))
    parts = torch.cat([views(some) for some in order.split(5)])

    assert torch.equal(whole[order], parts)
    assert not torch.equal(whole, views(torch.arange(12), epoch=4))


def test_labels_of_the_test_part_play_no_part_in_the_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures, labels = random_pictures(90, 32), torch.arange(90) % 10
    turned = torch.cat([labels[:60], labels[60:].roll(1)])
    kept: list[FittedLayers] = []
    fit = SgdProbe.fit

    def watched(*arguments: Any) -> FittedLayers:
        kept.append(fit(*arguments))
        return kept[-1]

    monkeypatch.setattr(SgdProbe, "fit", watched)

    for y in (labels, turned):
        found_by({}, made_dataset(pictures, y, 60))

    assert torch.equal(kept[0].weights_LCd, kept[1].weights_LCd)


def test_permuted_labels_are_found_no_better_than_chance() -> None:
    # Beyond 4 standard errors by chance: 3 in 100,000.
    values = found_by({}, textures(200, 100), **{"evaluation.permuted_labels": 20}).values

    above = values[negative_controls.PERMUTED_MEAN] - values[negative_controls.PERMUTED_CHANCE]
    assert above <= negative_controls.MOST_ERRORS * values[negative_controls.PERMUTED_ERROR]
    assert values[negative_controls.PERMUTED_MEAN] > 5


def test_each_permutation_is_fitted_and_tested_on_its_own_labels() -> None:
    dataset, other = textures(), textures()
    encoder = small_config().encoder.build(0)
    encoder.load_state_dict(trained({"epochs": 0}).state)
    parts = [other.labelled(part) for part in ("fit", "validation", "test")]
    h = [features(encoder, part.images, other.size, HERE) for part in parts]
    labels = torch.cat([part.labels for part in parts])
    probe = SgdProbe(batch_size=30, epochs=3, learning_rate=5.0, crop=None)
    expected: list[float] = []
    for i in range(4):
        order = torch.randperm(180, generator=generator(0, "permuted", i))
        own = labels[order]
        x = torch.cat(h[:2])
        layer = probe.fit(lambda _, index, x=x: x[index], own[None, :120], 10, 0, Listener())
        expected.append(top_k_accuracy(layer.scores(h[2]), own[120:], 1))

    values = found_by({"crop": None}, dataset, **{"evaluation.permuted_labels": 4}).values

    assert len(set(expected)) > 1
    assert values[negative_controls.PERMUTED_MEAN] == pytest.approx(sum(expected) / 4, abs=0.5)
    assert dataset.reads["test"] == 1
