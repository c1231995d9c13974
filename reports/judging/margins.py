"""Marginal means: what a level of an axis gives on average over the levels of the other axes."""

from collections.abc import Mapping, Sequence
from math import fsum, prod
from typing import NamedTuple

from reports.judging.trial_outcomes import Outcome, table
from reports.spec import Evidence
from sweeps.intervals import Interval, interval


class Margin(NamedTuple):
    """One level of one axis, over all cells with it."""

    axis: str
    level: str
    cells: tuple[str, ...]
    """Every cell with the level, whether or not it has a number."""
    lacking: tuple[str, ...]
    """Those without a number; then there is no mean."""
    mean: Interval
    """Of the means of the seeds, 95 %."""


def seed_means(
    cells: Sequence[str], numbers: Mapping[str, Mapping[int, float]]
) -> dict[int, float]:
    """Seed -> the mean of the cells, each with the same weight; only seeds that all cells have."""
    columns = [numbers.get(cell, {}) for cell in cells]
    seeds = sorted(set(columns[0]).intersection(*columns[1:])) if columns else []
    return {seed: fsum(column[seed] for column in columns) / len(columns) for seed in seeds}


def marginal_means(evidence: Evidence, found: Sequence[Outcome]) -> tuple[Margin, ...]:
    """The levels of every axis of a factorial study with two axes or more; else none."""
    levels, numbers = evidence.levels, table(found)
    labels: dict[str, dict[str, None]] = {}
    for own in levels.values():
        for axis, label in own.items():
            labels.setdefault(axis, {})[label] = None
    varied = {axis: each for axis, each in labels.items() if len(each) > 1}
    if len(varied) < 2 or len(levels) != prod(map(len, labels.values())):
        return ()
    margins: list[Margin] = []
    for axis, each in varied.items():
        for label in each:
            cells = tuple(cell for cell, own in levels.items() if own.get(axis) == label)
            lacking = tuple(cell for cell in cells if not numbers.get(cell))
            mean = interval(tuple(seed_means(cells, numbers).values()))
            margins.append(Margin(axis, label, cells, lacking, mean))
    return tuple(margins)
