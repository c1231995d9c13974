"""Contrasts: a claim with its cells, and the numbers that it speaks of."""

import math
from collections.abc import Sequence
from typing import NamedTuple, assert_never

from reports.claims import AnyClaim, Beats, Increases, RanksLike
from reports.evidence import Evidence
from reports.statistics import rank_agreement, slope
from reports.trials import Table
from sweeps.intervals import Interval, interval

FEWEST_CELLS = 5
"""Below this even the perfect order of a rank claim has p > 0.05 (4 cells: 2/4! = 0.083)."""


class Subject(NamedTuple):
    """A claim with its cells and all numbers it may use."""

    claim: AnyClaim
    cells: tuple[str, ...]
    published: tuple[float | None, ...]
    numbers: Table
    absent: str
    """Why it cannot be judged at this scale; empty when it can."""

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds that every cell of the claim has."""
        each = [set(self.numbers.get(cell, {})) for cell in self.cells]
        return tuple(sorted(set[int].intersection(*each))) if each else ()


def subject_of(claim: AnyClaim, evidence: Evidence, numbers: Table) -> Subject:
    known = {cell.name: cell for cell in evidence.cells}
    there = known.keys() | set(evidence.scale_arms)
    if isinstance(claim, RanksLike) and claim.among is None:
        names = [c.name for c in evidence.cells if c.role == "arm" and c.published is not None]
        lost = list[str]()
    else:
        names, lost = list[str](), list[str]()
        for role in claim.roles():
            stands_for = evidence.roles.get(role, ())
            stands_for = (stands_for,) if isinstance(stands_for, str) else stands_for
            names += stands_for
            if not stands_for or any(name not in there for name in stands_for):
                lost.append(role)
    if lost:
        absent = f"no cell for {', '.join(lost)}"
    elif isinstance(claim, RanksLike):
        published = [n for n in names if n in known and known[n].published is not None]
        absent = (
            f"{len(published)} cells have a published number, a rank claim needs {FEWEST_CELLS}"
            if len(published) < FEWEST_CELLS
            else ""
        )
        names = published
    elif isinstance(claim, Increases) and len(names) < 2:
        absent = "one cell has no slope"
    else:
        absent = ""
    return Subject(
        claim,
        () if absent else tuple(names),
        () if absent else tuple(known[name].published if name in known else None for name in names),
        numbers,
        absent,
    )


def by_seed(subject: Subject, seeds: tuple[int, ...]) -> tuple[float, ...]:
    """One number a seed: both cells of a difference, all cells of a slope, are of that seed."""
    rows = [[subject.numbers[cell][seed] for cell in subject.cells] for seed in seeds]
    return tuple(contrast(subject.claim, row) for row in rows)


def contrast(claim: AnyClaim, row: Sequence[float]) -> float:
    match claim:
        case Beats():
            return row[0] - row[1]
        case Increases():
            return slope(row)
        case RanksLike():
            raise AssertionError("rank claims have no number a seed")
        case _:
            assert_never(claim)


def tau_of(subject: Subject, seeds: tuple[int, ...]) -> tuple[Interval, float]:
    if not seeds:
        return interval(()), math.nan
    ours = [
        math.fsum(subject.numbers[cell][seed] for seed in seeds) / len(seeds)
        for cell in subject.cells
    ]
    theirs = [value for value in subject.published if value is not None]
    found = rank_agreement(ours, theirs)
    nan = math.nan
    return Interval(found.tau, nan, nan, nan, len(seeds), nan), found.p


def published_of(subject: Subject) -> float | None:
    values = [value for value in subject.published if value is not None]
    if isinstance(subject.claim, RanksLike) or not values or len(values) < len(subject.published):
        return None
    return contrast(subject.claim, values)
