"""The peak memory of one trial before it has run, counted from its configuration.

What autograd keeps of one image's views is counted by its own hooks, on tensors that have shapes and no
numbers; it grows with the batch. Added to it are weights with gradients and optimiser state, the views
and the decoded images, and on a CPU what a worker holds before its trial.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from ablations.compose.flops import (
    as_text,
    num_images,
    num_test,
    num_views_of,
    outline,
    weight_bytes,
)
from sweeps.record import Summary

WORKER = 1_150_000_000
"""Resident bytes of a worker that runs nothing, where the machine was not timed: torch with CUDA,
torchvision and Ray (AMD EPYC, Python 3.11, torch 2.15, Ray 2.60, Linux)."""

RAY = 110_000_000
"""Of these, what Ray adds to a process that has trained and evaluated."""

COPIES = 3
"""Float copies of a step's views that are alive at once while they are made."""

_FLOAT = 4


class Memory(NamedTuple):
    """The largest trial of a plan."""

    num_bytes: int
    cell: str
    source: str
    """Where the number comes from, in words."""


def peak_memory(
    trials: Iterable[tuple[str, Mapping[str, Any]]],
    summaries: Iterable[Summary],
    device: str,
    *,
    worker: int | None = None,
    recompute: bool = False,
) -> Memory | None:
    """The most that one of the trials (cell, configuration) takes; None if it is unknown.

    A cell on record counts with what its trials took. `worker` is what a process held that had trained and
    evaluated on this machine, in bytes.
    """
    recorded: dict[str, int] = {}
    if device == "cpu":
        for one in summaries:
            if one.peak_memory:
                recorded[one.cell] = max(one.peak_memory, recorded.get(one.cell, 0))
    found: list[Memory] = []
    estimated = dict[str, int | None]()
    for cell, config in trials:
        if cell in recorded:
            found.append(Memory(recorded[cell], cell, "measured in earlier trials"))
        elif cell not in estimated:
            estimated[cell] = size = estimate(config, device, worker=worker, recompute=recompute)
            if size is not None:
                found.append(Memory(size, cell, "estimated from its configuration"))
    return max(found, key=lambda one: one.num_bytes, default=None)


def estimate(
    config: Mapping[str, Any], device: str, *, worker: int | None = None, recompute: bool = False
) -> int | None:
    """Bytes of the trial's process on a CPU, of the device's memory on a GPU; None as for `operations`."""
    size, batch = config["data"]["size"], config["batch_size"]
    encoder, head = as_text(config["encoder"]), as_text(config["head"])
    images = _image_bytes(config)
    if images is None:
        return None
    base = WORKER if worker is None else worker + RAY
    base = base if device == "cpu" else 0
    if not config["epochs"]:
        return base + images
    saved = activation_bytes(encoder, head, size, recompute=recompute)
    weights = weight_bytes(encoder, head, size)
    if saved is None or weights is None:
        return None
    views = num_views_of(config)
    at_once = min(batch, config["gradient_cache"] or batch)
    pixels = 3 * size * size * _FLOAT
    slots = 4 if config["optimizer"]["kind"] in ("adam", "adamw") else 3
    return base + images + slots * weights + views * (batch * COPIES * pixels + at_once * saved)


def _image_bytes(config: Mapping[str, Any]) -> int | None:
    """The decoded images, as bytes."""
    data = config["data"]
    train = num_images(data)
    if train is None:
        return None
    return (train + num_test(config)) * 3 * data["size"] ** 2


@lru_cache(maxsize=64)
def activation_bytes(encoder: str, head: str, size: int, *, recompute: bool) -> int | None:
    """Bytes that the backward pass of f and g keeps of one view, from their settings in JSON.

    Weights, which it keeps as well, are not counted. None if a network is a custom component.
    """
    import torch

    from ablations.compose.shape_pass import KeptByBatchNorm
    from simclr_core.networks import recompute_blocks

    network = outline(encoder, head, size)
    if network is None:
        return None
    if recompute:
        recompute_blocks(network[0])
    saved: dict[int, torch.UntypedStorage] = {}

    def save(tensor: torch.Tensor) -> torch.Tensor:
        if not isinstance(tensor, torch.nn.Parameter):
            storage = tensor.untyped_storage()
            # The one name that two views of a storage share; without numbers there is no address.
            saved[storage._cdata] = storage  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        return tensor

    batch = 4
    views = torch.empty(batch, 3, size, size, device="meta")
    keeping = torch.autograd.graph.saved_tensors_hooks(save, lambda tensor: tensor)
    with keeping, KeptByBatchNorm():
        z = network(views)
    del z
    return sum(one.nbytes() for one in saved.values()) // batch
