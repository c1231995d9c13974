"""Small trials: one of a tenth of a second, data sets of chosen pictures, a listener."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from simclr_core.config.overrides import check
from simclr_core.config.schema import Config
from simclr_core.data.dataset import Dataset, load
from simclr_core.data.images import Images
from simclr_core.data.textures import Textures
from simclr_core.runtime import Execution
from simclr_core.training.pretraining import Pretrained, pretrain

HERE = Execution(device="cpu", threads=1)

SMALL: dict[str, Any] = {
    "data": {"kind": "textures", "num_images": 120, "num_test": 60},
    "encoder": {"blocks": [1], "width": 0.125, "stem": "small"},
    "head": {"kind": "mlp", "output": 8},
    "batch_size": 40,
    "epochs": 2,
    "optimizer": {"kind": "adamw"},
    "schedule": {"kind": "constant"},
    "evaluation": {"probe": {"kind": "logistic", "l2": [0.01, 1.0, 100.0]}, "knn": {"k": 10}},
}


def small_config(changes: Mapping[str, Any] | None = None) -> Config:
    """The small trial, with dotted changes, resolved for the CPU."""
    return check({**SMALL, **(changes or {})}).resolved("cpu")


def textures(num: int = 120, num_test: int = 60) -> Dataset:
    """The embedded data set, freshly counted."""
    return load(Textures(num_images=num, num_test=num_test), cache=None)


def made_dataset(
    pictures: Tensor, labels: Sequence[int] | Tensor, num_train: int, num_classes: int = 10
) -> Dataset:
    """These uint8 pictures [N, 3, S, S] as a data set whose first `num_train` are for training."""
    return Dataset(
        name="made",
        fingerprint="made",
        size=pictures.shape[-1],
        class_names=[f"class {c}" for c in range(num_classes)],
        images=Images.of(pictures),
        labels=torch.as_tensor(labels),
        contents=[i.to_bytes(32, "big") for i in range(len(pictures))],
        num_train=num_train,
    )


def random_pictures(num: int, side: int = 8, *, seed: int = 0) -> Tensor:
    """uint8 noise, [N, 3, side, side]."""
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (num, 3, side, side), generator=rng, dtype=torch.uint8)


def equal_states(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> bool:
    """Whether two states hold the same names and, bit for bit, the same numbers."""
    return first.keys() == second.keys() and all(torch.equal(first[n], second[n]) for n in first)


STILL = {"optimizer": {"kind": "sgd", "learning_rate": 1e-30, "weight_decay": 0}}
"""A rate that moves no weight: what a training ends with is what it began with."""

NO_CURVE = {"evaluation.knn": None}


class Listener:
    """Remembers all it is told; says stop once `stop_after` steps are done."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.told: list[tuple[int, dict[str, float]]] = []
        self.steps: list[tuple[int, int]] = []
        self._stop_after = stop_after

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        self.told.append((step, dict(values)))

    def progress(self, done: int, total: int) -> None:
        self.steps.append((done, total))

    def should_stop(self) -> bool:
        return self._stop_after is not None and len(self.steps) >= self._stop_after

    def column(self, name: str) -> dict[int, float]:
        """A metric by step."""
        return {step: values[name] for step, values in self.told if name in values}


def trained(
    changes: Mapping[str, Any] | None = None,
    dataset: Dataset | None = None,
    listener: Listener | None = None,
) -> Pretrained:
    """A small pre-training."""
    return pretrain(small_config(changes), dataset or textures(), HERE, listener or Listener())


def kernels(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The convolutions, which no statistics enter."""
    return {name: tensor for name, tensor in state.items() if tensor.ndim == 4}
