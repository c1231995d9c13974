"""Pre-training: what it sees, what it starts from, what it tells, and when it ends.

The updates themselves are held by the tests of loss, optimisers, schedules and views.
"""

import importlib
import math
import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from made_trials import (
    HERE,
    NO_CURVE,
    STILL,
    Listener,
    equal_states,
    kernels,
    made_dataset,
    random_pictures,
    small_config,
    textures,
    trained,
)
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor

from simclr_core.augment.views import draw_views
from simclr_core.chance import Chance
from simclr_core.data.dataset import Dataset
from simclr_core.errors import ConfigurationError, Diverged
from simclr_core.training.pretraining import pretrain

module = importlib.import_module("simclr_core.training.step")
monitor = importlib.import_module("simclr_core.training.monitor")

# ------------------------------------------------------------------------------------ batch norm


def test_statistics_are_of_both_views_in_one_pass_and_decay_by_a_tenth() -> None:
    # One batch an epoch holds all images, so that the order within plays no part in a mean.
    config = small_config({**STILL, **NO_CURVE, "batch_size": 120})
    dataset = textures()
    pictures, shapes = dataset.pretraining_images().batch(torch.arange(120))
    conv1 = config.encoder.build(config.seed).conv1
    mean, var = torch.zeros(8), torch.ones(8)
    for epoch in range(2):
        chance = Chance.of(config.seed, epoch, torch.arange(120))
        views = torch.cat(draw_views(config.views, pictures, shapes, chance, 32))
        with torch.no_grad():
            x_cn = conv1(views).transpose(0, 1).flatten(1)
        mean = 0.9 * mean + 0.1 * x_cn.mean(1)
        var = 0.9 * var + 0.1 * x_cn.var(1)

    state = pretrain(config, dataset, HERE, Listener()).state

    assert int(state["bn1.num_batches_tracked"]) == 2
    torch.testing.assert_close(state["bn1.running_mean"], mean, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(state["bn1.running_var"], var, rtol=1e-4, atol=1e-6)


# ------------------------------------------------------------------------------- seeds, and bits


def test_twice_the_same_is_equal_to_the_bit() -> None:
    first, second = Listener(), Listener()

    one, two = trained(listener=first), trained(listener=second)

    assert equal_states(one.state, two.state)
    for name in ("loss", "contrastive_accuracy", "learning_rate", "knn/validation"):
        assert first.column(name) == second.column(name), name


class Seen:
    """What a pre-training does with chance: its first weights, its pictures and views by step."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, changes: Mapping[str, Any]) -> None:
        self.pictures: list[Tensor] = []
        self.views: list[Tensor] = []

        def watched(*arguments: Any, **named: Any) -> tuple[Tensor, Tensor]:
            views = draw_views(*arguments, **named)
            self.pictures.append(arguments[1].clone())
            self.views.append(torch.cat(views, dim=1))
            return views

        with monkeypatch.context() as patch:
            patch.setattr(module, "draw_views", watched)
            self.first = kernels(trained({**STILL, **NO_CURVE, **changes}).state)

    def by_picture(self, epoch: int) -> dict[bytes, Tensor]:
        """The two views of each picture in an epoch of three steps."""
        steps = slice(3 * epoch, 3 * epoch + 3)
        pictures, views = torch.cat(self.pictures[steps]), torch.cat(self.views[steps])
        return {p.numpy().tobytes(): v for p, v in zip(pictures, views, strict=True)}


def same(first: list[Tensor], second: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_the_seed_of_the_initialisation_changes_the_first_weights_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, other = Seen(monkeypatch, {}), Seen(monkeypatch, {"seeds.initialisation": 5})

    assert not equal_states(one.first, other.first)
    assert same(one.pictures, other.pictures)
    assert same(one.views, other.views)


def test_the_seed_of_the_order_changes_which_images_meet_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, other = Seen(monkeypatch, {}), Seen(monkeypatch, {"seeds.order": 5})

    assert equal_states(one.first, other.first)
    assert not same(one.pictures, other.pictures)
    mine, theirs = one.by_picture(1), other.by_picture(1)
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[picture], theirs[picture]) for picture in mine)


def test_the_seed_of_the_views_changes_the_views_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = Seen(monkeypatch, {}), Seen(monkeypatch, {"seeds.views": 5})

    assert equal_states(one.first, other.first)
    assert same(one.pictures, other.pictures)
    assert not any(torch.equal(a, b) for a, b in zip(one.views, other.views, strict=True))


def test_each_epoch_has_an_order_and_views_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Seen(monkeypatch, {})

    first, second = seen.by_picture(0), seen.by_picture(1)
    assert first.keys() == second.keys()
    assert len(first) == 120
    assert not same(seen.pictures[:3], seen.pictures[3:])
    assert not any(torch.equal(first[picture], second[picture]) for picture in first)


@pytest.mark.parametrize(
    "changes",
    [
        {"views.operations": [{"kind": "noise"}]},
        {"head": {"kind": "none"}},
        {"head": {"kind": "mlp", "hidden_layers": 3}},
        {"loss.temperature": 0.5},
        {"batch_size": 60},
        {"epochs": 1},
    ],
)
def test_arms_of_one_seed_start_from_equal_weights(changes: dict[str, Any]) -> None:
    arms = [trained({**STILL, **NO_CURVE, **more}).state for more in ({}, changes)]

    assert equal_states(*map(kernels, arms))


UNLABELLED: list[dict[str, Any]] = [
    {"kind": "nt_xent"},
    {"kind": "nt_xent", "negatives": "one_view", "decoupled": True},
    {"kind": "nt_logistic"},
    {"kind": "margin_triplet", "semi_hard": True},
]
LABELLED: list[dict[str, Any]] = [
    {"loss": {"kind": "sup_con"}},
    {
        "loss": {"kind": "cross_entropy"},
        "head": {"kind": "linear", "output": 10, "batch_norm": False},
    },
]


@pytest.mark.parametrize("loss", UNLABELLED, ids=str)
def test_a_loss_that_does_not_say_so_is_never_handed_labels(loss: dict[str, Any]) -> None:
    dataset = textures()

    found = trained({"loss": loss, **NO_CURVE}, dataset)

    assert not dataset.reads
    assert found.facts["labels_seen"] == "none"


@pytest.mark.parametrize("changes", LABELLED, ids=str)
def test_a_loss_with_labels_gets_those_of_the_fit_part_of_train_and_says_so(
    changes: dict[str, Any],
) -> None:
    dataset = textures()

    found = trained({**changes, "batch_size": 36, **NO_CURVE}, dataset)

    assert dataset.reads == {"fit": 1}
    assert found.facts["labels_seen"] == "train"
    assert found.steps == 2 * (108 // 36)  # 12 of the 120 are the validation split


def test_labels_are_those_of_the_views_own_images() -> None:
    # Two classes of flat pictures, so that a classifier learns them in a few steps; shuffled, not.
    pictures = torch.full((80, 3, 8, 8), 40, dtype=torch.uint8)
    pictures[::2] = 200
    pictures += torch.arange(80, dtype=torch.uint8)[:, None, None, None] // 4  # none twice
    order = torch.randperm(80, generator=torch.Generator().manual_seed(1))
    told: list[float] = []
    for labels in (torch.arange(80) % 2, (torch.arange(80) % 2)[order]):
        listener = Listener()
        changes = {
            **LABELLED[1],
            "head.output": 2,
            "views.operations": [{"kind": "crop", "flip": 0}],
            "batch_size": 12,
            "epochs": 20,
            "optimizer.learning_rate": 0.01,
            **NO_CURVE,
        }
        trained(changes, made_dataset(pictures, labels, 60, 2), listener)
        told.append(list(listener.column("loss").values())[-1])

    assert told[0] < 0.1
    assert told[1] > 0.3


@pytest.mark.parametrize("changes", LABELLED, ids=str)
def test_the_random_encoder_sees_no_labels_whatever_the_loss(changes: dict[str, Any]) -> None:
    dataset = textures()

    found = trained({**changes, "epochs": 0}, dataset)

    assert not dataset.reads
    assert found.facts["labels_seen"] == "none"


def test_three_views_are_drawn_and_each_is_told_from_all_others() -> None:
    listener = Listener()

    trained({"views.num_views": 3, **NO_CURVE}, listener=listener)

    # 40 images, 120 views: what the first, random embeddings pay is near that of 119 others.
    first = listener.column("loss")[1]
    assert math.log(119) - 1.5 < first
    assert all(0 <= share <= 1 for share in listener.column("contrastive_accuracy").values())


@pytest.mark.parametrize("loss", [{"kind": "nt_logistic"}, {"kind": "nt_xent", "decoupled": True}])
def test_a_loss_of_two_views_refuses_three(loss: dict[str, Any]) -> None:
    kind = loss["kind"]
    with pytest.raises(ConfigurationError) as told:
        small_config({"views.num_views": 3, "loss": loss})

    assert f"views.num_views: must be 2 because loss {kind} takes two views, got 3" in str(
        told.value
    )


def test_a_classifier_has_as_many_outputs_as_classes_or_says_so() -> None:
    with pytest.raises(ConfigurationError) as told:
        trained({"loss": {"kind": "cross_entropy"}})

    assert str(told.value) == (
        "head.output: must be the number of classes under loss cross_entropy, got 8 outputs for 10 "
        "classes; set head.output"
    )


@pytest.mark.parametrize("changes", LABELLED, ids=str)
def test_a_loss_with_labels_says_so_where_the_data_have_none(changes: dict[str, Any]) -> None:
    unlabelled = Dataset.of(random_pictures(60), name="mine")

    with pytest.raises(ConfigurationError, match="needs the labels of training images, but mine"):
        trained({**changes, "data": {"kind": "textures"}, "batch_size": 20}, unlabelled)


def test_global_generators_play_no_part_and_are_not_moved() -> None:
    kinds = ("crop", "cutout", "colour", "noise", "blur", "rotation", "sobel")
    operations = {"views.operations": [{"kind": kind} for kind in kinds]}
    states: list[dict[str, Tensor]] = []
    for seed in (1, 2):
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002 -- the global generator is what is looked at
        torch.manual_seed(seed)
        before = global_generators()

        states.append(trained({**operations, "epochs": 1}).state)

        assert global_generators() == before
    assert equal_states(*states)


def global_generators() -> tuple[Any, ...]:
    numpys = np.random.get_state(legacy=False)  # noqa: NPY002
    return random.getstate(), str(numpys), torch.get_rng_state().tolist()


def test_labels_play_no_part() -> None:
    pictures = random_pictures(60)
    labels = torch.arange(60) % 10
    order = torch.randperm(60, generator=torch.Generator().manual_seed(1))

    one, other = (
        trained({"batch_size": 20}, made_dataset(pictures, y, 40)) for y in (labels, labels[order])
    )

    assert equal_states(one.state, other.state)


# ------------------------------------------------------------------------------- what it tells


def test_the_curve_holds_loss_accuracy_rate_and_speed_at_each_step_of_a_short_run() -> None:
    listener = Listener()

    found = trained(listener=listener)

    assert found.steps == 6
    assert listener.steps == [(done, 6) for done in range(1, 7)]
    for name in ("loss", "contrastive_accuracy", "learning_rate", "pairs_per_second"):
        assert sorted(listener.column(name)) == list(range(1, 7)), name
    assert all(0 <= share <= 1 for share in listener.column("contrastive_accuracy").values())
    assert all(
        0 <= nats <= math.log(40) for nats in listener.column("contrastive_entropy").values()
    )
    assert all(rate > 0 for rate in listener.column("pairs_per_second").values())


def test_a_long_run_tells_some_two_hundred_times_the_last_step_among_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(monitor, "_LOGGED", 5)
    listener = Listener()

    trained({"epochs": 5, **NO_CURVE}, listener=listener)

    assert sorted(listener.column("loss")) == [1, 4, 7, 10, 13, 15]


def test_rates_told_are_those_of_the_schedule() -> None:
    listener = Listener()

    trained(
        {
            "epochs": 4,
            "schedule": {"kind": "warmup_cosine", "warmup_epochs": 1},
            "optimizer": {"kind": "lars", "learning_rate": 0.5, "scaling": "square_root"},
        },
        listener=listener,
    )

    peak = 0.5 * math.sqrt(40)
    expected = [0, 1 / 3, 2 / 3, *((1 + math.cos(math.pi * i / 9)) / 2 for i in range(9))]
    rates = list(listener.column("learning_rate").values())
    assert rates == pytest.approx([peak * share for share in expected])


def test_the_first_step_of_a_warm_up_moves_no_weight() -> None:
    changes = {"schedule": {"kind": "warmup_cosine", "warmup_epochs": 1}, **NO_CURVE}

    stopped = trained(changes, listener=Listener(stop_after=1))

    assert equal_states(kernels(stopped.state), kernels(trained({"epochs": 0}).state))


def test_neighbours_are_asked_ten_times_on_the_validation_part_and_never_on_test() -> None:
    listener, dataset = Listener(), textures()

    found = trained({"epochs": 10}, dataset, listener)

    assert sorted(listener.column("knn/validation")) == list(range(3, 31, 3))
    assert dataset.reads == {"fit": 1, "validation": 1}
    assert found.facts["test_reads_in_pretraining"] == 0


def test_the_last_point_of_the_curve_is_scikit_learns_neighbours_on_the_finished_encoder() -> None:
    listener, dataset, config = Listener(), textures(), small_config()

    state = pretrain(config, dataset, HERE, listener).state

    encoder = config.encoder.build(9).eval()
    encoder.load_state_dict(state)
    parts = [dataset.labelled("fit"), dataset.labelled("validation")]
    with torch.no_grad():
        bank, queries = (
            encoder(part.images.centre_squares(torch.arange(len(part.labels)), 32)).double()
            for part in parts
        )
    oracle = KNeighborsClassifier(
        10, metric="cosine", weights=lambda d: torch.exp((1 - torch.as_tensor(d)) / 0.1).numpy()
    ).fit(bank.numpy(), parts[0].labels.numpy())
    expected = oracle.score(queries.numpy(), parts[1].labels.numpy())
    assert listener.column("knn/validation")[6] == pytest.approx(100 * expected)


def test_without_neighbours_no_label_is_asked_for() -> None:
    listener, dataset = Listener(), textures()

    trained(NO_CURVE, dataset, listener)

    assert not listener.column("knn/validation")
    assert not dataset.reads


def test_the_facts_say_what_an_epoch_leaves_out_and_how_large_the_encoder_is() -> None:
    found = trained({"batch_size": 50})

    assert found.steps == 4
    assert found.facts["images_left_out_of_each_epoch"] == 20
    assert (found.facts["device"], found.facts["precision"]) == ("cpu", "fp32")
    # 3x3x3x8 and two of 3x3x8x8, scale and shift of 8 channels for each of three norms.
    assert found.num_parameters == 216 + 2 * 576 + 3 * 16


def test_the_images_left_out_are_others_in_each_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Seen(monkeypatch, {"batch_size": 50})

    first, second = (
        {picture.numpy().tobytes() for picture in torch.cat(seen.pictures[two])}
        for two in (slice(2), slice(2, 4))
    )
    assert len(first) == len(second) == 100
    assert first != second


# --------------------------------------------------------------------------------- how it ends


def test_an_observer_that_says_stop_gets_the_encoder_as_it_is() -> None:
    stopped = trained(NO_CURVE, listener=Listener(stop_after=3))
    whole = trained({**NO_CURVE, "epochs": 1})  # three steps at a constant rate

    assert stopped.steps == 3
    assert equal_states(stopped.state, whole.state)


def test_a_loss_that_is_no_number_ends_in_a_sentence() -> None:
    changes = {
        "optimizer": {"kind": "sgd", "learning_rate": 1e30},
        "head": {"kind": "mlp", "batch_norm": False},
    }

    with pytest.raises(
        Diverged,
        match=r"^the loss is nan at step \d of 6, with learning rate \S+; "
        r"lower optimizer\.learning_rate or warm up longer$",
    ):
        trained(changes)


def test_a_batch_larger_than_the_data_is_refused_with_both_numbers() -> None:
    with pytest.raises(
        ConfigurationError,
        match="batch_size: must be at most the number of training images, got 121 of 120; lower",
    ):
        trained({"batch_size": 121})


def test_a_batch_of_all_images_is_taken() -> None:
    assert trained({"batch_size": 120, **NO_CURVE}).steps == 2


def test_bf16_learns_too_and_keeps_weights_in_fp32() -> None:
    listener = Listener()

    found = trained({"precision": "bf16", **NO_CURVE}, listener=listener)

    assert found.facts["precision"] == "bf16"
    assert {t.dtype for t in found.state.values()} == {torch.float32, torch.int64}
    assert all(math.isfinite(loss) for loss in listener.column("loss").values())
    assert not equal_states(found.state, trained(NO_CURVE).state)


def test_each_seed_of_the_initialisation_begins_with_a_head_of_its_own() -> None:
    def begun(**seeds: int) -> Mapping[str, Tensor]:
        head = trained({**STILL, **NO_CURVE, "epochs": 1, **seeds}).head
        assert head is not None
        return {name: tensor for name, tensor in head.items() if tensor.ndim == 2}

    one, same, other = begun(seed=1), begun(seed=1), begun(seed=2)
    alike = begun(**{"seed": 2, "seeds.initialisation": 1})

    assert len(one) == 2
    assert equal_states(one, same)
    assert equal_states(one, alike)
    assert not any(torch.equal(one[name], other[name]) for name in one)
