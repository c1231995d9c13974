"""Checkpoints: an unfinished pre-training run as bytes, from which it resumes bit for bit.

A checkpoint is restored only where the rest of the run has the bits of an uninterrupted one: with the
same configuration, data, version, torch, device, threads and layout. Any other one is refused, and
the run starts from scratch.
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

FORMAT = 2
"""Raised when a checkpoint's fields change; others are refused."""

_LARGEST_SHARE = 0.02
"""Of the time that saving may take: after a slow save the next one waits longer."""

_UNREADABLE = (
    *(OSError, EOFError, RuntimeError, ValueError, UnpicklingError),
    *(KeyError, TypeError, AttributeError),
)
"""The errors that torch and Python raise for bytes that are not a checkpoint."""

Identity = dict[str, str | int]


class Checkpoints(Protocol):
    """The storage of a pre-training run's last checkpoint.

    None of the three may raise because a disk is full, read-only or damaged: training continues
    without checkpoints.
    """

    def load(self) -> bytes | None:
        """The last saved state; None if there is none or it is incomplete."""
        ...

    def save(self, packed: bytes) -> None:
        """Replaces the saved state atomically."""
        ...

    def refuse(self, why: str) -> None:
        """Discards the loaded state; `why` completes a sentence about it."""
        ...


def identity(config: Config, fingerprint: str, execution: Execution) -> Identity:
    """All that the bits of a run depend on: its configuration, and what executes it.

    Of a resolved configuration and its data's fingerprint, within `execution.in_force()`.
    """
    text = json.dumps(config.encoder_identity(), sort_keys=True)
    device = execution.resolved_device
    return {
        "format": FORMAT,
        "trainer": TRAINER_VERSION,
        "configuration": sha256(text.encode()).hexdigest()[:16],
        "data": fingerprint,
        "torch": str(torch.__version__),
        "device": torch.cuda.get_device_name() if device == "cuda" else device,
        "processor": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        "threads": torch.get_num_threads(),
        "memory format": execution.memory_format,
    }


class CheckpointManager:
    """The checkpoints of one run: under which identity, and how often."""

    def __init__(
        self,
        checkpoints: Checkpoints | None,
        of: Identity,
        seconds: float,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`seconds` between two of them, 0 for one after every step; without `checkpoints` none."""
        self._checkpoints, self._identity = checkpoints, of
        self._seconds, self._clock = seconds, clock
        self._wait, self._last = seconds, clock()

    def restore(self) -> dict[str, Any] | None:
        """The state that was saved last under this identity; None where there is none.

        One that cannot be read, or that another identity saved, is refused with the reason.
        """
        packed = None if self._checkpoints is None else self._checkpoints.load()
        if self._checkpoints is None or packed is None:
            return None
        try:
            found = torch.load(io.BytesIO(packed), map_location="cpu", weights_only=True)
            earlier, state = dict(found["identity"]), dict(found["state"])
        except _UNREADABLE as error:
            # Torch's message has many lines, with colours and advice that does not apply here.
            self._checkpoints.refuse(f"cannot be read ({type(error).__name__})")
            return None
        for name, value in self._identity.items():
            if earlier.get(name) != value:
                self._checkpoints.refuse(f"was made with {name} {earlier.get(name)}, not {value}")
                return None
        return state

    def save(self, state: Callable[[], dict[str, Any] | None], *, at_once: bool) -> None:
        """Saves the state if it is due, or at once; a state of None is not saved."""
        began = self._clock()
        if self._checkpoints is None or not (at_once or began - self._last >= self._wait):
            return
        content = state()
        if content is None:
            return
        buffer = io.BytesIO()
        torch.save({"identity": self._identity, "state": content}, buffer)
        self._checkpoints.save(buffer.getvalue())
        self._last = self._clock()
        if self._seconds:
            self._wait = max(self._seconds, (self._last - began) / _LARGEST_SHARE)
