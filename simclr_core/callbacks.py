"""What a trial reports while it runs, and how it is stopped."""

from collections.abc import Mapping
from typing import Protocol


class Observer(Protocol):
    """Anything with these three methods, each called from the training loop and hence quick."""

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Metrics after `step` optimiser steps; about 200 times in a pre-training."""
        ...

    def progress(self, done: int, total: int) -> None:
        """Optimiser steps done, after each."""
        ...

    def should_stop(self) -> bool:
        """Asked after each step; pre-training ends there, unfinished, when it is true."""
        ...


class Curve:
    """The observer that only remembers: columns of one length, None where a step lacks a metric."""

    def __init__(self) -> None:
        self._rows: dict[int, dict[str, float]] = {}

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Adds to what is known of the step."""
        self._rows.setdefault(step, {}).update(values)

    def progress(self, done: int, total: int) -> None:
        """Is not remembered."""

    def should_stop(self) -> bool:
        """Never."""
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
        """To both."""
        for observer in self._pair:
            observer.metrics(step, values)

    def progress(self, done: int, total: int) -> None:
        """To both."""
        for observer in self._pair:
            observer.progress(done, total)

    def should_stop(self) -> bool:
        """Whether either says so."""
        return any(observer.should_stop() for observer in self._pair)
