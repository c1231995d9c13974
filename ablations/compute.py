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
    """Operations for the two views of one image: of the smallest network, and of the largest."""

    total: int | None
    """All of them; None where it is not known how many images there are."""


def compute(configs: Iterable[Mapping[str, Any]]) -> Compute | None:
    """Of resolved configurations, each trained once; None where none trains anything."""
    pairs: list[int] = []
    totals: list[int | None] = []
    for config in configs:
        if not config["epochs"]:
            continue
        pair = pair_operations(
            _text(config["encoder"]), _text(config["head"]), config["data"]["size"]
        )
        images, batch = num_images(config["data"]), config["batch_size"]
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
def pair_operations(encoder: str, head: str, size: int) -> int:
    """Forward and backward of both views of an image through f and g, from their settings in JSON."""
    import torch
    from pydantic import TypeAdapter
    from torch.utils.flop_counter import FlopCounterMode

    from simclr_core.encoders import AnyEncoder
    from simclr_core.heads import AnyHead

    f: Any = TypeAdapter(AnyEncoder).validate_json(encoder)
    g: Any = TypeAdapter(AnyHead).validate_json(head)
    with _undrawn():
        network = torch.nn.Sequential(f.build(0), g.build(f.num_features, 0)).to("meta")
    # Two images, for batch norm, and a view of each: what a pair costs.
    with FlopCounterMode(display=False) as counter:
        network(torch.empty(2, 3, size, size, device="meta")).sum().backward()
    return int(counter.get_total_flops())


def shown(operations: float) -> str:
    """About how many, in the unit that leaves few digits."""
    for unit in ("FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP"):
        if operations < 999.5:
            return f"{operations:.3g} {unit}"
        operations /= 1000
    return f"{operations:,.0f} PFLOP" if operations >= 99.5 else f"{operations:.3g} PFLOP"


def _undrawn() -> Any:
    """A context in which first weights stay as memory was: nobody looks at them."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    class Undrawn(TorchDispatchMode):
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            drawn = (torch.ops.aten.normal_.default, torch.ops.aten.uniform_.default)
            return args[0] if func in drawn else func(*args, **(kwargs or {}))

    return Undrawn()


def _text(settings: Any) -> str:
    return json.dumps(settings, sort_keys=True)
