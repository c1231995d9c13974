"""Looks with Holm's procedure: which claims are decided, at which look and at which level."""

import math
from typing import NamedTuple

from reports.judging.contrasts import Subject, by_seed, tau_of
from reports.judging.equivalence import compared
from reports.judging.statistics import HolmTest, holm, t_test
from reports.spec import ERROR_RATE, AnyClaim, Evidence, RanksLike
from sweeps.intervals import Interval, interval


class Look(NamedTuple):
    """The result of one claim at a look."""

    claim: AnyClaim
    seeds: int
    test: HolmTest
    numbers: Interval
    p: float
    left: int = 0
    """The number of claims that share the next look's part of the 5 %: those undecided after the
    last look."""

    @property
    def decided(self) -> bool:
        """Significant, and large enough for a verdict."""
        return self.test.rejected and not self.weak

    @property
    def weak(self) -> bool:
        """Significant, but closer to the margin than the claim requires."""
        distance = abs(self.numbers.mean - self.claim.margin)
        return self.test.rejected and distance < self.claim.min_tau - 1e-9


def judged_looks(subjects: list[Subject], evidence: Evidence) -> dict[str, Look]:
    """The deciding look of each claim, or its latest one while undecided.

    A claim that was significant but too weak for a verdict stays in the family of later looks.
    """
    judged: dict[str, Look] = {}
    for count, share in zip(evidence.looks.seeds, evidence.looks.shares, strict=True):
        undecided = _undecided(subjects, judged)
        complete = [set(range(count)) <= set(s.seeds) for s in undecided]
        found = [
            _test(s, tuple(range(count))) if whole else None
            for s, whole in zip(undecided, complete, strict=True)
        ]
        tests = holm([math.nan if f is None else f[1] for f in found], share * ERROR_RATE)
        for subject, result, test in zip(undecided, found, tests, strict=True):
            if result is not None:
                numbers, p = result
                if not isinstance(subject.claim, RanksLike):
                    shown = compared(subject, tuple(range(count)))
                    values = by_seed(shown.subject, tuple(range(count)))
                    numbers = interval(values, 1 - test.level / shown.tests)
                judged[subject.claim.name] = Look(subject.claim, count, test, numbers, p)
    left = len(_undecided(subjects, judged))
    return {name: look._replace(left=left) for name, look in judged.items()}


def _undecided(subjects: list[Subject], judged: dict[str, Look]) -> list[Subject]:
    return [s for s in subjects if s.claim.name not in judged or not judged[s.claim.name].decided]


def _test(subject: Subject, seeds: tuple[int, ...]) -> tuple[Interval, float]:
    if isinstance(subject.claim, RanksLike):
        return tau_of(subject, seeds)
    shown = compared(subject, seeds)
    values = by_seed(shown.subject, seeds)
    # Of two numbers Python's min returns the first if that is NaN.
    return interval(values), min(shown.tests * t_test(values, shown.margin), 1.0)
