"""A step on a device without numbers, and what in it would wait for the host.

Tensors of torch's meta device have a shape, a type and a device, and no numbers. To read one, to copy
one to the host, and any shape that depends on numbers, is an error there. Copies from the host are
counted here. (`FakeTensorMode` on a CUDA device cannot run a backward pass without a GPU: torch 2.15.)
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from simclr_core.augment.constants import constant
from simclr_core.callbacks import Curve
from simclr_core.config.schema import Config
from simclr_core.data.dataset import Dataset
from simclr_core.runtime import Execution
from simclr_core.training.pretraining import Training
from simclr_core.training.step import StepResult

META = "meta"
_AUTOCAST = "torch.autocast"
_FUSED = "torch.optim.optimizer._get_fused_kernels_supported_devices"


_WITHOUT_META = {
    torch.ops.aten._fused_adamw_.tensor_lr,
    torch.ops.aten._fused_sgd_.tensor_lr,
}
"""Operations in place that have no kernel for this device; they read nothing."""


class Copies(TorchDispatchMode):
    """Notes each operation that meets tensors of the host and of the device, or moves one."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func in _WITHOUT_META:
            return None
        made = func(*args, **(kwargs or {}))
        tensors = [each for each in _flat((args, kwargs, made)) if isinstance(each, Tensor)]
        # A number without a dimension that the host holds is passed by value.
        devices = {one.device.type for one in tensors if one.ndim or one.device.type == META}
        # A list of Python's numbers that becomes a tensor of the device is lifted there.
        if len(devices) > 1 or (func is torch.ops.aten.lift_fresh.default and META in devices):
            self.found.append(str(func))
        return made


@contextmanager
def without_numbers() -> Iterator[None]:
    """Within it each execution is on the meta device."""
    devices = ["cpu", "cuda", META]
    constant.cache_clear()
    with (
        patch.object(Execution, "resolved_device", META),
        patch(_AUTOCAST, lambda *_, **__: nullcontext()),
        patch(_FUSED, lambda: devices),
    ):
        yield
    constant.cache_clear()


def second_step(
    config: Config, dataset: Dataset, *, resumed: bool = False
) -> tuple[StepResult, list[str]]:
    """What the second step gives, and what it copied; the first one may set up.

    `resumed`: the optimiser's state was loaded before, from the host's memory.
    """
    with without_numbers():
        execution = Execution()
        encoder = execution.place(config.encoder.build(0, dataset.size))
        training = Training(config, dataset, encoder, execution, Curve(), None)
        if resumed:
            state = training._optimizer.state_dict()
            for group in state["param_groups"]:
                group["lr"] = torch.tensor(0.1)
            training._optimizer.load_state_dict(state)
        training.step.begin(0)
        training.begin_epoch(0)
        with Copies():
            training.step()
        with Copies() as copies:
            result = training.step()
    return result, copies.found


def _flat(found: Any) -> list[Any]:
    if isinstance(found, dict):
        found = list(found.values())
    if isinstance(found, list | tuple):
        return [each for one in found for each in _flat(one)]
    return [found]
