"""Configurations and images of the benchmark, in full size and in miniature."""

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import torch

from simclr_core import Config, Dataset, Execution, Textures, check, load

BASE: dict[str, Any] = {
    "data": {"kind": "textures", "num_images": 2000, "num_test": 1000},
    "views.operations": [{"kind": "crop"}, {"kind": "colour", "strength": 0.5}, {"kind": "blur"}],
    "encoder": {"kind": "resnet", "blocks": [1, 1, 1], "width": 0.25, "stem": "small"},
    "head": {"kind": "mlp", "hidden_layers": 1, "output": 64},
    "loss": {"kind": "nt_xent", "temperature": 0.5},
    "optimizer": {"kind": "adamw", "learning_rate": 2.0e-3},
    "schedule": {"kind": "warmup_cosine", "warmup_epochs": 1},
    "batch_size": 256,
    "epochs": 10,
    "evaluation.knn": None,
}

TINY: dict[str, Any] = {
    "encoder": {"kind": "resnet", "blocks": [1], "width": 0.0625, "stem": "small"},
    "head": {"kind": "mlp", "hidden_layers": 1, "output": 8},
    "batch_size": 8,
}


class Network(NamedTuple):
    """A network that is timed."""

    name: str
    changes: dict[str, Any]
    share: float
    """Of a section's time."""


NETWORKS = (
    Network("laptop network, B 256", {}, 0.45),
    Network(
        "ResNet-18, CIFAR stem, B 512",
        {"encoder": {"kind": "resnet", "depth": 18, "stem": "cifar"}, "batch_size": 512},
        0.3,
    ),
    Network(
        "ResNet-50, CIFAR stem, B 512",
        {"encoder": {"kind": "resnet", "depth": 50, "stem": "cifar"}, "batch_size": 512},
        0.25,
    ),
)


def networks(*, miniature: bool) -> tuple[Network, ...]:
    """The networks, or one tiny one."""
    return (Network("tiny network, B 8", {}, 1.0),) if miniature else NETWORKS


def config(changes: Mapping[str, Any] | None = None, *, miniature: bool) -> Config:
    """The laptop network's trial with dotted changes; in miniature a tiny network's."""
    return check({**BASE, **(changes or {}), **(TINY if miniature else {})})


def execution(device: str) -> Execution:
    """On this device, with torch's own number of threads."""
    return Execution(device=device)  # pyright: ignore[reportArgumentType] -- one of its names


@cache
def textures(*, miniature: bool) -> Dataset:
    """The embedded data set."""
    num = (48, 24) if miniature else (2000, 1000)
    return load(Textures(num_images=num[0], num_test=num[1]), cache=None)


@cache
def noise(*, miniature: bool) -> Dataset:
    """As many images as CIFAR-10 has for training, of 32 px, without labels."""
    rng = torch.Generator().manual_seed(0)
    num = 64 if miniature else 50_000
    return Dataset.of(
        torch.randint(0, 256, (num, 3, 32, 32), generator=rng, dtype=torch.uint8), name="noise"
    )
