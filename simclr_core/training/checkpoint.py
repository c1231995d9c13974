"""Checkpoints: a pre-training on its way, as bytes from which it goes on bit for bit.

A checkpoint is taken up only where the rest of the training gives the bits that it would have given
without the break: the same configuration, data, version, torch, device, threads and layout. Any
other one is refused, and the training starts anew.
"""

import io
import json
import platform
import time
from collections.abc import Callable
from hashlib import sha256
from pickle import UnpicklingError
from typing import Any, Protocol

import torch

from simclr_core.config import TRAINER_VERSION, Config
from simclr_core.runtime import Execution

FORMAT = 1
"""Raised when a checkpoint's fields change; others are refused."""

_DEAREST = 0.02
"""The share of the time that saving may take: after a slow save the next one waits longer."""

_UNREADABLE = (
    *(OSError, EOFError, RuntimeError, ValueError, UnpicklingError),
    *(KeyError, TypeError, AttributeError),
)
"""What torch and Python say of bytes that are no checkpoint."""

Identity = dict[str, str | int]


class Checkpoints(Protocol):
    """Where a pre-training finds and leaves its last checkpoint.

    None of the three may raise because a disk is full, closed or torn: a training goes on without.
    """

    def load(self) -> bytes | None:
        """What was saved last; None where nothing was, or nothing whole."""
        ...

    def save(self, packed: bytes) -> None:
        """Takes the place of what was saved before, whole or not at all."""
        ...

    def refuse(self, why: str) -> None:
        """What `load` gave is not used: it goes; `why` ends a sentence that begins with it."""
        ...


def identity(config: Config, fingerprint: str, execution: Execution) -> Identity:
    """All that the bits of a training depend on: what it is, and what carries it out.

    Of a resolved configuration and its data's fingerprint, within `execution.in_force()`.
    """
    told = json.dumps(config.encoder_identity(), sort_keys=True)
    device = execution.resolved_device
    return {
        "format": FORMAT,
        "trainer": TRAINER_VERSION,
        "configuration": sha256(told.encode()).hexdigest()[:16],
        "data": fingerprint,
        "torch": str(torch.__version__),
        "device": torch.cuda.get_device_name() if device == "cuda" else device,
        "processor": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        "threads": torch.get_num_threads(),
        "memory format": execution.memory_format,
    }


class Keeper:
    """One training's checkpoints: under which identity, and how often."""

    def __init__(
        self,
        checkpoints: Checkpoints | None,
        of: Identity,
        seconds: float,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`seconds` between two of them, 0 for one after every step; None keeps none."""
        self._checkpoints, self._identity = checkpoints, of
        self._seconds, self._clock = seconds, clock
        self._wait, self._last = seconds, clock()

    def taken_up(self) -> dict[str, Any] | None:
        """The state that was kept last under this identity; None where there is none.

        One that cannot be read, or that was made otherwise, is refused with the reason.
        """
        packed = None if self._checkpoints is None else self._checkpoints.load()
        if self._checkpoints is None or packed is None:
            return None
        try:
            found = torch.load(io.BytesIO(packed), map_location="cpu", weights_only=True)
            earlier, state = dict(found["identity"]), dict(found["state"])
        except _UNREADABLE as error:
            # Torch's own text is of many lines, with colours and advice that would not help here.
            self._checkpoints.refuse(f"cannot be read ({type(error).__name__})")
            return None
        for name, value in self._identity.items():
            if earlier.get(name) != value:
                self._checkpoints.refuse(f"was made with {name} {earlier.get(name)}, not {value}")
                return None
        return state

    def keep(self, state: Callable[[], dict[str, Any] | None], *, at_once: bool) -> None:
        """Saves the state if the time has come, or at once; a state of None is not worth keeping.

        Saving takes at most a fiftieth of the time: where it is slow, the next one waits longer.
        """
        began = self._clock()
        if self._checkpoints is None or not (at_once or began - self._last >= self._wait):
            return
        told = state()
        if told is None:
            return
        buffer = io.BytesIO()
        torch.save({"identity": self._identity, "state": told}, buffer)
        self._checkpoints.save(buffer.getvalue())
        self._last = self._clock()
        if self._seconds:
            self._wait = max(self._seconds, (self._last - began) / _DEAREST)
