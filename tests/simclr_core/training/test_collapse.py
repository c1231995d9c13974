"""Collapse and divergence are noticed: where, with which numbers, and not without reason."""

import importlib
import math
from typing import Any

import numpy as np
import pytest
import torch
from interrupted import EACH_STEP, Memory, pictures, sat
from made_trials import NO_CURVE, Listener, trained
from torch import Tensor

from simclr_core.errors import Diverged
from simclr_core.losses.contrastive import NTXent
from simclr_core.optim.schedules import Constant, WarmupCosine
from simclr_core.training.collapse import CollapseWatch, rank_of_directions
from simclr_core.training.trace import Trace

module = importlib.import_module("simclr_core.training.monitor")
keeping = importlib.import_module("simclr_core.training.trace")

COLLAPSING: dict[str, Any] = {
    "optimizer": {"kind": "adamw", "learning_rate": 0.3},
    "head": {"kind": "mlp", "output": 8, "batch_norm": False},
    "epochs": 8,
    **NO_CURVE,
}
"""Without batch norm a rate far too high leaves no hidden unit that answers to any image."""


# ---------------------------------------------------------------------------- effective rank


def numpys(z: Tensor) -> float:
    """Roy and Vetterli's definition by numpy's SVD and one number after the other."""
    rows = z.double().numpy()
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    s = np.linalg.svd(rows, compute_uv=False)
    entropy = 0.0
    for share in s / s.sum():
        if share > 0:
            entropy -= share * math.log(share)
    return math.exp(entropy)


@pytest.mark.parametrize("shape", [(3, 5), (64, 8), (1024, 128), (100, 1)])
def test_the_rank_is_that_of_numpys_singular_values(shape: tuple[int, int]) -> None:
    rng = torch.Generator().manual_seed(sum(shape))
    z = torch.randn(*shape, generator=rng) * torch.linspace(0.1, 3, shape[1]) + 0.3

    assert rank_of_directions(z) == pytest.approx(numpys(z), rel=1e-6)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_one_point_has_rank_1_and_even_directions_their_number(scale: float) -> None:
    even = torch.eye(6).repeat(5, 1)

    assert rank_of_directions(scale * torch.ones(50, 8)) == pytest.approx(1.0, abs=1e-6)
    assert rank_of_directions(scale * even) == pytest.approx(6.0)
    # Uncentred: a point and its opposite lie on one line.
    assert rank_of_directions(torch.cat([even[:1], -even[:1]])) == pytest.approx(1.0)


def test_zeros_are_one_point_too() -> None:
    assert rank_of_directions(torch.zeros(4, 3)) == 1.0


# ------------------------------------------------------------------------------- the two edges


@pytest.mark.parametrize("multiple", [1, 2])
@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("num_images", [2, 40, 700])
def test_the_collapsed_value_is_what_equal_embeddings_pay(
    num_images: int, *, normalise: bool, multiple: Any
) -> None:
    loss = NTXent(multiple=multiple, normalise=normalise, temperature=0.5)
    point = torch.tensor([0.3, -0.2, 0.9], dtype=torch.float64).repeat(2 * num_images, 1)

    assert float(loss(point)) == pytest.approx(loss.collapsed_value(2 * num_images), abs=1e-9)


POINT = torch.ones(200, 4)
SPREAD = torch.eye(4).repeat(50, 1)


def two_points(near: int, far: int) -> Tensor:
    """Rows along two axes that are at right angles: singular values sqrt(near) and sqrt(far)."""
    return torch.eye(4)[[0] * near + [1] * far]


def watched(
    losses: list[float], z: Tensor | list[Tensor], *, epoch: int = 3, warmup: int = 0
) -> CollapseWatch:
    """A watch that saw these losses; the collapsed value is 4 nats."""
    return after(CollapseWatch(lambda _: 4.0, epoch, warmup), losses, z)


def after(watch: CollapseWatch, losses: list[float], z: Tensor | list[Tensor]) -> CollapseWatch:
    """The watch once it has seen and judged these steps."""
    trace = Trace(len(losses), torch.device("cpu"))
    for step, loss in enumerate(losses):
        shown = z if isinstance(z, Tensor) else z[step]
        trace.record(torch.tensor(step), torch.tensor(loss, dtype=torch.float64), shown)
        watch.end_step(step + 1, trace)
    watch.judge()
    return watch


@pytest.mark.parametrize(("away", "step"), [(0.0399, 3), (0.0401, None)])
def test_a_loss_that_adds_up_two_means_may_be_twice_as_far(away: float, step: int | None) -> None:
    watch = after(CollapseWatch(lambda _: 4.0, 3, 0, 2), 3 * [4.0 + away], POINT)

    assert (watch.found and watch.found.step) == step


def test_a_point_at_the_collapsed_value_for_an_epoch_is_a_collapse() -> None:
    watch = watched([5.0, 4.01, 4.01, 4.01, 3.99, 4.015], POINT)

    assert watch.found is not None
    assert watch.found.step == 6
    assert watch.found.effective_rank == pytest.approx(1.0)
    assert (watch.found.loss, watch.found.collapsed_value) == (4.015, 4.0)
    assert watch.facts() == {"collapsed": True, "collapse": watch.found._asdict()}


@pytest.mark.parametrize(
    ("losses", "step"),
    [
        ([4.0199] * 3, 3),
        ([3.9801] * 3, 3),
        ([4.0201] * 3, None),
        ([3.9799] * 3, None),
        ([4.0, 4.03, 4.0], None),
        ([4.03, 4.0, 4.0], None),
        ([4.0, 4.0, 4.03], None),
        ([4.0, math.nan, 4.0], None),
        ([4.0, 4.0], None),
        ([4.03, 4.0, 4.0, 4.0, 4.0], None),
        ([4.03, 4.0, 4.0, 4.0, 4.0, 4.0], 6),
    ],
)
def test_the_loss_must_be_within_two_hundredths_in_each_step_of_a_whole_epoch(
    losses: list[float], step: int | None
) -> None:
    found = watched(losses, POINT).found

    assert (found and found.step) == step


@pytest.mark.parametrize(
    ("z", "collapsed"),
    [(two_points(190, 10), True), (two_points(110, 90), True), (SPREAD, False)],
)
def test_the_rank_must_be_under_2(z: Tensor, *, collapsed: bool) -> None:
    assert (watched([4.0] * 3, z).found is not None) == collapsed


def test_a_rank_a_little_over_2_is_none() -> None:
    z = torch.eye(4)[[0] * 100 + [1] * 99 + [2]]
    assert 2.0 < numpys(z) < 2.35

    assert watched([4.0] * 3, z).found is None


@pytest.mark.parametrize(("warmup", "step"), [(0, 3), (1, 6), (3, 6), (4, 9), (9, None)])
def test_an_epoch_that_warms_up_is_none(warmup: int, step: int | None) -> None:
    found = watched([4.0] * 9, POINT, warmup=warmup).found

    assert (found and found.step) == step


def test_the_last_1024_views_count() -> None:
    # Half of 1,024 views spread over four axes are no point; what came before is not looked at.
    half = torch.cat([SPREAD, SPREAD, SPREAD[:112]])
    point = torch.ones(512, 4)
    assert watched([4.0] * 2, [half, point], epoch=2).found is None
    assert watched([4.0] * 3, [half, point, point], epoch=3).found is not None
    assert watched([4.0], torch.cat([half, point]), epoch=1).found is None
    assert watched([4.0], torch.cat([half, point, point]), epoch=1).found is not None


def test_schedules_tell_how_long_they_warm_up() -> None:
    assert WarmupCosine(warmup_epochs=2.5).warmup_steps(7) == 18
    assert Constant().warmup_steps(7) == 0


# ------------------------------------------------------------------------------------ trainings


def test_a_training_that_collapses_is_marked_with_step_and_numbers() -> None:
    listener = Listener()

    facts = trained(COLLAPSING, listener=listener).facts

    assert facts["collapsed"] is True
    found = facts["collapse"]
    assert found["collapsed_value"] == math.log(79)
    assert found["effective_rank"] < 2
    step, losses = found["step"], listener.column("loss")
    assert step % 3 == 0
    assert found["loss"] == losses[step]
    assert all(abs(losses[s] - math.log(79)) <= 0.02 for s in range(step - 2, step + 1))


def test_one_that_learns_is_not() -> None:
    assert trained({"epochs": 4, **NO_CURVE}).facts["collapsed"] is False


def test_a_high_temperature_alone_is_none() -> None:
    listener = Listener()

    found = trained({"loss.temperature": 1000.0, "epochs": 3, **NO_CURVE}, listener=listener)

    assert all(abs(x - math.log(79)) < 0.01 for x in listener.column("loss").values())
    assert found.facts["collapsed"] is False


@pytest.mark.parametrize("step", [10, 20])
def test_the_mark_survives_a_break_before_and_after_it(
    monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    monkeypatch.setattr(keeping, "REMEMBERED", 64)  # of 20 a step
    steps = {**COLLAPSING, "schedule": {"kind": "constant"}, "epochs": 4}
    steps["optimizer"] = {"kind": "adamw", "learning_rate": 1.0}
    whole = sat(steps, until=24).trained.facts

    rest = sat(steps, until=24, memory=sat(steps, until=step).memory).trained.facts

    assert whole["collapse"]["step"] in (12, 18)
    assert rest == {**whole, "resumed_at_step": [step]}


# ------------------------------------------------------------------------------------ divergence


def infinite_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One loss is infinite; its gradient is not, so that all later ones are numbers again."""
    plain, seen = NTXent.__call__, []

    def loss(self: NTXent, z: Tensor, num_views: int) -> Tensor:
        seen.append(1)
        return plain(self, z, num_views) + (math.inf if len(seen) == step else 0.0)

    monkeypatch.setattr(NTXent, "__call__", loss)


@pytest.mark.parametrize("step", [1, 2, 4, 5, 6])
def test_the_first_step_without_a_number_is_named_also_between_two_that_are_told(
    monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    monkeypatch.setattr(module, "_LOGGED", 2)  # of 6 steps 1, 4 and the last are told
    infinite_at(step, monkeypatch)
    listener = Listener()

    with pytest.raises(Diverged, match=f"^the loss is inf at step {step} of 6, with learning rate"):
        trained({"batch_size": 20, **NO_CURVE}, pictures(), listener)

    assert max(listener.column("loss")) == next(told for told in (1, 4, 6) if told >= step)


def test_the_rate_told_is_that_of_the_step_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOGGED", 1)
    infinite_at(2, monkeypatch)
    schedule = {"kind": "warmup_cosine", "warmup_epochs": 2}

    # Six steps of warm-up to 0.001: the second has a sixth of it.
    with pytest.raises(Diverged, match=r"at step 2 of 6, with learning rate 0\.000167;"):
        trained({"batch_size": 20, "schedule": schedule, **NO_CURVE}, pictures())


def test_a_weight_that_the_last_step_made_infinite_is_noticed() -> None:
    changes = {"batch_size": 60, "epochs": 1, **NO_CURVE}
    optimizer = {"kind": "sgd", "learning_rate": 1e38, "scaling": "linear"}

    with pytest.raises(Diverged, match="no longer finite after step 1 of 1; lower"):
        trained({**changes, "optimizer": {**optimizer, "weight_decay": 1e38}}, pictures())


def test_what_is_lost_is_not_kept_as_a_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOGGED", 1)
    infinite_at(3, monkeypatch)
    memory = Memory()

    with pytest.raises(Diverged, match="at step 3 of 24"):
        sat({}, until=100, memory=memory, execution=EACH_STEP)

    assert len(memory.saved) == 2


@pytest.mark.parametrize("value", [math.nan, 3.0])
def test_where_nothing_could_be_judged_nothing_is_said(value: float) -> None:
    # A loss whose collapsed value is not known, and a training that ends within its first epoch.
    epoch = 2 if math.isnan(value) else 9
    watch = after(CollapseWatch(lambda _: value, epoch, 0), 4 * [1.0], torch.eye(4))

    assert watch.facts() == {}
