"""How whoever writes to MLflow is watched."""

from collections.abc import Callable
from typing import NamedTuple


class Stopped(Exception):  # noqa: N818 -- asked for
    """Writing was to stop before all was written."""


class Watch(NamedTuple):
    """What to call at each step, and what to ask before the next."""

    step: Callable[[int, int], None] = lambda _done, _of: None
    """Called at each request with the numbers of runs that are written and that were missing."""
    stop: Callable[[], bool] = lambda: False
