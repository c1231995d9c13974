"""The step is a function of its device: nothing in it reads a number, and a graph can replay it."""

import gc
import importlib
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from hostless import second_step
from interrupted import OPTIMIZERS, Memory, pictures
from made_parts import settings_of
from made_trials import (
    HERE,
    NO_CURVE,
    Listener,
    equal_states,
    small_config,
    textures,
    trained,
)
from recorded_step import recorded
from torch import Tensor

from simclr_core.chance import Chance
from simclr_core.losses.contrastive import NTXent
from simclr_core.optim.optimizers import FileOptimizer
from simclr_core.runtime import lacks_memory
from simclr_core.training import monitor
from simclr_core.training.capture import CapturedStep, cuda_graph, why_eager
from simclr_core.training.monitor import Monitor
from simclr_core.training.pretraining import Training, pretrain
from simclr_core.training.step import Step, StepResult, keep_rate_on_device

masked_apply = importlib.import_module("simclr_core.augment.masked_apply")
module = importlib.import_module("simclr_core.training.step")
capture_module = importlib.import_module("simclr_core.training.capture")

ALL_OPERATIONS = (
    *("crop", "cutout", "colour", "sobel", "noise", "blur", "rotation"),
    *("solarise", "equalise", "motion_blur", "auto_augment"),
)

KINDS: dict[str, dict[str, Any]] = {
    "adamw": {},
    "lars": {"optimizer": {"kind": "lars"}},
    "sgd": {"optimizer": {"kind": "sgd"}},
    "operations": {"views.operations": [{"kind": kind} for kind in ALL_OPERATIONS]},
    "official": {
        "views.operations": [
            {"kind": "crop", "sampler": "height"},
            {"kind": "colour", "order": "random", "brightness": "additive"},
            {"kind": "blur", "sigma_drawn": "per_batch"},
        ]
    },
    "one branch": {"views": {"kind": "one_branch", "branch": [{"kind": "colour"}]}},
    "no crop": {"views.operations": [{"kind": "colour"}]},
    "many views": {"views.num_views": 3},
    "large batch": {"batch_size": 120, "views.num_views": 4},
    "wrong pairs": {"shuffled_positives": True},
    "sup_con": {"loss": {"kind": "sup_con"}},
    "sup_con, wrong labels": {"loss": {"kind": "sup_con"}, "shuffled_positives": True},
    "semi-hard": {"loss": {"kind": "margin_triplet", "semi_hard": True}},
    "logistic": {"loss": {"kind": "nt_logistic"}},
    "classes": {
        "loss": {"kind": "cross_entropy"},
        "head": {"kind": "linear", "output": 10, "batch_norm": False},
    },
    "vit": {"encoder": {"kind": "vit", "patch": 8, "dim": 16, "depth": 1, "heads": 2}},
    "gradient cache": {"gradient_cache": 20},
}
EACH_TIME = ("adamw", "operations", "many views", "wrong pairs", "sup_con", "gradient cache")
"""In `make test`; all of them in the proof."""


@pytest.mark.parametrize(
    "kind",
    [kind if kind in EACH_TIME else pytest.param(kind, marks=pytest.mark.proof) for kind in KINDS],
)
def test_a_step_reads_nothing_from_its_device_and_copies_nothing_to_it(kind: str) -> None:
    config = small_config({**KINDS[kind], **NO_CURVE})

    result, copies = second_step(config, textures())

    assert copies == []
    assert result.loss.device.type == result.z_MD.device.type == "meta"


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_resumed_step_has_its_rate_on_the_device(optimizer: dict[str, Any]) -> None:
    config = small_config({"optimizer": optimizer, **NO_CURVE})

    assert second_step(config, textures(), resumed=True)[1] == []


def test_a_rate_that_is_on_the_device_stays_in_its_place() -> None:
    made = training({}, Listener())
    before = [group["lr"] for group in made._optimizer.param_groups]

    keep_rate_on_device(made._optimizer, torch.device("cpu"))

    after = [group["lr"] for group in made._optimizer.param_groups]
    assert all(one is other for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize(("device", "queued"), [("mps", False), ("cuda", True)])
def test_a_copy_from_the_host_is_queued_where_its_source_may_go(
    device: str,
    queued: bool,  # noqa: FBT001 -- a parameter
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = training({"shuffled_positives": True}, Listener())
    made.begin_epoch(0)
    plain, told = Tensor.copy_, list[bool]()

    def copying(self: Tensor, source: Tensor, non_blocking: bool = False) -> Tensor:  # noqa: FBT001, FBT002 -- torch's
        told.append(non_blocking)
        return plain(self, source)

    monkeypatch.setattr(made.step, "_device", torch.device(device))
    monkeypatch.setattr(Tensor, "copy_", copying)

    made.begin_epoch(1)

    assert told == 2 * [queued]


@pytest.mark.parametrize("wide", [torch.float32, torch.float64])
def test_numbers_are_read_in_the_widest_type_that_their_device_has(wide: torch.dtype) -> None:
    """The trace of a device without float64 is float32, and nothing on it can be made wider."""
    losses, accuracy = torch.tensor([0.1, 0.2], dtype=wide), torch.tensor(0.3)

    read = monitor._read(losses, accuracy)

    assert [one.dtype for one in read] == [wide, wide]
    assert [one.tolist() for one in read] == [losses.tolist(), [accuracy.item()]]


OWN_OPTIMIZERS = {
    "reads its rate": """
import math, torch

class Own(torch.optim.Optimizer):
    def __init__(self, model):
        super().__init__(model.parameters(), {"lr": 1.0})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            assert type(group["lr"]) is float, type(group["lr"])
            for weight in group["params"]:
                weight.sub_(weight.grad, alpha=math.sqrt(group["lr"]))
""",
    "torch's Adam of many tensors": """
import torch

def Own(model):
    return torch.optim.Adam(model.parameters(), foreach=True)
""",
}


@pytest.mark.parametrize("text", OWN_OPTIMIZERS.values(), ids=OWN_OPTIMIZERS)
def test_a_custom_optimiser_is_given_floats_on_every_device(text: str, tmp_path: Path) -> None:
    own = settings_of(FileOptimizer, tmp_path, text, name="Own")
    config = small_config({"optimizer": own, **NO_CURVE})

    result, _ = second_step(config, textures())

    assert result.loss.device.type == "meta"


def test_a_custom_optimiser_is_given_the_rate_of_each_step(tmp_path: Path) -> None:
    told = Listener()
    text = OWN_OPTIMIZERS["reads its rate"]
    own = settings_of(FileOptimizer, tmp_path, text, name="Own")
    run = training({**RATES, "optimizer": own}, told, rate_on_device=False)
    given: list[float] = []
    plain = run._optimizer.step
    run._optimizer.step = lambda: (given.append(run._optimizer.param_groups[0]["lr"]), plain())

    run.run()

    assert given == run._rates()
    assert len(set(given)) > 20


def test_a_number_read_on_the_way_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = NTXent.__call__

    def reading(self: NTXent, z: Tensor, num_views: int = 2) -> Tensor:
        return plain(self, z * float(z.abs().max()), num_views)

    monkeypatch.setattr(NTXent, "__call__", reading)

    with pytest.raises(RuntimeError, match="item"):
        second_step(small_config(NO_CURVE), textures())


def test_a_table_copied_on_the_way_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = NTXent.__call__

    def copying(self: NTXent, z: Tensor, num_views: int = 2) -> Tensor:
        return plain(self, z * z.new_tensor(z.shape[1] * [2.0]), num_views)

    monkeypatch.setattr(NTXent, "__call__", copying)

    assert second_step(small_config(NO_CURVE), textures())[1] != []


# -------------------------------------------------------------------------------------- replays


@pytest.fixture
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Operations change all images and keep the chosen ones, as where reading would be waiting."""
    monkeypatch.setattr(masked_apply, "_PICKED_ON", ())


def training(
    changes: dict[str, Any],
    told: Listener,
    *,
    rate_on_device: bool = True,
    memory: Memory | None = None,
) -> Training:
    """24 steps in 4 epochs, whose rate is on the device as a GPU's is."""
    config = small_config({"batch_size": 10, "epochs": 4, **changes, **NO_CURVE})
    encoder = HERE.place(config.encoder.build(config.seed, 8))
    made = Training(config, pictures(), encoder, HERE, told, memory)
    if rate_on_device:
        keep_rate_on_device(made._optimizer, torch.device("cpu"))
    return made


def state_of(made: Training) -> list[Tensor]:
    """All that a step changes, and that is there before it."""
    optimizer = [v for s in made._optimizer.state.values() for v in s.values()]
    trace, networks = made._trace, made._networks.both.state_dict().values()
    assert trace._ring_KMD is not None
    own = [made.step._done, trace._losses, trace._ring_KMD]
    return [*own, *networks, *(v for v in optimizer if isinstance(v, Tensor))]


def replayed(made: Training) -> Training:
    """The same training whose steps are recorded once and replayed."""

    def capture(step: Callable[[], StepResult]) -> Any:
        return recorded(step, lambda: state_of(made))

    made.advance = CapturedStep(made.step, capture)
    return made


RATES = {"schedule": {"kind": "warmup_cosine", "warmup_epochs": 1}}


@pytest.mark.usefixtures("as_on_a_gpu")
@pytest.mark.parametrize(
    "changes",
    [
        *({"optimizer": optimizer} for optimizer in OPTIMIZERS.values()),
        {"views.operations": [{"kind": "crop"}, {"kind": "colour"}, {"kind": "noise"}]},
        {"shuffled_positives": True},
        {"loss": {"kind": "sup_con"}},
    ],
    ids=["lars", "adamw", "sgd", "views", "wrong pairs", "sup_con"],
)
def test_a_replayed_training_equals_one_that_runs_each_step(changes: dict[str, Any]) -> None:
    eager, told = Listener(), Listener()
    first, second = training({**RATES, **changes}, eager), training({**RATES, **changes}, told)

    assert first.run() == replayed(second).run() == first._steps

    assert told.column("loss") == eager.column("loss")
    assert told.column("contrastive_accuracy") == eager.column("contrastive_accuracy")
    states = [made._networks.both.state_dict() for made in (first, second)]
    assert equal_states(*states)
    assert second.facts() == {**first.facts(), "captured_steps": first._steps - 3}


@pytest.mark.usefixtures("as_on_a_gpu")
@pytest.mark.parametrize("what", ["rate", "epoch", "order"])
def test_a_number_of_the_host_in_a_captured_step_is_noticed(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if what == "rate":
        monkeypatch.setattr(Step, "_set_rate", rate_by_the_host)
    elif what == "epoch":
        monkeypatch.setattr(module, "Chance", ChanceOfTheHost)
    else:
        monkeypatch.setattr(Tensor, "index_select", indexed_by_the_host)
    eager, told = Listener(), Listener()

    training(RATES, eager).run()
    replayed(training(RATES, told)).run()

    assert told.column("loss") != eager.column("loss")


def rate_by_the_host(self: Step) -> None:
    for group in self._optimizer.param_groups:
        group["lr"] = float(self._rates[int(self._done)])


class ChanceOfTheHost:
    @staticmethod
    def of(seed: int, epoch: Tensor, images: Tensor) -> Chance:
        return Chance.of(seed, int(epoch), images)


def indexed_by_the_host(self: Tensor, dim: int, index: Tensor) -> Tensor:
    return torch.stack([self.select(dim, at) for at in index.tolist()], dim)


# ------------------------------------------------------------------------------ what is captured


@pytest.mark.parametrize(
    ("changes", "one_shape", "recompute", "reason"),
    [
        ({}, True, False, None),
        ({"gradient_cache": 20}, True, False, "gradient_cache"),
        ({}, False, False, "shapes"),
        ({}, True, True, "recompute"),
    ],
)
def test_what_is_run_kernel_by_kernel_has_a_reason(
    changes: dict[str, Any], *, one_shape: bool, recompute: bool, reason: str | None
) -> None:
    execution = HERE.model_copy(update={"recompute": recompute})

    found = why_eager(small_config(changes), execution, one_shape=one_shape)

    assert (found is None) == (reason is None)
    assert reason is None or reason in str(found)


def test_a_captured_step_runs_three_times_before_it_is_captured() -> None:
    done: list[str] = []
    nothing = StepResult(torch.zeros(()), torch.zeros(1, 1))

    def step() -> StepResult:
        done.append("run")
        return nothing

    def capture(_: Callable[[], StepResult]) -> tuple[Callable[[], None], StepResult]:
        done.append("captured")
        return lambda: done.append("replayed"), nothing

    captured = CapturedStep(step, capture)
    for _ in range(5):
        captured()

    assert done == ["run", "run", "run", "captured", "replayed", "replayed"]


def refused(error: Exception) -> Callable[[Step], Any]:
    def capture(_: Step) -> Any:
        raise error

    return capture


def test_a_step_that_cannot_be_captured_is_run_to_the_end_with_a_warning() -> None:
    eager, told = Listener(), Listener()
    training(RATES, eager).run()
    made = training(RATES, told)
    made.advance = CapturedStep(made.step, refused(RuntimeError("not while capturing")))

    with pytest.warns(RuntimeWarning, match="not while capturing"):
        made.run()

    made._device = torch.device("cuda")  # the facts are a GPU's
    facts = made.facts()
    assert (facts["captured_steps"], facts["why_eager"]) == (0, "not while capturing")
    assert told.column("loss") == eager.column("loss")


@pytest.mark.usefixtures("as_on_a_gpu")
def test_captured_steps_are_counted_over_all_processes_of_a_training() -> None:
    memory = Memory()
    first = replayed(training({}, Listener(stop_after=10), memory=memory))
    second = replayed(training({}, Listener(), memory=memory))

    assert (first.run(), second.run()) == (10, 24)

    assert first.facts()["captured_steps"] == 10 - 3
    assert second.facts()["captured_steps"] == (10 - 3) + (14 - 3)


NO_ROOM = [
    torch.OutOfMemoryError("full"),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
]


@pytest.mark.parametrize("error", NO_ROOM)
def test_a_capture_without_memory_ends_the_training(error: RuntimeError) -> None:
    made = training(RATES, Listener())
    made.advance = CapturedStep(made.step, refused(error))

    with pytest.raises(RuntimeError) as caught:
        made.run()

    assert caught.value is error


def test_the_optimiser_is_told_of_a_capture_only_where_there_is_one() -> None:
    made = training(RATES, Listener())
    groups = made._optimizer.param_groups
    made.run()
    before = [group["capturable"] for group in groups]

    made.step.allow_capture()

    assert (before, [group["capturable"] for group in groups]) == ([False] * 2, [True] * 2)


def test_other_trials_may_run_before_a_step_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    plain = Monitor.end_step

    class Asked(Listener):
        def should_stop(self) -> bool:
            calls.append("asked")
            return super().should_stop()

    def read(self: Monitor, done: int, *args: Any) -> None:
        calls.append("read")
        plain(self, done, *args)

    monkeypatch.setattr(Monitor, "end_step", read)
    made = training(RATES, Asked())

    assert made.run() == 24
    assert calls == 24 * ["asked", "read"]


def test_the_seconds_of_pre_training_are_those_of_its_own_turns() -> None:
    class Waits(Listener):
        waited = 0.0

        def should_stop(self) -> bool:
            began = time.perf_counter()
            time.sleep(0.02)
            self.waited += time.perf_counter() - began
            return super().should_stop()

    told, began = Waits(), time.perf_counter()
    config = small_config({"batch_size": 10, "epochs": 4, **NO_CURVE})
    seconds = pretrain(config, pictures(), HERE, told).seconds

    assert told.waited > 24 * 0.02
    assert 0 < seconds <= time.perf_counter() - began - told.waited


class FakeGraph:
    """A graph and its capture, on a machine that has none."""

    def replay(self) -> None:
        raise NotImplementedError


@pytest.fixture
def captures(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The arguments of each capture."""
    found: list[dict[str, Any]] = []

    @contextmanager
    def graph(_: FakeGraph, **kwargs: Any) -> Iterator[None]:
        found.append(kwargs)
        yield

    monkeypatch.setattr(torch.cuda, "CUDAGraph", FakeGraph)
    monkeypatch.setattr(torch.cuda, "graph", graph)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: "its stream")
    monkeypatch.setattr(capture_module, "_broken", [])
    return found


def test_a_capture_is_on_the_runs_stream_and_of_its_thread(captures: list[dict[str, Any]]) -> None:
    made = training(RATES, Listener())
    made.step.begin(0)
    made.begin_epoch(0)

    replay, result = cuda_graph(made.step)

    assert captures == [{"stream": "its stream", "capture_error_mode": "thread_local"}]
    assert all(group["capturable"] for group in made._optimizer.param_groups)
    assert replay.__name__ == "replay"
    assert result.loss.ndim == 0


class Failing:
    """A step that raises."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def allow_capture(self) -> None:
        pass

    def __call__(self) -> StepResult:
        raise self._error


@pytest.mark.usefixtures("captures")
def test_after_a_failed_capture_its_process_makes_no_other_one() -> None:
    made = training(RATES, Listener())
    failing: Any = Failing(RuntimeError("not while capturing"))
    with pytest.raises(RuntimeError, match="not while capturing"):
        cuda_graph(failing)

    with pytest.raises(RuntimeError, match="failed before"):
        cuda_graph(made.step)


@pytest.mark.usefixtures("captures")
@pytest.mark.parametrize("error", NO_ROOM)
def test_a_capture_without_memory_leaves_the_next_one_possible(error: Exception) -> None:
    made = training(RATES, Listener())
    made.step.begin(0)
    made.begin_epoch(0)
    failing: Any = Failing(error)
    with pytest.raises(RuntimeError) as caught:
        cuda_graph(failing)

    assert caught.value is error
    assert cuda_graph(made.step)


@pytest.mark.usefixtures("captures")
def test_a_graph_that_could_not_be_ended_is_kept_though_memory_was_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @contextmanager
    def graph(*_: object, **__: object) -> Iterator[None]:
        try:
            yield
        finally:
            raise RuntimeError("operation failed due to a previous error during capture")

    monkeypatch.setattr(torch.cuda, "graph", graph)
    failing: Any = Failing(NO_ROOM[2])

    with pytest.raises(RuntimeError) as caught:
        cuda_graph(failing)

    assert lacks_memory(caught.value)
    assert len(capture_module._broken) == 1


def test_nothing_of_a_finished_training_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    # On a GPU it holds weights, images and a graph, and memory there calls no garbage collector.
    made: list[weakref.ref[Training]] = []
    plain = Training.run

    def noted(self: Training) -> int:
        made.append(weakref.ref(self))
        return plain(self)

    monkeypatch.setattr(Training, "run", noted)
    gc.disable()
    try:
        trained()
        assert made[0]() is None
    finally:
        gc.enable()


def test_chance_of_an_epoch_on_the_device_is_that_of_the_host() -> None:
    images = torch.arange(50)

    for epoch in (0, 1, 7, 2**31):
        found = Chance.of(3, torch.tensor(epoch), images)
        assert torch.equal(found.keys, Chance.of(3, epoch, images).keys)
