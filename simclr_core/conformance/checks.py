"""Laws that a user's function is checked against, and the findings."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Generic, Literal, NamedTuple, TypeVar

T = TypeVar("T")

Verdict = Literal["holds", "fails", "differs", "noted", "not measured"]
"""`differs` is a published other form and `noted` a property that may be either way: no failures."""


class Seen(NamedTuple):
    """The result of checking a function."""

    verdict: Verdict
    text: str = ""
    """The smallest counter-example, the other form, or why nothing could be measured."""


HOLDS = Seen("holds")


def fails(text: str) -> Seen:
    """A broken law, with its smallest counter-example."""
    return Seen("fails", text)


class Law(NamedTuple, Generic[T]):
    """A statement that is true for a correct function, and the check of it."""

    name: str
    look: Callable[[T], Seen]
    first: bool = False
    """Whether nothing else can be measured where it fails."""


class Finding(NamedTuple):
    """A law, and whether a function keeps it."""

    law: str
    verdict: Verdict
    text: str


class TheirError(Exception):
    """The examined function raised, or returned a value outside its contract; the text says which."""


def called(function: Callable[..., T], *given: Any, where: str) -> T:
    """What the function returns.

    Raises:
        TheirError: it raised, whatever it was but an interruption.
    """
    try:
        return function(*given)
    except (Exception, SystemExit) as error:
        lines = str(error).strip().splitlines() or ["without a text"]
        raise TheirError(f"raises {type(error).__name__} {where}: {lines[0][:160]}") from error


def examined(laws: Sequence[Law[T]], subject: T) -> tuple[Finding, ...]:
    """Every law's finding, in order."""
    found: list[Finding] = []
    ended: str | None = None
    for law in laws:
        if ended is not None:
            found.append(
                Finding(law.name, "not measured", f"because an earlier law fails: {ended}")
            )
            continue
        try:
            seen = law.look(subject)
        except TheirError as error:
            seen = fails(str(error))
        found.append(Finding(law.name, *seen))
        if law.first and seen.verdict == "fails":
            ended = law.name
    return tuple(found)


def close(one: float, other: float, tolerance: float) -> bool:
    """Whether two numbers are equal, relative to the larger one or to 1."""
    both = math.isfinite(one) and math.isfinite(other)
    return both and abs(one - other) <= tolerance * max(1.0, abs(one), abs(other))
