"""A CUDA graph's stand-in on the CPU: a step is recorded operation by operation, then replayed.

As in a graph, each replay runs the same operations on the same memory. What the host computed or read
while the step was recorded stays as it was then.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from simclr_core.training.capture import Captured
from simclr_core.training.step import StepResult


class _Recorder(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, tuple[Any, ...], dict[str, Any], list[Tensor]]] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, tensors(made)))
        return made


def tensors(found: Any) -> list[Tensor]:
    """Those in an operation's result."""
    if isinstance(found, list | tuple):
        return [each for one in found for each in tensors(one)]
    return [found] if isinstance(found, Tensor) else []


@torch.no_grad()
def _again(calls: list[tuple[Any, tuple[Any, ...], dict[str, Any], list[Tensor]]]) -> None:
    for func, args, kwargs, places in calls:
        for place, new in zip(places, tensors(func(*args, **kwargs)), strict=True):
            if place.data_ptr() != new.data_ptr():
                place.copy_(new)


def recorded(step: Callable[[], StepResult], state: Callable[[], list[Tensor]]) -> Captured:
    """The step, recorded; `state` is what it changes, which a capture leaves as it was."""
    before = [each.clone() for each in state()]
    with _Recorder() as recorder:
        result = step()
    with torch.no_grad():
        for place, old in zip(state(), before, strict=True):
            place.copy_(old)
    return lambda: _again(recorder.calls), result
