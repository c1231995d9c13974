"""Whether any arm learned something: a test against its random encoder and against raw pixels.

For each arm that predicts classes, two one-sided paired t-tests over seeds; the arm's p-value is the
larger one, since it must exceed both. Holm's procedure over all arms of the scale, run or not, and the
looks bound the probability that arms which learn nothing pass at 5 %, however many arms there are.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from reports.judging.control import Control, State
from reports.judging.statistics import holm, no_spread, t_test
from reports.judging.trial_outcomes import Table
from reports.spec import ERROR_RATE, CellInfo, Evidence, difference_unit

CLASSES = "classes"
"""The target of this control; an encoder is meant to forget transformations, so those are left out."""


class _Compared(NamedTuple):
    """An arm with its differences over common seeds."""

    name: str
    encoder: dict[int, float]
    pixels: dict[int, float] | None
    """None: raw pixels have no result."""

    def p(self, seeds: Sequence[int]) -> float:
        """The p-value of exceeding both; NaN if one of them lacks a seed or has no spread."""
        sides = (self.encoder, self.pixels)
        found = [_p([side[s] for s in seeds]) for side in sides if side and set(seeds) <= set(side)]
        return (
            max(found) if len(found) == len(sides) and not any(map(math.isnan, found)) else math.nan
        )


def learned(evidence: Evidence, numbers: Table) -> tuple[Control, ...]:
    """The control; empty where no arm predicts classes, and at smoke scale."""
    arms = [cell for cell in evidence.cells if cell.role == "arm"]
    asked = [cell for cell in arms if cell.predicts == CLASSES]
    if not evidence.judges or (arms and not asked):
        return ()
    return (Control("something learned", *_tested(evidence, numbers, arms, asked)),)


def _tested(
    evidence: Evidence, numbers: Table, arms: Sequence[CellInfo], asked: Sequence[CellInfo]
) -> tuple[State, str]:
    references = _references(evidence, numbers)
    compared = [_compared(cell, numbers, references) for cell in asked]
    if not any(one.encoder for one in compared):
        return State.MISSING, "no arm shares a seed with its random encoder."
    unit = difference_unit(evidence.unit)
    if not references:
        nearest, seeds = _nearest(compared, None)
        text = _described(nearest, seeds, unit)
        return State.MISSING, f"raw pixels have no result to compare with; {text}."
    family = len(asked) + len(set(evidence.scale_arms) - {cell.name for cell in arms})
    of = f"{family} arm{'s' * (family > 1)}"
    reached: tuple[int, ...] = ()
    for count, share in zip(evidence.looks.seeds, evidence.looks.shares, strict=True):
        seeds = tuple(range(count))
        p_values = [one.p(seeds) for one in compared]
        if all(map(math.isnan, p_values)):
            continue
        reached = seeds
        tests = holm([*p_values, *[math.nan] * (family - len(compared))], share * ERROR_RATE)
        passed = [one for one, test in zip(compared, tests, strict=False) if test.rejected]
        if passed:
            best = max(passed, key=lambda one: min(_means(one, seeds)))
            text = _described(best, seeds, unit)
            return State.PASSED, f"{text}, significant in a one-sided test among {of}."
    nearest, seeds = _nearest(compared, reached or None)
    text = _described(nearest, seeds, unit)
    first = evidence.looks.seeds[0]
    untested = family - sum(set(range(first)) <= one.encoder.keys() for one in compared)
    if reached and untested:
        have = "has" if untested == 1 else "have"
        untested_arms = f"{untested} of {of} {have} no number yet at seeds 0 to {first - 1}"
        return State.OPEN, f"{untested_arms}; so far {text}."
    if reached:
        none = "no arm is significantly above both its random encoder and raw pixels"
        return State.FAILED, f"{none}; the closest of {of}: {text}."
    why = f"this needs seeds 0 to {first - 1} of an arm, its random encoder and raw pixels"
    if set(range(first)) <= nearest.encoder.keys():
        why = "all its seeds gave the same number, so there is no spread to judge by"
    return State.OPEN, f"{why}; so far {text}."


def not_learned(
    names: Sequence[str], evidence: Evidence, numbers: Table, look: int
) -> tuple[str, ...]:
    """Those of the arms that are not significantly above both their random encoder and raw pixels.

    At the look's share of 5 %, without correction: used where each of the arms must have learned.
    Arms that predict something else than classes are left out.
    """
    references = _references(evidence, numbers)
    level = dict(zip(evidence.looks.seeds, evidence.looks.shares, strict=True))[look] * ERROR_RATE
    return tuple(
        cell.name
        for cell in evidence.cells
        if cell.name in names
        and (cell.role, cell.predicts) == ("arm", CLASSES)
        and not _compared(cell, numbers, references).p(range(look)) <= level
    )


def _references(evidence: Evidence, numbers: Table) -> list[dict[int, float]]:
    return [
        numbers[cell.name]
        for cell in evidence.cells
        if cell.role == "reference" and cell.predicts == CLASSES and numbers.get(cell.name)
    ]


def _compared(
    arm: CellInfo, numbers: Table, references: Sequence[Mapping[int, float]]
) -> _Compared:
    own, floor = numbers.get(arm.name, {}), numbers.get(arm.floor or "", {})
    best: dict[int, float] = {}
    for seed in own:
        # Raw pixels need no seed: where only one trial exists, it counts for all seeds.
        pixels = [next(iter(r.values())) if len(r) == 1 else r.get(seed) for r in references]
        known = [value for value in pixels if value is not None]
        if known and len(known) == len(pixels):
            best[seed] = max(known)
    return _Compared(
        arm.name,
        {seed: own[seed] - floor[seed] for seed in sorted(own.keys() & floor.keys())},
        {seed: own[seed] - best[seed] for seed in sorted(best)} if references else None,
    )


def _p(differences: Sequence[float]) -> float:
    """The one-sided p-value of a mean above 0; NaN for fewer than two values, or above 0 without spread."""
    if len(differences) > 1 and no_spread(differences) and math.fsum(differences) <= 0:
        return 1.0
    both = t_test(differences, 0.0)
    return both / 2 if math.fsum(differences) > 0 else 1 - both / 2


def _means(one: _Compared, seeds: Sequence[int]) -> list[float]:
    sides = [side for side in (one.encoder, one.pixels) if side]
    each = [[side[seed] for seed in seeds if seed in side] for side in sides]
    return [math.fsum(values) / len(values) for values in each if values]


def _nearest(
    compared: Sequence[_Compared], seeds: tuple[int, ...] | None
) -> tuple[_Compared, tuple[int, ...]]:
    """The arm whose smaller mean difference is largest, and the seeds of that difference."""
    some = [one for one in compared if one.encoder]
    over = {one.name: seeds or tuple(one.encoder) for one in some}
    whole = [one for one in some if set(over[one.name]) <= one.encoder.keys()]
    best = max(whole, key=lambda one: min(_means(one, over[one.name])))
    return best, over[best.name]


def _described(one: _Compared, seeds: Sequence[int], unit: str) -> str:
    parts: list[str] = []
    for side, name in ((one.encoder, "its random encoder"), (one.pixels, "raw pixels")):
        values = [side[seed] for seed in seeds if seed in side] if side else []
        if not values:
            continue
        mean = math.fsum(values) / len(values)
        where = "above" if mean >= 0 else "below"
        parts.append(f"{abs(mean):.1f} {unit} {where} {name} ({_p_text(values)}n = {len(values)})")
    return f"{one.name} is {' and '.join(parts)}"


def _p_text(values: Sequence[float]) -> str:
    if len(values) < 2 or no_spread(values):
        return ""
    p = _p(values)
    return "p below 0.0001, " if p < 0.0001 else f"p = {p:.4f}, "
