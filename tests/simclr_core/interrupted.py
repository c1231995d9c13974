"""Trainings that are broken off and gone on with, and what is left of them compared bit for bit."""

import io
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from made_trials import HERE, Listener, made_dataset, random_pictures, small_config
from torch import Tensor

from simclr_core.data.dataset import Dataset
from simclr_core.runtime import Execution
from simclr_core.training.pretraining import Pretrained, pretrain

SELDOM = HERE.model_copy(update={"checkpoint_seconds": 1e9})
"""A checkpoint where a training is told to stop, and no other."""

EACH_STEP = HERE.model_copy(update={"checkpoint_seconds": 0.0})

LONG: dict[str, Any] = {
    "batch_size": 10,
    "epochs": 4,
    "schedule": {"kind": "warmup_cosine", "warmup_epochs": 1},
}
"""24 steps in 4 epochs, the first of them warming up."""

OPTIMIZERS: dict[str, dict[str, Any]] = {
    "lars": {"kind": "lars", "learning_rate": 1.0},
    "adamw": {"kind": "adamw", "learning_rate": 0.01},
    "sgd": {"kind": "sgd", "nesterov": True},
}


def pictures() -> Dataset:
    """60 images to train on, of 8 x 8 pixels: a step of milliseconds."""
    return made_dataset(random_pictures(90), torch.arange(90) % 10, 60)


class Memory:
    """Checkpoints that are kept in memory: all of them, the last one counts."""

    def __init__(self, last: bytes | None = None) -> None:
        self.saved: list[bytes] = [] if last is None else [last]
        self.refused: list[str] = []

    def load(self) -> bytes | None:
        return self.saved[-1] if self.saved else None

    def save(self, packed: bytes) -> None:
        self.saved.append(packed)

    def refuse(self, why: str) -> None:
        self.refused.append(why)


class StopAt(Listener):
    """Says stop from a step on, in whatever process it was done."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self._step = step

    def should_stop(self) -> bool:
        return self.steps[-1][0] >= self._step


class Sitting(NamedTuple):
    """One process's part of a training."""

    trained: Pretrained
    listener: Listener
    memory: Memory

    @property
    def curve(self) -> dict[str, dict[int, float]]:
        """All that was told, but for wall time."""
        names = {name for _, row in self.listener.told for name in row} - {"pairs_per_second"}
        return {name: self.listener.column(name) for name in sorted(names)}

    @property
    def left(self) -> dict[str, Any]:
        """The last checkpoint: encoder, head, optimiser and rows, but for wall time and breaks."""
        found = torch.load(io.BytesIO(self.memory.saved[-1]), weights_only=True)["state"]
        rows = {
            step: {n: v for n, v in row.items() if n != "pairs_per_second"}
            for step, row in found["rows"].items()
        }
        del found["seconds"], found["resumed_at"]
        return {**found, "rows": rows}

    @property
    def steps(self) -> int:
        """Optimiser steps that this process took."""
        told = [done for done, _ in self.listener.steps]
        # A training that goes on tells first where it is.
        return told[-1] - told[0] if self.trained.facts.get("resumed_at_step") else len(told)


def sat(
    changes: Mapping[str, Any],
    *,
    until: int,
    memory: Memory | None = None,
    execution: Execution = SELDOM,
    dataset: Dataset | None = None,
) -> Sitting:
    """A training that goes on from a memory and is told to stop once `until` steps are done."""
    memory, listener = memory or Memory(), StopAt(until)
    config = small_config({**LONG, **changes})
    found = pretrain(config, dataset or pictures(), execution, listener, memory)
    return Sitting(found, listener, memory)


def equal(one: Any, other: Any) -> bool:
    """Whether two nested values are the same, tensors bit for bit with type and layout."""
    if isinstance(one, Tensor):
        same = isinstance(other, Tensor) and one.dtype == other.dtype
        return same and one.stride() == other.stride() and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other
