"""A whole quickstart at laptop scale in this process: 24 trials, trained in a pack and evaluated.

The trials are `ablate plan quickstart`'s, kept in quickstart.json since planning needs more packages
than this benchmark; a test compares them with today's plan. Trials that share an encoder train it once.
"""

import json
import statistics
import threading
import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.gpu.child import Bench
from benchmarks.gpu.settings import TINY, execution, textures

from simclr_core import Config, Curve, evaluate, pretrain

FILE = Path(__file__).with_suffix(".json")


class Trial(NamedTuple):
    """One trial of the plan."""

    cell: str
    config: dict[str, Any]


def packed(trials: Iterable[Trial]) -> dict[str, Any]:
    """The trials as one configuration, and what differs from it in each."""
    every = list(trials)
    base = every[0].config
    return {
        "base": base,
        "trials": [
            [cell, {field: value for field, value in one.items() if value != base[field]}]
            for cell, one in every
        ],
    }


def unpacked(found: dict[str, Any]) -> list[Trial]:
    """What `packed` packed."""
    return [Trial(cell, {**found["base"], **changes}) for cell, changes in found["trials"]]


def run(bench: Bench) -> None:
    """Seconds end to end, of a pack and, if there is time, one trial after the other."""
    trials = unpacked(json.loads(FILE.read_text("utf-8")))
    trials = [_tiny(trial) for trial in trials[1:6]] if bench.miniature else trials
    textures(miniature=bench.miniature)  # decoded once a process, as in a worker
    took = _timed(bench, trials, bench.options.members)
    if took is not None and bench.left() > 1.2 * took:
        _timed(bench, trials, 1)


def _tiny(trial: Trial) -> Trial:
    data = {**trial.config["data"], "num_images": 48, "num_test": 24}
    probe = {"kind": "logistic", "l2": [0.01, 1.0]}
    labels = min(2, trial.config["evaluation"]["permuted_labels"])
    evaluation = {**trial.config["evaluation"], "probe": probe, "permuted_labels": labels}
    epochs = min(1, trial.config["epochs"])
    few = {"data": data, "evaluation": evaluation, "epochs": epochs}
    return Trial(trial.cell, {**trial.config, **few, **({} if epochs == 0 else TINY)})


def _timed(bench: Bench, trials: list[Trial], members: int) -> float | None:
    """The seconds of all trials; None if they did not end within the section's time."""
    pack = Pack(bench, trials)
    began = time.perf_counter()
    pack.run(members)
    seconds = time.perf_counter() - began
    ended = len(pack.values)
    what = f"{len(trials)} trials, {members} at once"
    if pack.error is not None:
        raise pack.error
    if ended < len(trials):
        bench.row(what, None, "s", note=f"{ended} trials in {seconds:.1f} s; no time was left")
        return None
    bench.row(what, seconds, "s", n=1)
    bench.row(f"{what}: evaluation", pack.evaluating, "s", n=1)
    for cell in ("crop+colour", "random encoder"):
        if top1 := [values["top1"] for name, values in pack.values if name == cell]:
            bench.row(f"{what}: top-1 of {cell}", statistics.fmean(top1), "%", n=len(top1))
    return seconds


class Pack:
    """Threads that take turns, each with its own trial, as a worker of `ablate run` has them."""

    def __init__(self, bench: Bench, trials: list[Trial]) -> None:
        self._bench, self._on = bench, execution(bench.device)
        self._jobs: deque[list[tuple[str, Config]]] = deque(self._by_encoder(trials))
        self._queue: deque[threading.Semaphore] = deque()
        self.values: list[tuple[str, dict[str, float]]] = []
        self.evaluating, self.error = 0.0, None

    def run(self, members: int) -> None:
        """All trials, so many at a time."""
        gates = [threading.Semaphore(0) for _ in range(min(members, len(self._jobs)))]
        threads = [
            threading.Thread(target=self._member, args=(gate,), daemon=True) for gate in gates
        ]
        self._queue.extend(gates)
        for thread in threads:
            thread.start()
        gates[0].release()
        for thread in threads:
            thread.join()

    def give_way(self) -> None:
        """The thread that runs waits until all others have had their turn."""
        self._queue.rotate(-1)
        own, following = self._queue[-1], self._queue[0]
        if own is not following:
            following.release()
            own.acquire()

    @property
    def over(self) -> bool:
        """Whether the trials should end."""
        return self._bench.left() < 0 or self.error is not None

    def _member(self, gate: threading.Semaphore) -> None:
        gate.acquire()
        try:
            while self._jobs and not self.over:
                self._job(self._jobs.popleft())
        except Exception as error:  # noqa: BLE001 -- raised again by the section's thread
            self.error = error
        finally:
            self._queue.popleft()
            if self._queue:
                self._queue[0].release()

    def _job(self, trials: list[tuple[str, Config]]) -> None:
        _, first = trials[0]
        dataset = textures(miniature=self._bench.miniature)
        trained = pretrain(first, dataset, self._on, _Turn(self))
        for cell, made in trials:
            if self.over:
                return
            began = time.perf_counter()
            found = evaluate(made, dataset, trained.state, self._on, head=trained.head)
            self.evaluating += time.perf_counter() - began
            self.values.append((cell, dict(found.values)))

    def _by_encoder(self, trials: list[Trial]) -> list[list[tuple[str, Config]]]:
        found: dict[str, list[tuple[str, Config]]] = {}
        for cell, config in trials:
            made = Config.model_validate(config).resolved(self._on.resolved_device)
            key = json.dumps(made.encoder_identity(), sort_keys=True)
            found.setdefault(key, []).append((cell, made))
        return list(found.values())


class _Turn(Curve):
    """Gives way after each step."""

    def __init__(self, pack: Pack) -> None:
        super().__init__()
        self._pack = pack

    def should_stop(self) -> bool:
        """Whether the section's time is over."""
        self._pack.give_way()
        return self._pack.over
