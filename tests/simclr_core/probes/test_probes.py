"""Read-outs beside the probe on all labels: few labels, and the geometry of the features."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from made_trials import HERE, Listener, made_dataset, random_pictures, small_config, trained
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from simclr_core.augment.views import Symmetric, draw_views
from simclr_core.chance import Chance
from simclr_core.config.overrides import check
from simclr_core.data.dataset import Dataset, load
from simclr_core.data.images import Images
from simclr_core.data.textures import Textures
from simclr_core.errors import ConfigurationError
from simclr_core.evaluation.frozen_evaluation import Evaluated, evaluate
from simclr_core.evaluation.frozen_features import features
from simclr_core.evaluation.splits import Part, few_labels
from simclr_core.probes.logistic import LogisticProbe


def textures(num: int = 300, num_test: int = 200) -> Dataset:
    return load(Textures(num_images=num, num_test=num_test), cache=None)


def found_by(dataset: Dataset, **changes: Any) -> Evaluated:
    """The read-outs of a random encoder."""
    state = trained({"epochs": 0}).state
    return evaluate(small_config(changes), dataset, state, HERE, Listener())


def represented(dataset: Dataset, part: Any) -> tuple[Tensor, Tensor, Images]:
    encoder = small_config().encoder.build(0)
    encoder.load_state_dict(trained({"epochs": 0}).state)
    images, labels, _ = dataset.labelled(part)
    return features(encoder, images, dataset.size, HERE), labels, images


# ------------------------------------------------------------------------------- which few labels


def a_part(labels: Tensor, *, order: Tensor | None = None) -> Part:
    """Pictures numbered by their hash, told in an order."""
    order = torch.arange(len(labels)) if order is None else order
    pictures = random_pictures(len(labels), 2)[order]
    hashes = tuple(int(i).to_bytes(32, "big") for i in order)
    return Part(Images.of(pictures), order[:, None].float(), labels[order], hashes)


def test_they_are_equally_many_of_each_class() -> None:
    labels = torch.tensor([0] * 100 + [1] * 60 + [2] * 40)

    few = few_labels(a_part(labels), 0.1, 240, 3)

    assert Counter(few.y.tolist()) == {0: 8, 1: 8, 2: 8}  # a tenth of 240


def test_at_least_one_of_each_and_all_of_a_class_with_fewer() -> None:
    labels = torch.tensor([0] * 100 + [1] * 100 + [2] * 3)

    assert Counter(few_labels(a_part(labels), 0.001, 203, 3).y.tolist()) == {0: 1, 1: 1, 2: 1}
    assert Counter(few_labels(a_part(labels), 0.3, 203, 3).y.tolist()) == {0: 20, 1: 20, 2: 3}


def test_they_depend_on_content_alone_and_the_fewer_are_among_the_more() -> None:
    labels = torch.arange(90) % 3
    shuffled = torch.randperm(90, generator=torch.Generator().manual_seed(0))

    one, other = (
        few_labels(a_part(labels, order=order), 0.2, 90, 3)
        for order in (torch.arange(90), shuffled)
    )
    fewer = few_labels(a_part(labels), 0.1, 90, 3)

    assert set(one.hashes) == set(other.hashes)
    assert set(fewer.hashes) < set(one.hashes)
    assert [int(x) for x in one.x] == [int.from_bytes(h, "big") for h in one.hashes]
    # Not simply the first of each class.
    assert sorted(one.x[:, 0].tolist()) != list(range(18))


def test_a_probe_of_few_labels_is_scikit_learns_on_those_images_alone() -> None:
    dataset, other = textures(), textures()
    grid = (1e-3, 1e-1, 10.0, 1e3)
    (x, y, _), (x_v, y_v, _), (x_t, y_t, _) = (
        represented(other, part) for part in ("fit", "validation", "test")
    )
    part = other.labelled("fit")
    few = few_labels(Part(part.images, x, y, part.hashes), 0.1, 300, 10)
    assert Counter(few.y.tolist()) == dict.fromkeys(range(10), 3)

    def solved(l2: float) -> LogisticRegression:
        solver = LogisticRegression(C=1 / l2, solver="newton-cholesky", tol=1e-10, max_iter=999)
        return solver.fit(few.x.double().numpy(), few.y.numpy())

    scores = {l2: solved(l2).score(x_v.double().numpy(), y_v.numpy()) for l2 in grid}
    best = max(grid, key=lambda l2: (scores[l2], l2))
    expected = 100 * solved(best).score(x_t.double().numpy(), y_t.numpy())
    probe = {"kind": "logistic", "l2": grid, "tolerance": 1e-9}

    found = found_by(
        dataset, **{"evaluation.probe": probe, "evaluation.label_fractions": [0.1, 0.5]}
    )

    assert found.values["top1@10%"] == pytest.approx(expected)
    assert (found.facts["l2@10%"], found.facts["images@10%"]) == (best, 30)
    assert found.facts["images@50%"] == 150
    assert found.values["top1@50%"] != found.values["top1@10%"]
    plain = found_by(textures(), **{"evaluation.probe": probe})
    assert plain.values.items() <= found.values.items()


def test_seeds_of_trials_share_the_few_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: list[Tensor] = []
    fit = LogisticProbe.fit

    def watched(*arguments: Any) -> Any:
        fitted.append(arguments[1])
        return fit(*arguments)

    monkeypatch.setattr(LogisticProbe, "fit", watched)

    for seed in (0, 7):
        found_by(textures(), seed=seed, **{"evaluation.label_fractions": [0.1]})

    _, one, _, other = fitted
    assert torch.equal(one, other)
    assert len(one) == 30


def test_few_labels_are_counted_from_what_is_trained_on_where_the_test_part_is_not_asked_for() -> (
    None
):
    changes = {"evaluation.label_fractions": [0.1], "evaluation.split": "validation"}

    found = found_by(dataset := textures(), **changes)

    assert dataset.reads["test"] == 0
    assert "validation_top1@10%" in found.values
    assert found.facts["images@10%"] == 30  # a tenth of 270, to the next whole number a class


@pytest.mark.parametrize("probe", [None, {"kind": "sgd"}])
def test_few_labels_ask_for_a_probe_on_cached_features(probe: dict[str, Any] | None) -> None:
    with pytest.raises(
        ConfigurationError, match=r"label_fractions need a probe .*, got (null|sgd)"
    ):
        check({"evaluation.probe": probe, "evaluation.label_fractions": [0.1]})


def test_the_probe_by_field_keeps_its_kind() -> None:
    assert check({"evaluation.probe.l2": [2.0]}).evaluation.probe == LogisticProbe(l2=(2.0,))
    with pytest.raises(
        ConfigurationError, match=r"must be one of 'logistic', 'ridge', 'sgd'|one of"
    ):
        check({"evaluation.probe.kind": "svm"})


# --------------------------------------------------------------------------------------- geometry


def test_geometry_is_that_of_the_test_parts_features_and_of_two_views() -> None:
    operations = [{"kind": "crop"}, {"kind": "colour", "strength": 0.5}]
    geometry = {"views": {"kind": "symmetric", "operations": operations}, "t": 1.5, "alpha": 1.0}
    x, _, images = represented(textures(), "test")
    encoder = small_config().encoder.build(0).eval()
    encoder.load_state_dict(trained({"epochs": 0}).state)
    index = torch.arange(len(images))
    views = Symmetric.model_validate(geometry["views"])
    with torch.no_grad():
        h = [
            encoder(view).double().numpy()
            for view in draw_views(views, *images.batch(index), Chance.of(0, 0, index), 32)
        ]
    u, v = (one / np.linalg.norm(one, axis=1, keepdims=True) for one in h)
    w = x.double().numpy() / np.linalg.norm(x.double().numpy(), axis=1, keepdims=True)
    squares = ((w[:, None] - w[None]) ** 2).sum(2)[~np.eye(len(w), dtype=bool)]
    singular = np.linalg.svd(x.double().numpy(), compute_uv=False)
    p = singular / singular.sum()

    found = found_by(textures(), **{"evaluation.geometry": geometry}).values

    assert found["alignment"] == pytest.approx(np.linalg.norm(u - v, axis=1).mean(), rel=1e-4)
    assert found["uniformity"] == pytest.approx(np.log(np.exp(-1.5 * squares).mean()), rel=1e-5)
    assert found["effective_rank"] == pytest.approx(np.exp(-(p * np.log(p)).sum()), rel=1e-5)


def test_geometry_needs_no_training_part_and_its_pairs_are_those_of_every_trial() -> None:
    one, other = (
        found_by(textures(), seed=seed, **{"evaluation.geometry": {}}).values for seed in (0, 5)
    )

    assert one["alignment"] == other["alignment"]


def test_a_dead_representation_has_an_alignment_of_0_and_no_rank() -> None:
    dataset = made_dataset(random_pictures(60, 32), torch.arange(60) % 10, 40)
    state = {name: torch.zeros_like(one) for name, one in trained({"epochs": 0}).state.items()}

    values = evaluate(
        small_config({"evaluation.geometry": {}}), dataset, state, HERE, Listener()
    ).values

    assert (values["alignment"], values["uniformity"]) == (0, 0)
    assert np.isnan(values["effective_rank"])
