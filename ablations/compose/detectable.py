"""What each primary claim can detect at its looks, before anything runs."""

import math
from collections.abc import Iterable, Mapping
from itertools import combinations
from statistics import stdev
from typing import NamedTuple

from ablations.compose.resolved_study import ResolvedStudy
from reports.judging import smallest_difference, smallest_margin
from reports.spec import ERROR_RATE, AnyClaim, Equivalent, RanksLike, cells_of
from sweeps.planning import counting, has_number
from sweeps.record import Summary

LEAST_SEEDS = 3
"""Seeds on record from which their own spread is used."""


class Detectable(NamedTuple):
    """One primary claim."""

    claim: str
    sizes: tuple[tuple[int, float], ...]
    """Seeds of each look, and the smallest distance from the margin that it decides in 80 % of
    repetitions, at Holm's first level; of an equivalence the smallest margin for two of its cells (of
    more, all pairs must be within it, which takes more seeds). In the metric's unit, or in
    standard deviations of the claim's number over seeds where `deviation` is None."""
    deviation: float | None
    source: str
    """Where the deviation comes from, or why nothing can be detected."""
    equivalence: bool


def detectable_effects(composed: ResolvedStudy, recorded: Iterable[Summary]) -> list[Detectable]:
    """Every primary claim that this scale judges; `recorded` as `as_configured` gives it."""
    study, sweep = composed.study, composed.sweep(everything=True)
    roles, levels = study.roles_at(composed.scale), sweep.levels()
    numbers = _numbers(recorded, study.metric)
    primary = [claim for claim in study.claims if claim.primary]
    if composed.scale == "smoke":
        return []
    found: list[Detectable] = []
    for claim in primary:
        cells, why = cells_of(claim, roles, levels)
        out = {cell: reason for cell, reason in sweep.excluded().items() if cell in cells}
        if isinstance(claim, RanksLike):
            why = "more levels decide a ranking, not more seeds"
        elif out:
            why = f"needs the excluded cell {next(iter(out))}"
        if why or isinstance(claim, RanksLike):
            found.append(Detectable(claim.name, (), None, why, equivalence=False))
            continue
        deviation, source = _deviation(claim, cells, numbers, composed)
        alike = isinstance(claim, Equivalent)
        size = smallest_margin if alike else smallest_difference
        sizes = tuple(
            (n, size(1.0 if deviation is None else deviation, n, share * ERROR_RATE / len(primary)))
            for n, share in zip(study.looks.seeds, study.looks.shares, strict=True)
        )
        found.append(Detectable(claim.name, sizes, deviation, source, equivalence=alike))
    return found


def _numbers(summaries: Iterable[Summary], metric: str) -> dict[str, dict[int, float]]:
    """Cell -> seed -> the metric."""
    places: dict[tuple[str, int], list[Summary]] = {}
    for one in summaries:
        places.setdefault((one.cell, one.seed), []).append(one)
    found: dict[str, dict[int, float]] = {}
    for (cell, seed), attempts in places.items():
        one = counting(attempts, metric)
        if one is not None and has_number(one, metric):
            found.setdefault(cell, {})[seed] = float(one.values[metric] or 0.0)
    return found


def _deviation(
    claim: AnyClaim,
    cells: tuple[str, ...],
    numbers: Mapping[str, Mapping[int, float]],
    composed: ResolvedStudy,
) -> tuple[float | None, str]:
    """The standard deviation of the claim's number over seeds, and where it comes from."""
    assert not isinstance(claim, RanksLike), "rank claims have no number per seed"
    groups = (
        list(combinations(dict.fromkeys(cells), 2)) if isinstance(claim, Equivalent) else [cells]
    )
    seeds = sorted(set[int].intersection(*(set(numbers.get(cell, {})) for cell in cells)))
    if len(seeds) >= LEAST_SEEDS:
        each = [
            stdev(claim.contrast([numbers[cell][seed] for cell in group]) for seed in seeds)
            for group in groups
        ]
        if max(each) > 0:
            return max(each), f"{len(seeds)} seeds on record"
    prior = composed.study.prior_spread
    if prior is None:
        return (
            None,
            "no three seeds are on record, and the study states no prior_spread",
        )
    weights = claim.weights(len(groups[0]))
    return prior.deviation * math.hypot(*weights), f"the study's prior_spread: {prior.source}"
