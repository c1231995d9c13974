"""A trial in miniature, timed part by part, and the power that the processor draws meanwhile."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field

from sweeps.base import Frozen

if TYPE_CHECKING:
    from simclr_core.training import Pace, SideBySide

MemoryFormat = Literal["contiguous", "channels_last"]

LAPTOP: dict[str, Any] = {
    "data": {"kind": "textures", "num_images": 1024, "num_test": 64},
    "encoder": {"kind": "resnet", "blocks": [1, 1, 1], "width": 0.25, "stem": "small"},
    "head": {"kind": "mlp", "hidden_layers": 1, "output": 64},
    "optimizer": {"kind": "adamw"},
    "schedule": {"kind": "constant"},
}
"""The network of the laptop scale, on textures."""

BATCH = 128
"""Images of a step of the miniature."""

STEPS = 3
"""Timed steps of each training run, after a few that are not counted."""

_ENERGY = Path("/sys/class/powercap")
"""Where Linux counts the processor's energy (RAPL), if the machine lets this user read it."""


class Miniature(Frozen):
    """A trial of the laptop network in one thread setting; all slots work at once, as in a launch."""

    step: float = Field(gt=0)
    """Seconds of a training step for each image, views included."""

    views: float = Field(ge=0, le=1)
    """The share of `step` that is not network, loss and optimiser."""

    evaluation: float = Field(gt=0)
    """Seconds of the evaluation for each image of the training and test splits."""


def miniature(
    threads: int, memory_format: MemoryFormat, slots: int, images_per_second: float
) -> Miniature:
    """Times training steps alone and in as many threads as there are slots, then an evaluation.

    `images_per_second` is the rate of the same network without views, alone.
    """
    from simclr_core.config import check
    from simclr_core.data import load
    from simclr_core.evaluation import evaluate
    from simclr_core.runtime import Execution
    from simclr_core.training import SideBySide

    config = check({**LAPTOP, "batch_size": BATCH, "epochs": 1})
    dataset = load(config.data, cache=None)
    execution = Execution(device="cpu", threads=threads, memory_format=memory_format)
    runs = [SideBySide(dataset, execution) for _ in range(slots)]
    members = [run.add(config) for run in runs]
    alone = runs[0].pace(STEPS).seconds / BATCH
    with ThreadPoolExecutor(slots) as pool:
        together = [pace.seconds / BATCH for pace in pool.map(_pace, runs)]
    state = {name: one.clone() for name, one in members[0].encoder.state_dict().items()}
    began = time.perf_counter()
    evaluate(config, dataset, state, execution)
    slowdown = max(1.0, fmean(together) / alone)
    seconds = (time.perf_counter() - began) / (dataset.num_train + dataset.num_test)
    return Miniature(
        step=alone * slowdown,
        views=max(0.0, 1 - 1 / (images_per_second * alone)),
        evaluation=seconds * slowdown,
    )


def _pace(run: "SideBySide") -> "Pace":
    return run.pace(STEPS)


class Joules:
    """The energy that the processors use while the block runs, where the machine counts it."""

    def __enter__(self) -> Self:
        self._before, self._began = _counters(), time.perf_counter()
        self.watts: float | None = None
        return self

    def __exit__(self, *_: object) -> None:
        used = [now - before for now, before in zip(_counters(), self._before, strict=False)]
        # A counter that wrapped around says nothing.
        if used and min(used) >= 0:
            self.watts = sum(used) / 1e6 / (time.perf_counter() - self._began)


def _counters() -> list[int]:
    """Microjoules of each package of processors; empty where they cannot be read."""
    try:
        return [int(file.read_text()) for file in sorted(_ENERGY.glob("intel-rapl:?/energy_uj"))]
    except (OSError, ValueError):
        return []
