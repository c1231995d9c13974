"""What pre-training computes, counted without a machine: floating-point operations of f and g.

torch's own counter follows one step, forward and backward, on tensors that have shapes and no
numbers; weights are neither drawn nor kept. Counted are convolutions and matrix products; batch norm
and the like, the loss (at most 1 % of ResNet-50's at the paper's batch) and read-outs are not.
"""

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

PUBLISHED = {"ImageNet (ILSVRC 2012)": 1_281_167, "cifar10": 50_000}
"""Training images of data sets that a study names before they are at hand, by name or kind."""


class Compute(NamedTuple):
    """The pre-training of some encoders."""

    encoders: int
    pair: tuple[int, int]
    """Operations for the views of one image: of the smallest network, and of the largest."""

    total: int | None
    """All of them; None where it is not known how many images there are."""


def compute(configs: Iterable[Mapping[str, Any]]) -> Compute | None:
    """Of resolved configurations, each trained once.

    None where none trains anything, or where a network is a part of the user's own, which planning
    does not execute.
    """
    pairs: list[int] = []
    totals: list[int | None] = []
    for config in configs:
        if not config["epochs"]:
            continue
        if config["encoder"]["kind"] == "file" or config["head"]["kind"] == "file":
            return None
        pair = operations(
            _text(config["encoder"]),
            _text(config["head"]),
            config["data"]["size"],
            config["views"].get("num_views", 2),
            twice=config["gradient_cache"] is not None,
        )
        images, batch = num_images(config["data"]), config["batch_size"]
        if images is not None and "labels" in config["loss"]:
            images -= max(1, round(images / 10))  # the validation part, whose labels are not seen
        pairs.append(pair)
        seen = None if images is None else images // batch * batch * config["epochs"]
        totals.append(None if seen is None else pair * seen)
    if not pairs:
        return None
    known = [total for total in totals if total is not None]
    total = sum(known) if len(known) == len(totals) else None
    return Compute(len(pairs), (min(pairs), max(pairs)), total)


def num_images(data: Mapping[str, Any]) -> int | None:
    """Training images; None for a folder that was not counted."""
    if data.get("num_images") is not None:
        return int(data["num_images"])
    if data["kind"] == "folder" and data["path"] is not None:
        return None
    return PUBLISHED.get(data.get("name") or data["kind"])


@lru_cache(maxsize=64)
def operations(encoder: str, head: str, size: int, num_views: int, *, twice: bool) -> int:
    """Forward and backward of an image's views through f and g, from their settings in JSON.

    `twice`: gradient caching takes the way forward twice.
    """
    import torch
    from pydantic import TypeAdapter
    from torch.utils.flop_counter import FlopCounterMode

    from simclr_core.networks import AnyEncoder, AnyHead

    f: Any = TypeAdapter(AnyEncoder).validate_json(encoder)
    g: Any = TypeAdapter(AnyHead).validate_json(head)
    network = torch.nn.Sequential(f.outline(size), g.build(f.num_features, 0).to("meta"))
    views = torch.empty(num_views, 3, size, size, device="meta")
    with FlopCounterMode(display=False) as counter:
        z = network(views)
        if twice:
            z = network(views)
        z.sum().backward()
    return int(counter.get_total_flops())


def shown(operations: float) -> str:
    """About how many, in the unit that leaves few digits."""
    for unit in ("FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP"):
        if operations < 999.5:
            return f"{operations:.3g} {unit}"
        operations /= 1000
    return f"{operations:,.0f} PFLOP" if operations >= 99.5 else f"{operations:.3g} PFLOP"


def _text(settings: Any) -> str:
    return json.dumps(settings, sort_keys=True)
