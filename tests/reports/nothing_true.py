"""Studies in which no claim is true, one a kind of claim, through looks and Holm as shipped."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
from made_evidence import beats, evidence
from numpy.typing import ArrayLike
from ruamel.yaml import YAML

from reports.judging.contrasts import subject_of
from reports.judging.sequential_looks import judged_looks
from reports.judging.trial_outcomes import Table
from reports.spec import (
    AnyClaim,
    Equivalent,
    Evidence,
    Increases,
    Interaction,
    MainEffect,
    RanksLike,
)

FIGURE_5 = Path(__file__).parents[2] / "ablations" / "published" / "figure-5.yaml"
SEEDS = 10

KINDS = (
    *("beats", "increases", "figure 5 permuted", "additive operations", "plain cells"),
    *("equivalent", "equivalent at a small margin", "equivalent, three cells"),
    *("main_effect", "interaction", "main effects and their interaction"),
)
"""Kinds of claims; the two tables of ordered pairs have figure 5's cells."""


@cache
def rate(kind: str, num_studies: int, seed: int) -> float:
    """The share of studies that decide at least one claim."""
    made, draw = STUDIES[kind]()
    rng = np.random.default_rng(seed)
    decided = 0
    for _ in range(num_studies):
        numbers = draw(rng)
        looks = judged_looks([subject_of(claim, made, numbers) for claim in made.claims], made)
        decided += any(look.decided for look in looks.values())
    return decided / num_studies


Drawn = tuple[Evidence, Callable[[np.random.Generator], Table]]


def _study(cells: Iterable[str], claims: tuple[AnyClaim, ...], **changes: Any) -> Evidence:
    return evidence({cell: [0.0] * SEEDS for cell in cells}, claims=claims, **changes)


def _table(cells: Iterable[str], rows: ArrayLike) -> Table:
    return {
        cell: dict(enumerate(row))
        for cell, row in zip(cells, np.asarray(rows).tolist(), strict=True)
    }


def _paired(cells: str, claims: tuple[AnyClaim, ...], means: ArrayLike = 0.0) -> Drawn:
    """Seeds differ more than cells do."""

    def draw(rng: np.random.Generator) -> Table:
        shared = 3 * rng.normal(size=SEEDS) + np.reshape(means, (-1, 1))
        return _table(cells, rng.normal(size=(len(cells), SEEDS)) + shared)

    return _study(cells, claims), draw


def _beats() -> Drawn:
    return _paired("abcdef", (beats("a", "b"), beats("c", "d"), beats("e", "f")))


def _increases() -> Drawn:
    claims = [
        Increases(name=along, along=tuple(along), primary=True)
        for along in ("abcd", "efgh", "ijkl")
    ]
    return _paired("abcdefghijkl", tuple(claims))


def _alike(*groups: str, margin: float) -> tuple[AnyClaim, ...]:
    return tuple(
        Equivalent(name=cells, among=tuple(cells), margin=margin, primary=True) for cells in groups
    )


def _equivalent() -> Drawn:
    """Three pairs at an end of the margin: the first cell is better in two of them, worse in one."""
    return _paired("abcdef", _alike("ab", "cd", "ef", margin=4.0), [4, 0, 0, 4, 4, 0])


def _equivalent_small() -> Drawn:
    """As `_equivalent`, with a margin below the standard error of a difference of five seeds."""
    return _paired("abcdef", _alike("ab", "cd", "ef", margin=0.4), [0.4, 0, 0, 0.4, 0.4, 0])


def _equivalent_cells() -> Drawn:
    """Three claims of three cells each, whose first two differ by the margin, to both sides."""
    means = [4, 0, 2, 0, 4, 4, 4, 0, 0]
    return _paired("abcdefghi", _alike("abc", "def", "ghi", margin=4.0), means)


def main_effect(axis: str, **changes: Any) -> MainEffect:
    """A primary claim about levels 1 and 0 of an axis."""
    fields = {"name": axis, "axis": axis, "better": "1", "worse": "0", "primary": True}
    return MainEffect(**fields | changes)


def interaction(axis: str, by: str, **changes: Any) -> Interaction:
    """A primary claim that 1 minus 0 on one axis is larger at 1 than at 0 of another."""
    fields = {"name": f"{axis} x {by}", "axis": axis, "better": "1", "worse": "0", "primary": True}
    return Interaction(**fields | {"by": by, "larger_at": "1", "smaller_at": "0"} | changes)


def _factorial(
    claims: tuple[AnyClaim, ...], effects: Mapping[str, float], axes: str = "abc"
) -> Drawn:
    """Two levels an axis; an effect of axes is added where all of them have level 1, centred."""
    levels = {
        " / ".join(labels): dict(zip(axes, labels, strict=True))
        for labels in product("01", repeat=len(axes))
    }
    means = [
        sum(
            size * np.prod([1 if own[axis] == "1" else -1 for axis in of])
            for of, size in effects.items()
        )
        for own in levels.values()
    ]

    def draw(rng: np.random.Generator) -> Table:
        shared = 3 * rng.normal(size=SEEDS) + np.reshape(means, (-1, 1))
        return _table(levels, rng.normal(size=(len(levels), SEEDS)) + shared)

    return _study(levels, claims, scale_levels=levels), draw


def _main_effects() -> Drawn:
    """Marginal means are equal, though every effect is there at a level of another axis."""
    claims = tuple(main_effect(axis) for axis in "abc")
    return _factorial(claims, {"ab": 3.0, "ac": -2.0, "bc": 4.0, "abc": 2.0})


def _interactions() -> Drawn:
    """Each axis has a large effect, the same at all levels of each other one."""
    claims = tuple(interaction(*pair) for pair in combinations("abc", 2))
    return _factorial(claims, {"a": 5.0, "b": -3.0, "c": 8.0, "abc": 2.0})


def _both() -> Drawn:
    """Two main effects and their interaction over the same four cells."""
    claims = (main_effect("a"), main_effect("b"), interaction("a", "b"))
    return _factorial(claims, {}, axes="ab")


def _ranked(published: dict[str, float], **changes: Any) -> Evidence:
    # Without a least tau: the rate is that of the test itself.
    claim = RanksLike(name="ranks", primary=True, min_tau=0.0)
    return _study(published, (claim,), scale_published=published, published_tie=0.5, **changes)


def _figure_5(means: Callable[[np.random.Generator, dict[tuple[str, str], float]], Any]) -> Drawn:
    published = YAML(typ="safe").load(FIGURE_5.read_text())["values"]
    pairs = {name: (*name.split("+"), name)[:2] for name in published}
    places = {name: (pair,) for name, pair in pairs.items()}
    numbers = {pairs[name]: value for name, value in published.items()}

    def draw(rng: np.random.Generator) -> Table:
        noise = 0.3 * rng.normal(size=(len(published), SEEDS))
        return _table(published, np.array(means(rng, numbers))[:, None] + noise)

    return _ranked(published, places=places), draw


def _permuted() -> Drawn:
    """Figure 5's own values under operation names that mean nothing."""

    def means(rng: np.random.Generator, numbers: dict[tuple[str, str], float]) -> list[float]:
        names = [first for first, second in numbers if first == second]
        to = dict(zip(names, rng.permutation(names).tolist(), strict=True))
        return [numbers[to[first], to[second]] for first, second in numbers]

    return _figure_5(means)


def _additive() -> Drawn:
    """Each operation has an effect as the first and one as the second, drawn anew a study."""

    def means(rng: np.random.Generator, numbers: dict[tuple[str, str], float]) -> list[float]:
        names = [first for first, second in numbers if first == second]
        first, second = (dict(zip(names, 10 * rng.normal(size=7), strict=True)) for _ in range(2))
        return [first[a] + second[b] for a, b in numbers]

    return _figure_5(means)


def _plain() -> Drawn:
    """Seven levels of one axis in an order that has nothing to do with the published one."""
    published = dict(zip("abcdefg", (60.0, 61.0, 62.5, 63.0, 64.2, 65.0, 66.0), strict=True))

    def draw(rng: np.random.Generator) -> Table:
        means = 3.0 * rng.permutation(7)
        return _table(published, means[:, None] + rng.normal(size=(7, SEEDS)))

    return _ranked(published), draw


def _collapse() -> Drawn:
    """One arm collapses in 20 % of seeds, 8 points down, and gains 2 in the others: mean 0."""

    def draw(rng: np.random.Generator) -> Table:
        collapses = np.where(rng.random(SEEDS) < 0.2, -8.0, 2.0)
        return _table("ab", rng.normal(size=(2, SEEDS)) + np.outer([1, 0], collapses))

    return _study("ab", (beats("a", "b"),)), draw


STUDIES: dict[str, Callable[[], Drawn]] = {
    "beats": _beats,
    "increases": _increases,
    "equivalent": _equivalent,
    "equivalent at a small margin": _equivalent_small,
    "equivalent, three cells": _equivalent_cells,
    "main_effect": _main_effects,
    "interaction": _interactions,
    "main effects and their interaction": _both,
    "figure 5 permuted": _permuted,
    "additive operations": _additive,
    "plain cells": _plain,
    "collapse": _collapse,
}
