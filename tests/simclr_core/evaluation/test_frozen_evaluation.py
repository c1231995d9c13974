"""Read-outs: a frozen encoder, choices on the validation split, one look at the test split."""

import math
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from made_trials import (
    HERE,
    Listener,
    equal_states,
    made_dataset,
    random_pictures,
    small_config,
    textures,
    trained,
)
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix as sklearns_matrix
from sklearn.metrics import top_k_accuracy_score
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor, nn

from reports.judging import negative_controls
from simclr_core.config.schema import Config
from simclr_core.data.dataset import Dataset, Part
from simclr_core.data.images import Images
from simclr_core.errors import Diverged
from simclr_core.evaluation.frozen_evaluation import Evaluated, evaluate
from simclr_core.evaluation.frozen_features import features, state_hash
from simclr_core.probes.contract import confusion_matrix, right_by_class, top_k_accuracy
from simclr_core.probes.logistic import LogisticProbe
from simclr_core.runtime import Execution
from simclr_core.seeds import generator

GRID = (1e-3, 1e-1, 1.0, 10.0, 1e3)


def found_by(
    changes: Mapping[str, Any] | None = None,
    dataset: Dataset | None = None,
    state: dict[str, Tensor] | None = None,
    listener: Listener | None = None,
) -> Evaluated:
    """The read-outs of a random encoder, if no other is given."""
    config = small_config(changes)
    dataset = dataset or textures()
    state = state or trained({"epochs": 0}).state
    return evaluate(config, dataset, state, HERE, listener or Listener())


def representation(config: Config, dataset: Dataset, state: dict[str, Tensor], part: Part) -> Any:
    """H and labels of a part as numpy sees them, by a plain forward pass."""
    encoder = config.encoder.build(0).eval()
    encoder.load_state_dict(state)
    labelled = dataset.labelled(part)
    x = labelled.images.centre_squares(torch.arange(len(labelled.labels)), dataset.size)
    with torch.no_grad():
        return encoder(x).double().numpy(), labelled.labels.numpy()


# --------------------------------------------------------------------------- against scikit-learn


def test_the_whole_chain_is_scikit_learns() -> None:
    # l2 by the validation split, refitted on fit and validation, tested once. The data are such that
    # choosing on the test split, or leaving the validation split out of the refit, would show.
    dataset, state = textures(300, 300), trained({"epochs": 0}).state
    config = small_config({"evaluation.probe": {"kind": "logistic", "l2": GRID, "tolerance": 1e-9}})
    fit, validation, both, test = (
        representation(config, dataset, state, part)
        for part in ("fit", "validation", "train", "test")
    )

    def accuracy(l2: float, fitted_on: Any, asked: Any) -> float:
        solver = LogisticRegression(C=1 / l2, solver="newton-cholesky", tol=1e-10, max_iter=999)
        return 100 * solver.fit(*fitted_on).score(*asked)

    on_validation = {l2: accuracy(l2, fit, validation) for l2 in GRID}
    best = max(GRID, key=lambda l2: (on_validation[l2], l2))
    expected = accuracy(best, both, test)
    best_on_test = max(GRID, key=lambda l2: (accuracy(l2, fit, test), l2))
    assert best_on_test != best
    assert accuracy(best, fit, test) != expected

    found = evaluate(config, dataset, state, HERE, Listener())

    assert found.facts["l2"] == best
    assert found.values["validation_top1"] == pytest.approx(on_validation[best])
    assert found.values["top1"] == pytest.approx(expected)
    solver = LogisticRegression(C=1 / best, solver="newton-cholesky", tol=1e-10, max_iter=999)
    table = sklearns_matrix(test[1], solver.fit(*both).predict(test[0]))
    assert found.facts["class_right"] == table.diagonal().tolist()
    assert found.facts["class_images"] == table.sum(axis=1).tolist()
    assert found.facts["class_confusion"] == table.tolist()


def test_neighbours_vote_from_the_whole_training_part() -> None:
    dataset, state = textures(), trained({"epochs": 0}).state
    config = small_config({"evaluation.knn": {"k": 20, "temperature": 0.2}})
    train, test = (representation(config, dataset, state, p) for p in ("train", "test"))
    oracle = KNeighborsClassifier(
        20, metric="cosine", weights=lambda d: torch.exp((1 - torch.as_tensor(d)) / 0.2).numpy()
    ).fit(*train)

    values = evaluate(config, dataset, state, HERE, Listener()).values

    assert values["knn_top1"] == pytest.approx(100 * oracle.score(*test))
    shares = oracle.predict_proba(test[0])
    assert values["knn_top5"] == pytest.approx(
        100 * top_k_accuracy_score(test[1], shares, k=5), abs=100 / 60
    )


# --------------------------------------------------------------------------------------- frozen


def test_the_encoder_is_the_same_before_and_after() -> None:
    state = trained({"epochs": 0}).state
    kept = {name: tensor.clone() for name, tensor in state.items()}

    facts = found_by(state=state).facts

    assert facts["encoder_hash_before"] == facts["encoder_hash_after"] == state_hash(kept)
    assert equal_states(state, kept)


def test_batch_norm_left_in_training_mode_shows_in_the_hashes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unfrozen(
        encoder: nn.Module, images: Images, size: int, execution: Execution, *_: None
    ) -> Tensor:
        encoder.train()
        with torch.no_grad():
            encoder(images.centre_squares(torch.arange(len(images)), size))
        return features(encoder, images, size, execution)

    monkeypatch.setattr("simclr_core.evaluation.frozen_evaluation.features", unfrozen)

    facts = found_by().facts

    assert facts["encoder_hash_before"] != facts["encoder_hash_after"]


def test_an_encoder_whose_last_step_went_too_far_ends_in_a_sentence() -> None:
    state = trained({"epochs": 0}).state
    state["bn1.weight"][0] = torch.inf

    with pytest.raises(
        Diverged,
        match=r"the finished encoder's features are not finite; lower optimizer\.learning_rate or",
    ):
        found_by(state=state)


# ------------------------------------------------------------------------------- the test split


def test_the_test_part_is_handed_out_once_and_last(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset, order = textures(), list[str]()
    hand_out, choose, fit = dataset.labelled, LogisticProbe.choose, LogisticProbe.fit

    def told(name: str, what: Any) -> Any:
        def watched(*arguments: Any) -> Any:
            order.append(name or arguments[0])
            return what(*arguments)

        return watched

    monkeypatch.setattr(dataset, "labelled", told("", hand_out))
    monkeypatch.setattr(LogisticProbe, "choose", told("choose", choose))
    monkeypatch.setattr(LogisticProbe, "fit", told("refit", fit))

    facts = found_by(dataset=dataset).facts

    assert order == ["fit", "validation", "choose", "refit", "test"]
    assert dataset.reads["test"] == 1
    assert facts["test_reads_before_evaluation"] == 0


def test_labels_of_the_test_part_play_no_part_in_a_choice() -> None:
    pictures, labels = random_pictures(90, 32), torch.arange(90) % 10
    turned = torch.cat([labels[:60], labels[60:].roll(1)])

    one, other = (found_by(dataset=made_dataset(pictures, y, 60)) for y in (labels, turned))

    assert one.values["top1"] != other.values["top1"]
    assert one.values["validation_top1"] == other.values["validation_top1"]
    same = ("l2", "probe_iterations", "encoder_hash_after")
    assert [one.facts[name] for name in same] == [other.facts[name] for name in same]


def test_test_images_that_were_also_fitted_or_chosen_on_are_counted() -> None:
    dataset = textures()
    dataset._contents = (*dataset._contents[:120], *dataset._contents[:3], *dataset._contents[123:])

    assert found_by(dataset=dataset).facts["shared_images"] == 3
    assert found_by().facts["shared_images"] == 0


# -------------------------------------------------------------------------- which values there are


def test_top_5_is_told_from_six_classes_on() -> None:
    pictures = random_pictures(120, 32)

    for num_classes, expected in ((5, False), (6, True)):
        dataset = made_dataset(pictures, torch.arange(120) % num_classes, 90, num_classes)
        values = found_by(dataset=dataset).values
        assert ("top5" in values, "knn_top5" in values) == (expected, expected)


def test_a_probe_alone_and_neighbours_alone() -> None:
    probe, neighbours = found_by({"evaluation.knn": None}), found_by({"evaluation.probe": None})

    assert list(probe.values) == ["validation_top1", "top1", "top5"]
    assert list(neighbours.values) == ["knn_top1", "knn_top5"]
    assert "l2" in probe.facts
    assert "l2" not in neighbours.facts
    both = found_by().values
    assert both == {**probe.values, **neighbours.values}


def test_the_facts_tell_a_choice_at_the_edge_and_a_fit_out_of_steps() -> None:
    probe = {"kind": "logistic", "l2": [1e5, 1e6]}

    edge = found_by({"evaluation.probe": probe}).facts
    alone = found_by({"evaluation.probe": {**probe, "l2": [1.0]}}).facts
    hasty = {"l2": [1e-3, 1e-2], "max_iterations": 2, "tolerance": 1e-12}
    short = found_by({"evaluation.probe": {**probe, **hasty}}).facts

    assert (edge["l2_at_the_edge"], edge["probe_converged"]) == (True, True)
    assert not alone["l2_at_the_edge"]
    assert (short["probe_converged"], short["probe_iterations"]) == (False, 2)
    assert short["candidates_not_converged"] == 2


# ---------------------------------------------------------------------------- permuted labels


def permuted(num: int = 20, **changes: Any) -> Evaluated:
    return found_by({"evaluation.permuted_labels": num, **changes}, dataset=textures(200, 100))


def excess(values: Mapping[str, float]) -> float:
    """How far the control stands above chance, in its standard errors."""
    above = values[negative_controls.PERMUTED_MEAN] - values[negative_controls.PERMUTED_CHANCE]
    return above / values[negative_controls.PERMUTED_ERROR]


def test_permuted_labels_are_found_no_better_than_chance() -> None:
    found = permuted()

    assert set(found.values) == {
        negative_controls.PERMUTED_MEAN,
        negative_controls.PERMUTED_ERROR,
        negative_controls.PERMUTED_CHANCE,
    }
    assert found.values[negative_controls.PERMUTED_CHANCE] == 10.0
    # Below chance it may well fall: the class that is largest in the training part is, for that
    # very reason, rarer in the test split.
    assert excess(found.values) < negative_controls.MOST_ERRORS
    assert found.values[negative_controls.PERMUTED_MEAN] > 5
    assert 0 < found.values[negative_controls.PERMUTED_ERROR] < 2
    assert found.facts["permutations"] == 20
    assert found.facts["encoder_hash_before"] == found.facts["encoder_hash_after"]


def test_a_probe_that_was_shown_the_test_part_stands_out(monkeypatch: pytest.MonkeyPatch) -> None:
    config, dataset = small_config(), textures(200, 100)
    state, fit_each = trained({"epochs": 0}).state, LogisticProbe.fit_each
    x_test, _ = representation(config, dataset, state, "test")
    parts = [dataset.labelled(part).labels for part in ("fit", "validation", "test")]
    labels, done = torch.cat(parts), list[int]()

    def leaking(probe: LogisticProbe, x: Tensor, labels_Ln: Tensor, num: int, *_: Any) -> Any:
        shown = torch.cat([x, torch.from_numpy(x_test).to(x)])
        for y in labels_Ln:
            order = torch.randperm(300, generator=generator(config.seed, "permuted", len(done)))
            done.append(1)
            leaked = torch.cat([y, labels[order][200:]])[None]
            yield from fit_each(probe, shown, leaked, num, [1e-3])

    monkeypatch.setattr(LogisticProbe, "fit_each", leaking)

    assert excess(permuted().values) > negative_controls.MOST_ERRORS


def test_the_largest_class_is_counted_over_the_whole_data_set() -> None:
    labels = torch.tensor([0] * 50 + [1] * 30 + [2] * 40)
    order = torch.randperm(120, generator=torch.Generator().manual_seed(0))
    dataset = made_dataset(random_pictures(120, 32), labels[order], 90, 3)

    values = found_by({"evaluation.permuted_labels": 2}, dataset).values

    assert values[negative_controls.PERMUTED_CHANCE] == pytest.approx(100 * 50 / 120)


def test_one_permutation_has_no_standard_error() -> None:
    assert math.isnan(permuted(1).values[negative_controls.PERMUTED_ERROR])


def test_permutations_are_told_and_can_be_stopped() -> None:
    told, stopped = Listener(), Listener(stop_after=2)

    found_by({"evaluation.permuted_labels": 3}, listener=told)
    found = found_by({"evaluation.permuted_labels": 3}, listener=stopped)

    assert told.steps == [(1, 3), (2, 3), (3, 3)]
    assert found.facts["permutations"] == 2


def test_each_seed_permutes_in_its_own_way_and_always_in_the_same() -> None:
    assert permuted(3).values == permuted(3).values
    assert permuted(3).values != permuted(3, seed=1).values


def test_counts_by_class_add_up_to_the_accuracy_with_ties_for_the_smaller_class() -> None:
    scores = torch.tensor([[1.0, 1.0, 0.0], [0.0, 2.0, 2.0], [0.0, 0.0, 1.0], [3.0, 0.0, 0.0]])
    labels = torch.tensor([0, 2, 2, 1])

    right, images = right_by_class(scores, labels)

    assert (right.tolist(), images.tolist()) == ([1, 0, 1], [1, 1, 2])
    assert 100 * int(right.sum()) / 4 == top_k_accuracy(scores, labels, 1)
    assert confusion_matrix(scores, labels).tolist() == [[1, 0, 0], [1, 0, 0], [0, 1, 1]]


@pytest.mark.parametrize(("classes", "recorded"), [(100, True), (101, False)])
def test_a_trial_of_at_most_100_classes_records_its_confusion_matrix(
    classes: int,
    recorded: bool,  # noqa: FBT001
) -> None:
    labels = torch.arange(3 * classes) % classes
    dataset = made_dataset(random_pictures(3 * classes, 32), labels, 2 * classes, classes)
    probe = {"kind": "logistic", "l2": [100.0], "tolerance": 0.1}

    facts = found_by({"evaluation.probe": probe, "evaluation.knn": None}, dataset).facts

    assert ("class_confusion" in facts) == recorded
    assert len(facts["class_right"]) == classes
    if recorded:
        matrix = torch.tensor(facts["class_confusion"])
        assert matrix.sum(dim=1).tolist() == facts["class_images"]
        assert matrix.diagonal().tolist() == facts["class_right"]


@pytest.mark.parametrize(
    "changes", [{"evaluation.target": {"kind": "rotation"}}, {"evaluation.probe": None}]
)
def test_only_a_probe_of_classes_counts_by_class(changes: dict[str, Any]) -> None:
    assert not {"class_right", "class_confusion"} & found_by(changes).facts.keys()
