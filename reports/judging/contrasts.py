"""Contrasts: a claim with its cells and their numbers."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from reports.judging.ranks import Place, incomplete, num_orders, rank_agreement, smallest_p
from reports.judging.trial_outcomes import Table
from reports.spec import ERROR_RATE, AnyClaim, Equivalent, Evidence, RanksLike, cells_of
from sweeps.intervals import Interval, interval


class Subject(NamedTuple):
    """A claim with its cells and all numbers that it may use."""

    claim: AnyClaim
    numbers: Table
    cells: tuple[str, ...] = ()
    published: tuple[float | None, ...] = ()
    places: tuple[Place, ...] = ()
    """For rank claims: the position of each cell in its table."""
    tie: float = 0.0
    """For rank claims: published numbers that are closer than this count as tied."""
    absent: str = ""
    """Why the claim cannot be judged at this scale; empty if it can."""
    excluded: str = ""
    """Which of its cells the study excludes, and why; empty if it has all of them. Such a claim keeps
    its place among those that share the error rate."""

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds that every cell of the claim has."""
        each = [set(self.numbers.get(cell, {})) for cell in self.cells]
        return tuple(sorted(set[int].intersection(*each))) if each else ()


def subject_of(claim: AnyClaim, evidence: Evidence, numbers: Table) -> Subject:
    """The claim's cells at this scale, requested or not, with their known results."""
    if isinstance(claim, RanksLike):
        return _ranked(claim, evidence, numbers)
    names, absent = _named(claim, evidence)
    names = tuple(dict.fromkeys(names)) if isinstance(claim, Equivalent) else names
    excluded = _excluded(names, evidence)
    if excluded or (absent := absent or claim.fault(len(names))):
        return Subject(claim, numbers, excluded=excluded, absent="" if excluded else absent)
    published = {cell.name: cell.published for cell in evidence.cells}
    return Subject(claim, numbers, names, tuple(published.get(name) for name in names))


def _ranked(claim: RanksLike, evidence: Evidence, numbers: Table) -> Subject:
    """A rank claim over all cells of the scale with a published number, whether or not they have run."""
    published = {
        cell.name: cell.published
        for cell in evidence.cells
        if cell.role == "arm" and cell.published is not None
    } | evidence.scale_published
    if claim.among is None:
        names, absent = evidence.scale_arms or tuple(published), ""
    else:
        names, absent = _named(claim, evidence)
        if excluded := _excluded(names, evidence):
            return Subject(claim, numbers, excluded=excluded)
    cells = () if absent else tuple(name for name in names if name in published)
    theirs = tuple(published[cell] for cell in cells)
    places = tuple(evidence.places.get(cell, ((cell,),)) for cell in cells)
    if absent := absent or _unrankable(claim, theirs, places, evidence):
        return Subject(claim, numbers, absent=absent)
    return Subject(claim, numbers, cells, theirs, places, evidence.published_tie)


def _named(claim: AnyClaim, evidence: Evidence) -> tuple[tuple[str, ...], str]:
    """The cells that the claim names, and why it cannot be judged at this scale."""
    names, absent = cells_of(claim, evidence.roles, evidence.levels)
    there = {cell.name for cell in evidence.cells} | set(evidence.scale_arms)
    there |= {cell.name for cell in evidence.excluded}
    if absent or there.issuperset(names):
        return names, absent
    # A role is named as the study names it, a cell of a factorial claim by itself.
    roles = {role: evidence.roles.get(role, ()) for role in claim.roles()}
    cells = {role: (of,) if isinstance(of, str) else of for role, of in roles.items()}
    lost = [role for role, of in cells.items() if not there.issuperset(of)]
    lost = lost or [name for name in names if name not in there]
    return names, f"this scale has no cell for {', '.join(map(repr, lost))}"


def _excluded(names: Sequence[str], evidence: Evidence) -> str:
    """Which of the cells the study excludes, and why."""
    cells = [cell for cell in evidence.excluded if cell.name in names]
    if not cells:
        return ""
    which = "; ".join(f"{cell.name} ({cell.reason})" for cell in cells)
    return f"it needs a cell that the study excludes, so it has no number: {which}"


def _unrankable(
    claim: RanksLike, theirs: tuple[float, ...], places: tuple[Place, ...], evidence: Evidence
) -> str:
    """Why the cells are no table, or no result could ever decide a primary claim; else empty."""
    if len(theirs) < 2:
        cells = f"{len(theirs)} cell{' has' if len(theirs) == 1 else 's have'}"
        return f"{cells} a published number, but a rank claim needs at least two"
    if lost := incomplete(places):
        return f"the cells do not form a complete table: {lost}"
    if not claim.primary:
        return ""
    least = smallest_p(theirs, places, evidence.published_tie)
    most = max(evidence.looks.shares) * ERROR_RATE
    if math.isnan(least):
        tie = evidence.published_tie
        return f"published numbers that differ by less than {tie:g} count as tied"
    if least > most:
        return (
            f"{len(theirs)} cells have {num_orders(places)} orders of their levels, so even full "
            f"agreement would have p = {least:.2g}; a look allows at most {most:.2g}"
        )
    return ""


def by_seed(subject: Subject, seeds: tuple[int, ...]) -> tuple[float, ...]:
    """One number for each seed, from all cells of the claim at that seed."""
    assert not isinstance(subject.claim, RanksLike), "rank claims have no value per seed"
    rows = [[subject.numbers[cell][seed] for cell in subject.cells] for seed in seeds]
    return tuple(subject.claim.contrast(row) for row in rows)


def tau_of(subject: Subject, seeds: tuple[int, ...]) -> tuple[Interval, float]:
    if not seeds:
        return interval(()), math.nan
    ours = [
        math.fsum(subject.numbers[cell][seed] for seed in seeds) / len(seeds)
        for cell in subject.cells
    ]
    theirs = [value for value in subject.published if value is not None]
    found = rank_agreement(ours, theirs, subject.places, tie=subject.tie)
    nan = math.nan
    return Interval(found.tau, nan, nan, nan, len(seeds), nan), found.p


def published_of(subject: Subject) -> float | None:
    values = [value for value in subject.published if value is not None]
    if isinstance(subject.claim, RanksLike) or not values or len(values) < len(subject.published):
        return None
    return subject.claim.contrast(values)
