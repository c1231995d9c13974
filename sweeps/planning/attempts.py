"""Which attempt of a trial counts: one rule for plans, tables, MLflow and reports."""

import math
from collections.abc import Iterable
from typing import TypeVar

from sweeps.record import Summary

One = TypeVar("One", bound=Summary)


def counting(attempts: Iterable[One], metric: str | None = None) -> One | None:
    """The attempt that counts among all attempts of a trial, in any order.

    This is the newest attempt with a finite value of the metric; else the newest that finished; else
    the newest. If no metric is named, it is the newest that finished.
    """

    def rank(one: One) -> tuple[bool, bool, int]:
        number = metric is not None and has_number(one, metric)
        return number, one.state == "finished", one.attempt

    return max(attempts, key=rank, default=None)


def numbered(attempts: Iterable[One], metric: str) -> list[One]:
    """The finished attempts with a finite number of the metric, oldest first."""
    return sorted((one for one in attempts if has_number(one, metric)), key=lambda one: one.attempt)


def has_number(one: Summary, metric: str) -> bool:
    """Whether an attempt finished with a finite number of the metric."""
    value = one.values.get(metric)
    return one.state == "finished" and value is not None and math.isfinite(value)


def by_key(summaries: Iterable[One]) -> dict[str, list[One]]:
    """The attempts of each trial, in the order of their first ones."""
    found: dict[str, list[One]] = {}
    for one in summaries:
        found.setdefault(one.key, []).append(one)
    return found
