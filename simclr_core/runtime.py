"""How a trial is executed: settings that may change its speed but are not part of its identity."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from pydantic import Field
from torch import nn

from simclr_core.base import Frozen
from simclr_core.errors import ConfigurationError

Device = Literal["cpu", "cuda", "mps"]

_FULL = re.compile("out of memory|ALLOC(ATION)?_FAILED")
"""How torch, CUDA, cuBLAS, cuDNN, cuSOLVER, cuFFT and cuSPARSE say that a device has no memory left."""


class _Settings(NamedTuple):
    """What torch holds once for the whole process."""

    threads: int
    convolutions_in_tf32: bool
    products_in_tf32: bool

    @classmethod
    def of_torch(cls) -> "_Settings":
        products = bool(torch.backends.cuda.matmul.allow_tf32)
        return cls(torch.get_num_threads(), torch.backends.cudnn.allow_tf32, products)

    def apply(self) -> None:
        torch.set_num_threads(self.threads)
        torch.backends.cudnn.allow_tf32 = self.convolutions_in_tf32
        torch.backends.cuda.matmul.allow_tf32 = self.products_in_tf32


_in_force: list[_Settings] = []
"""Torch's own settings, then those of each execution that is in force, the last one on top."""


class Execution(Frozen):
    """Device, threads and layout. They are not part of any key; results agree between them up to rounding.

    On a CPU with the same threads and layout two runs of one configuration are equal bit for bit.
    """

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """auto: the first of cuda, mps and cpu that this machine has."""

    threads: int | None = Field(default=None, ge=1)
    """Threads of torch on the CPU; None leaves torch's default."""

    memory_format: Literal["channels_last", "contiguous"] = "channels_last"
    """Order of an image batch in memory."""

    recompute: bool = False
    """Stores only the input of each encoder block and recomputes the rest in the backward pass:
    less memory, about a third more time, identical results."""

    cache: Path | None = None
    """The folder in which decoded data sets are cached; None: no cache."""

    checkpoint_seconds: float = Field(default=60.0, ge=0, allow_inf_nan=False)
    """Seconds between two checkpoints of a pre-training run, if it saves any; 0 saves after every
    step. The interval grows if saving is slow, so that it takes at most a fiftieth of the time."""

    @property
    def resolved_device(self) -> Device:
        """The device that `device` means on this machine.

        Raises:
            ConfigurationError: this machine has no such device.
        """
        return resolve_device(self.device)

    @property
    def layout(self) -> torch.memory_format:
        """`memory_format` in torch's terms."""
        return getattr(
            torch,
            "channels_last" if self.memory_format == "channels_last" else "contiguous_format",
        )

    def place(self, network: nn.Module) -> nn.Module:
        """The network on the device, in the layout."""
        network = network.to(self.resolved_device)
        return network.to(memory_format=self.layout)

    @contextmanager
    def in_force(self) -> Generator[None]:
        """Within it torch uses `threads`, and fp32 is fp32: what was before is restored at the end.

        By default, convolutions on newer NVIDIA GPUs round their factors to 10 bits (TF32).

        Raises:
            torch.OutOfMemoryError: a device had too little memory, whatever error said so within.
        """
        before = _Settings.of_torch()
        own = _Settings(
            self.threads or before.threads, convolutions_in_tf32=False, products_in_tf32=False
        )
        if not _in_force:
            _in_force.append(before)
        _in_force.append(own)
        own.apply()
        try:
            yield
        except Exception as error:
            if isinstance(error, torch.OutOfMemoryError) or not lacks_memory(error):
                raise
            raise torch.OutOfMemoryError(str(error)) from error
        finally:
            # Trials that take turns in one process begin and end in any order.
            _in_force.remove(own)
            _in_force[-1].apply()
            if len(_in_force) == 1:
                _in_force.clear()

    @contextmanager
    def own_stream(self) -> Generator[None]:
        """Within it a GPU's work is queued on a stream of its own, which trials at once need."""
        if self.resolved_device != "cuda":
            yield
            return
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            yield
        torch.cuda.current_stream().wait_stream(stream)


def lacks_memory(error: BaseException | None) -> bool:
    """Whether an error, or one that led to it, is that a device has too little memory.

    Torch has a type for its own allocator only; what a library of CUDA could not allocate is a
    RuntimeError.
    """
    while error is not None:
        if isinstance(error, torch.OutOfMemoryError):
            return True
        if isinstance(error, RuntimeError) and _FULL.search(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


def autocast(precision: Literal["auto", "fp32", "bf16"], device: torch.device) -> torch.autocast:
    """Within it matrices are multiplied in bf16 where that is the (resolved) precision."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def resolve_device(device: Literal["auto", "cpu", "cuda", "mps"]) -> Device:
    """What `device` means on this machine.

    Raises:
        ConfigurationError: this machine has no such device.
    """
    here: dict[Device, bool] = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if device == "auto":
        return next(name for name, at_hand in here.items() if at_hand)
    if not here[device]:
        raise ConfigurationError(
            f"device: must be available on this machine, got {device}; use auto or cpu"
        )
    return device
