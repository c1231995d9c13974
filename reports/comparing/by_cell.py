"""The difference of a cell between two sides: paired by seed where both have it, else unpaired.

The seed is the unit of replication. A pair is one seed that both sides have; it fixes initialisation,
order and views on both, so that these cancel as far as the settings leave them equal.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from reports.comparing.like_with_like import Likeness, likeness
from reports.comparing.sides import Side, common_arms
from reports.judging import Outcome, unpaired
from sweeps.intervals import Interval, interval

LEVEL = 0.95
"""The level of every interval of a comparison; none is adjusted for their number."""


class How(StrEnum):
    """How a difference was computed, or why there is none."""

    PAIRED = "paired by seed"
    UNPAIRED = "unpaired"
    SAME = "the same trials"
    WITHHELD = "withheld"
    MISSING = "no number"

    @property
    def has_number(self) -> bool:
        """Whether there is a difference at all."""
        return self in (How.PAIRED, How.UNPAIRED)


class CellDifference(NamedTuple):
    """One cell of a side against the same cell of the first side."""

    cell: str
    side: str
    how: How
    shown: Interval
    """The other side minus the first; all NaN where there is none."""
    seeds: tuple[int, ...]
    """Shared by both sides, with a number of a trial of its own on each."""
    per_seed: tuple[float, ...]
    """The difference of each shared seed; empty unless paired."""
    counts: tuple[int, int]
    """The numbers of seeds of the first side and of the other one; where it is unpaired, of those that
    are not of the same trial."""
    left_out: int
    """Seeds whose trial both sides count; they are no part of the difference."""
    likeness: Likeness

    @property
    def n(self) -> str:
        """The number of pairs, or the numbers of seeds of both sides."""
        paired = self.how is How.PAIRED
        return str(len(self.seeds)) if paired else f"{self.counts[0]} and {self.counts[1]}"

    @property
    def pairing(self) -> str:
        """What a reader must know of the seeds behind it; may be empty."""
        first, second = self.counts
        shared = f"{len(self.seeds)} shared seed{'' if len(self.seeds) == 1 else 's'}"
        match self.how:
            case How.SAME:
                return "both sides count the same trials, so there is nothing to compare"
            case How.UNPAIRED:
                return f"{shared}: not paired, {first} and {second} seeds (Welch){self._without}"
            case How.PAIRED if (first, second) != (len(self.seeds),) * 2:
                return f"over {shared} of {first} and {second}{self._without}"
            case How.MISSING:
                return f"{first} and {second} seeds with a number"
            case _:
                return ""

    @property
    def _without(self) -> str:
        if not self.left_out:
            return ""
        seeds = "1 seed" if self.left_out == 1 else f"{self.left_out} seeds"
        return f"; {seeds} left out, where both sides count the same trial"

    @property
    def remark(self) -> str:
        """The same, with all that stands against the difference; may be empty."""
        return "; ".join(
            filter(None, (self.pairing, *self.likeness.withheld, *self.likeness.marked))
        )


def cell_differences(sides: Sequence[Side]) -> tuple[CellDifference, ...]:
    """Every arm of the first side against that of each other side which has it."""
    return tuple(_all(sides))


def _all(sides: Sequence[Side]) -> Iterator[CellDifference]:
    first, *others = sides
    for cell in common_arms(sides):
        for other in others:
            if first.cell(cell) and other.cell(cell):
                yield _difference(first, other, cell)


def _difference(first: Side, other: Side, cell: str) -> CellDifference:
    a, b = first.numbers.get(cell, {}), other.numbers.get(cell, {})
    shared = sorted(a.keys() & b.keys())
    # A trial that both sides count, perhaps under another attempt, is no measurement of a difference.
    same = {seed for seed in shared if _is_one_trial(a[seed], b[seed])}
    seeds = tuple(seed for seed in shared if seed not in same)
    like, counts = likeness(first, other, cell), (len(a), len(b))

    def made(
        how: How,
        shown: Interval,
        per_seed: tuple[float, ...] = (),
        counts: tuple[int, int] = counts,
    ) -> CellDifference:
        return CellDifference(
            cell, other.name, how, shown, seeds, per_seed, counts, len(same), like
        )

    nothing = interval((), LEVEL)
    if not a or not b:
        return made(How.MISSING, nothing)
    if like.withheld:
        return made(How.WITHHELD, nothing)
    if shared and not seeds:
        return made(How.SAME, nothing)
    first_values, values = (
        [one.value for seed, one in side.items() if seed not in same] for side in (a, b)
    )
    own = len(first_values), len(values)
    # One shared seed gives no interval; if both sides have more seeds, these do.
    if len(seeds) > 1 or (seeds and min(own) < 2):
        per_seed = tuple(b[seed].value - a[seed].value for seed in seeds)
        return made(How.PAIRED, interval(per_seed, LEVEL), per_seed)
    return made(How.UNPAIRED, unpaired(first_values, values, LEVEL), counts=own)


def _is_one_trial(one: Outcome, other: Outcome) -> bool:
    return bool(one.record and other.record and one.record.is_of_trial(other.record))
