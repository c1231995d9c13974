"""Reports of a running trial, and how it is stopped."""

from collections.abc import Mapping
from typing import Protocol


class Observer(Protocol):
    """Any object with these three methods, which are called from the training loop and must be fast."""

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Receives metrics after `step` optimiser steps; about 200 times in a pre-training run."""
        ...

    def progress(self, done: int, total: int) -> None:
        """Receives the number of optimiser steps done, after each step."""
        ...

    def should_stop(self) -> bool:
        """Called after each step; if true, pre-training ends there, unfinished."""
        ...


class Curve:
    """The observer that only records: columns of equal length, with None where a step lacks a metric."""

    def __init__(self) -> None:
        self._rows: dict[int, dict[str, float]] = {}

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Adds metrics to the step."""
        self._rows.setdefault(step, {}).update(values)

    def progress(self, done: int, total: int) -> None:
        """Is not recorded."""

    def should_stop(self) -> bool:
        """Always False."""
        return False

    def columns(self) -> dict[str, list[float | None]]:
        """`step` and a column for each metric, in the order of the steps."""
        names = dict.fromkeys(name for row in self._rows.values() for name in row)
        steps = sorted(self._rows)
        columns: dict[str, list[float | None]] = {"step": list(steps)}
        for name in names:
            columns[name] = [self._rows[step].get(name) for step in steps]
        return columns


class Both:
    """Reports everything to two observers, in this order."""

    def __init__(self, first: Observer, second: Observer) -> None:
        self._pair = (first, second)

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Passes the call to both."""
        for observer in self._pair:
            observer.metrics(step, values)

    def progress(self, done: int, total: int) -> None:
        """Passes the call to both."""
        for observer in self._pair:
            observer.progress(done, total)

    def should_stop(self) -> bool:
        """Whether either observer stops the run."""
        return any(observer.should_stop() for observer in self._pair)
