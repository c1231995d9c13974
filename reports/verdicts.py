"""Verdicts: a pure function of the study and its records.

Primary claims are judged at the study's looks. A look at n uses seeds 0 to n-1 and no others, and
needs all of them in every cell of a claim; its share of the 5 % goes through Holm over the claims
not yet decided (one whose seeds are not complete counts with p = 1); the first decision stands. So
the chance of any decision where nothing is true stays at or below 5 %: within a look by Holm, over
the looks since the shares add up to at most one. A record that arrives later can complete a claim,
and never takes a decision back.
"""

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple, assert_never

from reports.claims import AnyClaim, Beats, Increases, RanksLike
from reports.controls import controls, withheld
from reports.evidence import Deviation, Evidence
from reports.looks import ERROR_RATE
from reports.statistics import (
    HolmTest,
    Interval,
    holm,
    interval,
    no_spread,
    rank_agreement,
    seeds_needed,
    slope,
    t_test,
)
from reports.trials import Outcome, Table, outcomes, table

FEWEST_CELLS = 5
"""Below this even the perfect order of a rank claim has p > 0.05 (4 cells: 2/4! = 0.083)."""

NAMED = 6
"""Trials that a note names; the report's tables list all."""


class Decision(StrEnum):
    """What a claim came to."""

    REPRODUCED = "reproduced"
    CONTRADICTED = "contradicted"
    INCONCLUSIVE = "inconclusive"
    WAITING = "waiting for its look"
    WITHHELD = "withheld"
    NOT_JUDGED = "not judged at this scale"
    EXPLORATORY = "exploratory, not judged"


class Verdict(NamedTuple):
    """One claim, what was decided, and the numbers behind it."""

    claim: AnyClaim
    decision: Decision
    words: str
    """The verdict as it is shown; it carries the scale."""
    note: str
    """What follows or why, in words; may be empty."""
    look: int | None
    """The seed count of the look that judged, else None."""
    estimate: Interval | None
    """As judged, with the level that judged. Rank claims: tau without bounds. Else None."""
    p: float
    """Two-sided, before Holm; NaN where none could be had."""
    so_far: Interval
    """All paired seeds, 95 %; a description and no test."""
    seeds: tuple[int, ...]
    """The seeds behind `so_far`."""
    per_seed: tuple[float, ...]
    """Paired difference or slope by seed, in the order of `seeds`; empty for rank claims."""
    published: float | None
    """The same number from the paper's table; None where it has none."""
    cells: tuple[str, ...]
    deviations: tuple[Deviation, ...]
    """Of the claim's cells, each once."""


class _Look(NamedTuple):
    seeds: int
    test: HolmTest
    numbers: Interval
    p: float
    margin: float


class _Subject(NamedTuple):
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


def verdicts(evidence: Evidence, found: Sequence[Outcome] | None = None) -> tuple[Verdict, ...]:
    """One verdict a claim, in the study's order."""
    found = outcomes(evidence) if found is None else found
    numbers = table(found)
    reason = withheld(controls(found, numbers, evidence.unit))
    newest = _judge(evidence, numbers, found, reason)
    if all(len(outcome.values) < 2 for outcome in found):
        return newest
    first = _judge(evidence, table(found, attempt="first"), found, reason)
    return tuple(
        now
        if now.decision is before.decision
        else now._replace(
            note=_join(now.note, f"with the first attempts of repeated trials: {before.words}")
        )
        for now, before in zip(newest, first, strict=True)
    )


def _judge(
    evidence: Evidence, numbers: Table, found: Sequence[Outcome], reason: str
) -> tuple[Verdict, ...]:
    subjects = [_subject(claim, evidence, numbers) for claim in evidence.claims]
    judged = _looks([s for s in subjects if s.claim.primary and not s.absent], evidence)
    return tuple(
        _verdict(subject, judged.get(subject.claim.name), evidence, found, reason)
        for subject in subjects
    )


def _looks(subjects: list[_Subject], evidence: Evidence) -> dict[str, _Look]:
    """The deciding look of each claim, or its latest one while undecided."""
    judged: dict[str, _Look] = {}
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
                    numbers = interval(_per_seed(subject, tuple(range(count))), 1 - test.level)
                judged[subject.claim.name] = _Look(count, test, numbers, p, _margin(subject.claim))
    return judged


def _test(subject: _Subject, seeds: tuple[int, ...]) -> tuple[Interval, float]:
    if isinstance(subject.claim, RanksLike):
        return _tau(subject, seeds)
    values = _per_seed(subject, seeds)
    return interval(values), t_test(values, subject.claim.margin)


def _per_seed(subject: _Subject, seeds: tuple[int, ...]) -> tuple[float, ...]:
    """One number a seed: both cells of a difference, all cells of a slope, are of that seed."""
    rows = [[subject.numbers[cell][seed] for cell in subject.cells] for seed in seeds]
    return tuple(_contrast(subject.claim, row) for row in rows)


def _contrast(claim: AnyClaim, row: Sequence[float]) -> float:
    match claim:
        case Beats():
            return row[0] - row[1]
        case Increases():
            return slope(row)
        case RanksLike():
            raise AssertionError("rank claims have no number a seed")
        case _:
            assert_never(claim)


def _tau(subject: _Subject, seeds: tuple[int, ...]) -> tuple[Interval, float]:
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


def _subject(claim: AnyClaim, evidence: Evidence, numbers: Table) -> _Subject:
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
    return _Subject(
        claim,
        () if absent else tuple(names),
        () if absent else tuple(known[name].published if name in known else None for name in names),
        numbers,
        absent,
    )


def _verdict(
    subject: _Subject,
    look: _Look | None,
    evidence: Evidence,
    found: Sequence[Outcome],
    reason: str,
) -> Verdict:
    seeds, claim = subject.seeds, subject.claim
    if isinstance(claim, RanksLike):
        per_seed, so_far = (), _tau(subject, seeds)[0]
    else:
        per_seed = _per_seed(subject, seeds)
        so_far = interval(per_seed)
    deviations = _deviations(subject.cells, evidence)
    decision, note = _decide(subject, look, evidence, found)
    if reason and decision in {
        Decision.REPRODUCED,
        Decision.CONTRADICTED,
        Decision.INCONCLUSIVE,
    }:
        decision, note = Decision.WITHHELD, reason
    return Verdict(
        claim=claim,
        decision=decision,
        words=_next(subject, evidence.looks.seeds[0])
        if decision is Decision.WAITING
        else _words(decision, claim, evidence, deviations),
        note=note,
        look=look.seeds if look else None,
        estimate=look.numbers if look else None,
        p=look.p if look else math.nan,
        so_far=so_far,
        seeds=seeds,
        per_seed=per_seed,
        published=_published(subject),
        cells=subject.cells,
        deviations=deviations,
    )


def _decide(
    subject: _Subject, look: _Look | None, evidence: Evidence, found: Sequence[Outcome]
) -> tuple[Decision, str]:
    if subject.absent:
        return Decision.NOT_JUDGED, subject.absent
    if not subject.claim.primary:
        return Decision.EXPLORATORY, ""
    later = [n for n in evidence.looks.seeds if look is None or n > look.seeds]
    if look is None:
        return Decision.WAITING, _lacking(subject, later[0], found)
    if look.test.rejected:
        above = look.numbers.mean > look.margin
        return (Decision.REPRODUCED if above else Decision.CONTRADICTED), ""
    note = _why_open(subject, look, evidence, later)
    if later:
        note = _join(note, _next(subject, later[0]), _lacking(subject, later[0], found))
    return Decision.INCONCLUSIVE, note


def _why_open(subject: _Subject, look: _Look, evidence: Evidence, later: list[int]) -> str:
    if isinstance(subject.claim, RanksLike):
        if math.isnan(look.numbers.mean):
            return "no spread at all: one of the two tables is constant"
        return "more cells, not more seeds, would decide it"
    values = _per_seed(subject, tuple(range(look.seeds)))
    if no_spread(values):
        return f"no spread at all: {len(values)} seeds gave one number, {values[0]:+.2f}"
    share = dict(zip(evidence.looks.seeds, evidence.looks.shares, strict=True))
    level = share[later[0]] * ERROR_RATE if later else look.test.level
    needed = seeds_needed(values, look.margin, level)
    if needed is None:
        return "more than 1,000 seeds would be needed at this mean and spread"
    tail = "" if later else "; no look is left: it takes a new study, with its looks fixed first"
    return f"about {needed} seeds would be needed at this mean and spread{tail}"


def _next(subject: _Subject, count: int) -> str:
    """How far the next look is, such as "3 seeds, next look at 5"."""
    have = len(subject.seeds)
    return f"{have} seed{'' if have == 1 else 's'}, next look at {count}"


def _lacking(subject: _Subject, count: int, found: Sequence[Outcome]) -> str:
    """What keeps the next look from being complete, beyond seeds that are yet to come."""
    have, usable = len(subject.seeds), sum(seed < count for seed in subject.seeds)
    texts: list[str] = []
    if usable < have:
        texts.append(f"the look uses seeds 0 to {count - 1} only and has {usable} of them")
    for words, states in (("failed", {"failed", "no number"}), ("missing", {"missing"})):
        lost = [
            f"{outcome.cell.name} seed {outcome.trial.seed}"
            for outcome in found
            if outcome.cell.name in subject.cells
            and outcome.trial.seed < count
            and outcome.state in states
        ]
        if len(lost) > NAMED:
            lost = [*lost[:NAMED], f"{len(lost) - NAMED} more"]
        texts += [f"{words}: {', '.join(lost)}"] if lost else []
    return _join(*texts)


def _words(
    decision: Decision, claim: AnyClaim, evidence: Evidence, deviations: tuple[Deviation, ...]
) -> str:
    """The verdict's words carry the scale; bare ones are left to the paper's own protocol."""
    if decision not in {Decision.REPRODUCED, Decision.CONTRADICTED, Decision.INCONCLUSIVE}:
        return decision.value
    if evidence.built_data:
        return {
            Decision.REPRODUCED: "shown on built data",
            Decision.CONTRADICTED: "not shown",
        }.get(decision, "inconclusive")
    if claim.made_by == "study":
        own = {Decision.REPRODUCED: "shown", Decision.CONTRADICTED: "not shown"}
        return f"{own.get(decision, 'inconclusive')} at {evidence.scale} scale"
    if evidence.scale != "paper":
        return f"{decision} at {evidence.scale} scale"
    if deviations:
        number = f"{len(deviations)} deviation{'' if len(deviations) == 1 else 's'}"
        return f"{decision} at paper scale, with {number}"
    return decision.value


def _published(subject: _Subject) -> float | None:
    values = [value for value in subject.published if value is not None]
    if isinstance(subject.claim, RanksLike) or not values or len(values) < len(subject.published):
        return None
    return _contrast(subject.claim, values)


def _deviations(cells: tuple[str, ...], evidence: Evidence) -> tuple[Deviation, ...]:
    found = [d for cell in evidence.cells if cell.name in cells for d in cell.deviations]
    return tuple(dict.fromkeys(found))


def _margin(claim: AnyClaim) -> float:
    return 0.0 if isinstance(claim, RanksLike) else claim.margin


def _join(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
