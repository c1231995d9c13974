"""A step captured as one CUDA graph and replayed, where nothing in it needs the host.

Launched one by one, a step's many small kernels leave a GPU idle: the host is slower than they are.
"""

import warnings
from collections.abc import Callable
from typing import Generic, TypeVar

import torch

from simclr_core.config import Config
from simclr_core.plugins import files_of
from simclr_core.runtime import Execution, lacks_memory
from simclr_core.training.step import Step, StepResult

EAGER_STEPS = 3
"""Steps before the capture: in the first ones libraries set themselves up, which no graph may hold."""

Captured = tuple[Callable[[], None], StepResult]
"""What replays a step, and the place of its result."""

Stepping = TypeVar("Stepping", bound=Callable[[], StepResult])

_broken: list[torch.cuda.CUDAGraph] = []
"""Graphs whose capture failed. The memory allocator goes on asking each of them which stream it
captures (torch 2.15), so they must not be freed."""


def why_eager(config: Config, execution: Execution, *, one_shape: bool) -> str | None:
    """Why a GPU runs this configuration's steps kernel by kernel; None where it replays a graph.

    `one_shape`: whether all training images have one shape.
    """
    if any(files_of(config.model_dump(mode="json"))):
        return "a custom component may need the host"
    if config.gradient_cache is not None:
        return "gradient_cache runs the network twice, in parts"
    if execution.recompute:
        return "recompute runs parts of the network again"
    if not one_shape:
        return "images of different shapes are padded one by one"
    return None


class CapturedStep(Generic[Stepping]):
    """A step that is run as it is at first, then captured, and from then on replayed.

    A step that cannot be captured is run as it is to the end, with a warning: the numbers are the
    same. Lack of memory is no such case.
    """

    def __init__(self, step: Stepping, capture: Callable[[Stepping], Captured]) -> None:
        self._step, self._capture, self._ran = step, capture, 0
        self._captured: Captured | None = None
        self.replayed = 0
        """Steps that were replayed."""
        self.failure: str | None = None
        """Why it could not be captured."""

    def __call__(self) -> StepResult:
        """The next step; its result is overwritten by the one after it."""
        if self._ran < EAGER_STEPS or self.failure is not None:
            self._ran += 1
            return self._step()
        if self._captured is None:
            try:
                self._captured = self._capture(self._step)
            except RuntimeError as error:
                if lacks_memory(error):
                    raise
                self.failure = str(error.__context__ or error).partition("\n")[0]
                warnings.warn(
                    f"the step is run kernel by kernel, since it was not captured: {self.failure}",
                    RuntimeWarning,
                    stacklevel=2,
                )
                return self._step()
        replay, result = self._captured
        replay()
        self.replayed += 1
        return result


def cuda_graph(step: Step) -> Captured:
    """The step as a CUDA graph; nothing of it is executed yet. Needs a stream of the run's own.

    Raises:
        RuntimeError: there is no memory for it, the step needs the host, or an earlier capture of this
            process failed.
    """
    if _broken:
        raise RuntimeError("a capture in this process failed before")
    graph, stream = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
    step.allow_capture()
    try:
        # Other threads of this process may use the GPU meanwhile.
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            result = step()
    except RuntimeError as error:
        # Behind an error of the step there is one of the capture's end only where that failed, too.
        if error.__context__ is not None or not lacks_memory(error):
            _broken.append(graph)
        raise
    return graph.replay, result
