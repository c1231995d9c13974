"""The result of a negative control."""

from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """How a control ended."""

    PASSED = "passed"
    FAILED = "failed"
    MISSING = "not run yet"
    OPEN = "not decided yet"


class Control(NamedTuple):
    """One control with its numbers."""

    name: str
    state: State
    detail: str
    """The numbers behind the state, in words."""
