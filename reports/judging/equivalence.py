"""Equivalence of cells: which pair decides, against which end of the margin, and in which words.

Of a pair with the mean difference d and its standard error s, x = (margin - |d|) / s is the distance
to the nearer end of the margin, negative beyond it. Both one-sided tests reject at half the claim's
level, and the interval at 1 minus its level lies within the margin, if x passes Student's quantile.
So all pairs are within if the pair with the least x is; no correction is due, since each must be
(an intersection-union test). The same pair is the first to lie outside, where any pair would do: its
error rate is divided by the number of pairs (Bonferroni).

Whatever is decided at a true difference of exactly the margin, Student's two-sided test against
that end of the margin rejects as well: for two cells the probability of a verdict is at most the
level, as for `beats`, however small the margin is.
"""

import math
from collections.abc import Sequence
from itertools import combinations
from statistics import fmean
from typing import NamedTuple

import numpy as np

from reports.judging.contrasts import Subject, by_seed
from reports.spec import Equivalent
from sweeps.intervals import no_spread


class Compared(NamedTuple):
    """What Student's t is taken of: the cells behind one number a seed, and what it is tested against."""

    subject: Subject
    """The claim with these cells: all of them, or of an equivalence the pair that decides."""
    margin: float
    """The value tested against; of an equivalence the nearer end of the margin."""
    tests: int = 1
    """How many tests share the error rate."""
    within: bool = False
    """Of an equivalence: whether the mean difference is less than the margin."""


def compared(subject: Subject, seeds: tuple[int, ...]) -> Compared:
    """The numbers of the claim that are tested and shown, from the values at these seeds."""
    claim = subject.claim
    if not isinstance(claim, Equivalent) or not subject.cells:
        return Compared(subject, claim.margin)
    numbered = tuple(zip(subject.cells, subject.published, strict=True))
    pairs = [
        subject._replace(cells=(one, other), published=(ours, theirs))
        for (one, ours), (other, theirs) in combinations(numbered, 2)
    ]
    if not seeds:
        return Compared(pairs[0], claim.margin)
    pair = min(pairs, key=lambda each: _distance(by_seed(each, seeds), claim.margin))
    mean = fmean(by_seed(pair, seeds))
    within = abs(mean) < claim.margin
    end = math.copysign(claim.margin, mean)
    return Compared(pair, end, 1 if within else len(pairs), within)


def _distance(values: Sequence[float], margin: float) -> float:
    """From the nearer end of the margin, in standard errors; in points if there is one value.

    0 without spread: such a pair is not shown to be alike, and hides no pair that differs.
    """
    distance = margin - abs(fmean(values))
    if len(values) < 2:
        return distance
    if no_spread(values):
        return 0.0
    return distance * math.sqrt(len(values)) / float(np.std(values, ddof=1))


def in_words(subject: Subject, shown: Compared, *, decided: bool) -> str:
    """What is known of the pair that decides; empty if the claim's two cells are all there is."""
    one, other = shown.subject.cells
    pairs = math.comb(len(subject.cells), 2)
    if not decided:
        place = "nearest to an end of" if shown.within else "farthest beyond"
        of = f"of {pairs} pairs the one {place} the margin is shown"
        return f"{of}: {one} minus {other}" if pairs > 1 else ""
    if not shown.within:
        return f"{one} and {other} differ by more than the margin"
    if pairs == 1:
        return "the two differ by less than the margin"
    cells = f"no two of the {len(subject.cells)} cells differ by as much as the margin"
    return f"{cells}; nearest to it: {one} minus {other}"
