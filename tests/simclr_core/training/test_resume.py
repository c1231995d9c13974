"""A training that was broken off goes on bit for bit, or starts anew and says why."""

import importlib
import itertools
from typing import Any

import pytest
import torch
from interrupted import EACH_STEP, LONG, OPTIMIZERS, SELDOM, Memory, equal, pictures, sat
from made_trials import HERE, Listener, equal_states, small_config

from simclr_core.evaluation.frozen_evaluation import evaluate
from simclr_core.training.checkpoint import CheckpointManager
from simclr_core.training.pretraining import pretrain

module = importlib.import_module("simclr_core.training.checkpoint")


@pytest.mark.parametrize(("name", "step"), [("lars", 9), ("adamw", 6)])
def test_broken_off_and_gone_on_with_all_bits_are_those_of_an_unbroken_training(
    name: str, step: int
) -> None:
    changes = {"optimizer": OPTIMIZERS[name]}
    whole = sat(changes, until=24)

    first = sat(changes, until=step)
    rest = sat(changes, until=24, memory=first.memory)

    assert (first.steps, rest.steps) == (step, 24 - step)
    assert equal_states(rest.trained.state, whole.trained.state)
    assert equal(rest.left, whole.left)
    assert rest.curve == whole.curve
    assert rest.trained.steps == whole.trained.steps == 24
    assert rest.trained.facts == {**whole.trained.facts, "resumed_at_step": [step]}


def test_checkpoints_change_nothing_of_a_training() -> None:
    config = small_config(LONG)
    without, with_them = Listener(), Listener()

    one = pretrain(config, pictures(), HERE, without)
    other = pretrain(config, pictures(), EACH_STEP, with_them, Memory())

    assert equal_states(one.state, other.state)
    assert without.column("loss") == with_them.column("loss")
    assert without.column("knn/validation") == with_them.column("knn/validation")


def test_evaluations_of_a_resumed_encoder_are_those_of_an_unbroken_one() -> None:
    config, dataset = small_config(LONG), pictures()
    whole = sat({}, until=24, dataset=dataset).trained
    resumed = sat({}, until=24, memory=sat({}, until=13).memory, dataset=dataset).trained

    one, other = (evaluate(config, dataset, t.state, HERE, Listener()) for t in (whole, resumed))

    assert one.values == other.values
    assert one.facts == other.facts


def test_a_training_may_be_broken_off_again_and_again_even_at_its_end() -> None:
    whole, memory, steps = sat({}, until=24), Memory(), []

    for until in (1, 6, 6, 20, 24, 24):
        last = sat({}, until=until, memory=memory)
        steps.append(last.steps)

    # Told to stop at once, the third process still takes the step after which it is asked.
    assert steps == [1, 5, 1, 13, 4, 0]
    assert last.trained.facts["resumed_at_step"] == [1, 6, 7, 20, 24]
    assert equal_states(last.trained.state, whole.trained.state)
    assert last.curve == whole.curve


def test_a_kill_between_two_checkpoints_costs_the_steps_since_the_last_one_only() -> None:
    memory = sat({}, until=11, execution=EACH_STEP).memory
    whole = sat({}, until=24)

    rest = sat({}, until=24, memory=Memory(memory.saved[7]))

    assert len(memory.saved) == 11
    assert (rest.steps, rest.trained.facts["resumed_at_step"]) == (24 - 8, [8])
    assert equal_states(rest.trained.state, whole.trained.state)


def test_seconds_add_up_over_the_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    # Each look at the clock takes a second, and the second process's clock begins anew.

    class Clock:
        def __init__(self) -> None:
            self.now, self.perf_counter = 0.0, self.tick

        def tick(self) -> float:
            self.now += 1.0
            return self.now

    def another_clock() -> None:
        clock = Clock()
        for name in ("pretraining", "monitor"):
            trainer = importlib.import_module(f"simclr_core.training.{name}")
            monkeypatch.setattr(trainer, "time", clock)

    another_clock()
    first = sat({}, until=12)
    another_clock()
    rest = sat({}, until=24, memory=first.memory)
    another_clock()
    whole = sat({}, until=24)

    # Begun twice and saved twice, of which one more was looked at than in one go.
    assert rest.trained.seconds == pytest.approx(whole.trained.seconds, abs=4)
    assert rest.trained.seconds > first.trained.seconds + 10


# ------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"loss.temperature": 0.2}, "was made with configuration"),
        ({"seed": 1}, "was made with configuration"),
        ({"epochs": 5}, "was made with configuration"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused_and_this_one_starts_anew(
    changes: dict[str, Any], told: str
) -> None:
    memory = sat({}, until=2).memory

    rest, alone = sat(changes, until=3, memory=memory), sat(changes, until=3)

    assert len(memory.refused) == 1
    assert memory.refused[0].startswith(told)
    assert rest.steps == 3
    assert "resumed_at_step" not in rest.trained.facts
    assert equal(rest.left, alone.left)


def test_a_checkpoint_of_other_images_is_refused() -> None:
    memory = sat({}, until=2).memory
    others = pictures()
    others.fingerprint = "others"

    rest = sat({}, until=3, memory=memory, dataset=others)

    assert memory.refused == ["was made with data made, not others"]
    assert rest.steps == 3


@pytest.mark.parametrize(
    ("execution", "told"),
    [
        ({"threads": 2}, "was made with threads 1, not 2"),
        (
            {"memory_format": "contiguous"},
            "was made with memory format channels_last, not contiguous",
        ),
    ],
)
def test_what_would_round_otherwise_is_refused(execution: dict[str, Any], told: str) -> None:
    memory = sat({}, until=2).memory

    rest = sat({}, until=3, memory=memory, execution=SELDOM.model_copy(update=execution))

    assert (memory.refused, rest.steps) == ([told], 3)


@pytest.mark.parametrize("what", ["torch", "processor", "trainer"])
def test_another_torch_processor_or_version_is_refused(
    monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    memory = sat({}, until=2).memory
    match what:
        case "torch":
            monkeypatch.setattr(torch, "__version__", "1.0")
        case "processor":
            monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "ABACUS")
        case _:
            monkeypatch.setattr(module, "TRAINER_VERSION", 10**6)

    rest = sat({}, until=3, memory=memory)

    assert memory.refused[0].startswith(f"was made with {what} ")
    assert rest.steps == 3


@pytest.mark.parametrize(
    "torn",
    [b"", b"PK\x03\x04 half an archive", b"{}", "half", "no state", "a list"],
    ids=["empty", "archive", "json", "half", "no state", "a list"],
)
def test_a_torn_checkpoint_is_refused_and_the_training_starts_anew(torn: bytes | str) -> None:
    import io

    memory = sat({}, until=2).memory
    whole, other = memory.saved[-1], io.BytesIO()
    match torn:
        case "half":
            torn = whole[: len(whole) // 2]
        case "no state" | "a list":
            torch.save({"identity": {}} if torn == "no state" else [1, 2], other)
            torn = other.getvalue()
        case _:
            assert isinstance(torn, bytes)
    memory = Memory(torn)

    rest = sat({}, until=3, memory=memory)

    assert len(memory.refused) == 1
    assert memory.refused[0].startswith("cannot be read (")
    assert "\n" not in memory.refused[0]
    assert rest.steps == 3


def test_neighbours_asked_otherwise_before_the_break_are_unknown_and_not_mixed() -> None:
    # The encoder is the same, its trial another: the training goes on, the curve of it does not.
    memory = sat({}, until=12).memory

    rest = sat({"evaluation.knn.k": 5}, until=24, memory=memory)

    whole = sat({"evaluation.knn.k": 5}, until=24)
    assert memory.refused == []
    assert rest.steps == 12
    assert rest.curve["loss"] == whole.curve["loss"]
    late = {step: value for step, value in whole.curve["knn/validation"].items() if step > 12}
    assert rest.curve["knn/validation"] == late
    assert late


# ------------------------------------------------------------------------------------ how often


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Slow(Memory):
    """Takes its time."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        super().__init__()
        self._clock, self._takes = clock, seconds

    def save(self, packed: bytes) -> None:
        super().save(packed)
        self._clock.now += self._takes


def moments(seconds: float, *, takes: float, steps: int = 1000, at_once: int = -1) -> list[float]:
    """When a training with a step a second saves."""
    clock = Clock()
    memory, found = Slow(clock, takes), []
    manager = CheckpointManager(memory, {}, seconds, clock)
    for step in range(steps):
        clock.now += 1.0
        before, now = len(memory.saved), clock.now
        manager.save(dict, at_once=step == at_once)
        if len(memory.saved) > before:
            found.append(now)
    return found


def test_a_checkpoint_comes_every_so_many_seconds() -> None:
    assert moments(60, takes=0.0, steps=200) == [60.0, 120.0, 180.0]


def test_with_0_seconds_it_comes_after_every_step_however_long_it_takes() -> None:
    assert len(moments(0, takes=5.0, steps=7)) == 7


def test_slow_saving_takes_at_most_a_fiftieth_of_the_time() -> None:
    found = moments(60, takes=4.0)

    assert found[0] == 60.0
    assert len(found) > 3
    assert all(later - sooner >= 50 * 4.0 for sooner, later in itertools.pairwise(found))


def test_one_that_is_asked_for_comes_at_once() -> None:
    assert moments(60, takes=0.0, steps=20, at_once=3) == [4.0]


def test_a_state_that_is_lost_is_not_kept() -> None:
    memory = Memory()

    CheckpointManager(memory, {}, 0).save(lambda: None, at_once=True)

    assert memory.saved == []
