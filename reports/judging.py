"""The procedure of looks and Holm: which claims are decided, at which look, at which level."""

import math
from typing import NamedTuple

from reports.claims import AnyClaim, RanksLike
from reports.contrasts import Subject, by_seed, tau_of
from reports.evidence import Evidence
from reports.looks import ERROR_RATE
from reports.statistics import HolmTest, holm, t_test
from sweeps.intervals import Interval, interval


class Look(NamedTuple):
    seeds: int
    test: HolmTest
    numbers: Interval
    p: float
    margin: float


def judged_looks(subjects: list[Subject], evidence: Evidence) -> dict[str, Look]:
    """The deciding look of each claim, or its latest one while undecided."""
    judged: dict[str, Look] = {}
    for count, share in zip(evidence.looks.seeds, evidence.looks.shares, strict=True):
        undecided = [
            s
            for s in subjects
            if s.claim.name not in judged or not judged[s.claim.name].test.rejected
        ]
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
                    numbers = interval(by_seed(subject, tuple(range(count))), 1 - test.level)
                judged[subject.claim.name] = Look(count, test, numbers, p, margin_of(subject.claim))
    return judged


def _test(subject: Subject, seeds: tuple[int, ...]) -> tuple[Interval, float]:
    if isinstance(subject.claim, RanksLike):
        return tau_of(subject, seeds)
    values = by_seed(subject, seeds)
    return interval(values), t_test(values, subject.claim.margin)


def margin_of(claim: AnyClaim) -> float:
    return 0.0 if isinstance(claim, RanksLike) else claim.margin
