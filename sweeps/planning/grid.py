"""A sweep: the axes of a study spanned into cells. A cell is one configuration, over all seeds.

The engine knows fields only by name. The `resolve` function passed to `plan` defines what a field means
and how cells become configurations.
"""

import itertools
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from sweeps.base import Frozen
from sweeps.errors import PlanError
from sweeps.history_label import label_of
from sweeps.planning.axes import AnyAxis
from sweeps.planning.selection import Exclusion
from sweeps.suggest import did_you_mean

Role = Literal["arm", "floor", "reference", "control"]

MOST_CELLS = 10_000
"""The most cells that the axes of a sweep may span; counted before any is created."""


class AddedCell(Frozen):
    """A control or baseline, added to cells of the sweep: a value that they must beat, or a check on them.

    Those of several cells that have the same key are one trial.
    """

    name: str = Field(min_length=1)
    """The name of its cell; with the arm's name in brackets where arms need one each."""

    role: Literal["floor", "reference", "control"]
    """A floor is a result that an arm is compared with, seed by seed; a reference is only shown
    next to the arms; a control checks the method."""

    set: dict[str, Any]
    """The fields that it sets in addition to its arm's, as dotted names."""

    cells: Literal["each", "first"] | tuple[str, ...] = "each"
    """The arms to which it belongs; `first` is the first selected arm."""

    num_seeds: int | None = Field(default=None, ge=1)
    """The number of the sweep's first seeds that it has; None is all."""


class Cell(Frozen):
    """One configuration of the sweep, for all seeds."""

    name: str
    """Unique in its sweep."""

    levels: dict[str, str]
    """Axis -> label."""

    settings: dict[str, Any]
    """The fields that the axes set, dotted, in order; `resolve` makes a configuration of them."""

    role: Role = "arm"

    floor: str | None = None
    """The cell that is the floor of this arm, or of the arm to which this control belongs."""


class Sweep(Frozen):
    """The axes, the seeds, and the controls and baselines."""

    study: str = Field(min_length=1)
    """The name under which launches and runs are stored."""

    scale: str | None = None
    """The size at which the study runs; another scale is another history."""

    variation: str = ""
    """How all its cells differ from the study; another variation is another history."""

    axes: tuple[AnyAxis, ...] = ()

    design: Literal["factorial", "one_at_a_time"] = "factorial"
    """All combinations, or the first level of every axis and one change at a time from it."""

    exclude: tuple[Exclusion, ...] = ()
    """Cells that the axes span and the sweep does not have."""

    added: tuple[AddedCell, ...] = ()
    """Its controls and baselines."""

    seeds: tuple[int, ...] = Field(min_length=1)

    only: tuple[str, ...] | None = None
    """The names of the cells to plan, with their controls and baselines. None means all."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        sizes = [axis.num_points() for axis in self.axes]
        factorial = self.design == "factorial"
        spanned = math.prod(sizes) if factorial else 1 + sum(size - 1 for size in sizes)
        if spanned > MOST_CELLS:
            table = " x ".join(map(str, sizes))
            raise ValueError(
                f"the axes span {spanned:,} cells ({table}), but a sweep may have at most "
                f"{MOST_CELLS:,}; remove levels or an axis, or write design: one_at_a_time"
            )
        mistakes = [*_doubles("axis", [axis.name for axis in self.axes])]
        mistakes += _doubles("control or baseline", [one.name for one in self.added])
        mistakes += _doubles("seed", [str(seed) for seed in self.seeds])
        floors = [one.name for one in self.added if one.role == "floor"]
        if len(floors) > 1:
            mistakes.append(f"a sweep may have at most one floor, got {', '.join(floors)}")
        setters: dict[str, str] = {}
        for axis in self.axes:
            for field in {field for point in axis.points().values() for field in point}:
                for other, name in setters.items():
                    if name != axis.name and overlap(field, other):
                        mistakes.append(
                            f"axes {name!r} and {axis.name!r} both set"
                            f" {min(field, other, key=len)!r}; a field may belong to only one axis"
                        )
                setters[field] = axis.name
        if mistakes:
            raise ValueError("; ".join(mistakes))
        return self

    @property
    def label(self) -> str:
        """The name of folders and runs; see `label_of`."""
        return label_of(self.study, self.scale, self.variation)

    def arms(self) -> tuple[Cell, ...]:
        """All cells but the excluded ones, in order, the first axis slowest; `only` is not applied."""
        excluded = self.excluded()
        arms = tuple(
            Cell(name=name, levels=levels, settings=settings)
            for name, levels, settings in self._combinations()
            if name not in excluded
        )
        if not arms:
            raise PlanError("exclude: leaves no cell; remove an entry")
        doubles = [(n, t) for n, t in Counter(arm.name for arm in arms).items() if t > 1]
        if doubles:
            raise PlanError(*(f"{t} cells have the name {n!r}; rename a level" for n, t in doubles))
        return arms

    def levels(self) -> dict[str, dict[str, str]]:
        """Cell -> axis -> label, of every cell that the axes span, excluded or not."""
        return {name: levels for name, levels, _ in self._combinations()}

    def excluded(self) -> dict[str, str]:
        """Excluded cell -> why."""
        reasons = {
            name: "; ".join(one.reason for one in self.exclude if one.excludes(levels))
            for name, levels in (self.levels().items() if self.exclude else ())
        }
        return {name: reason for name, reason in reasons.items() if reason}

    def places(self) -> dict[str, tuple[tuple[str, ...], ...]]:
        """Arm -> where it is in the table of the axes: for each axis the items of its level.

        With one axis at a time there is no table: each arm has its own place.
        """
        items = {axis.name: axis.items_of() for axis in self.axes}
        table = self.design == "factorial" or len(self.axes) == 1
        excluded = self.excluded()
        return {
            name: tuple(items[axis][label] for axis, label in levels.items())
            if table and levels
            else ((name,),)
            for name, levels, _ in self._combinations()
            if name not in excluded
        }

    def _combinations(self) -> list[tuple[str, dict[str, str], dict[str, Any]]]:
        if not self.axes:
            return [("base", {}, {})]
        points = [list(axis.points().items()) for axis in self.axes]
        if self.design == "factorial" or len(self.axes) == 1:
            chosen = [
                (" / ".join(label for label, _ in combination), combination)
                for combination in itertools.product(*points)
            ]
        else:
            baseline = tuple(axis_points[0] for axis_points in points)
            chosen = [("baseline", baseline)]
            for place, axis in enumerate(self.axes):
                for point in points[place][1:]:
                    changed = (*baseline[:place], point, *baseline[place + 1 :])
                    chosen.append((f"{axis.name}={point[0]}", changed))
        return [
            (
                name,
                {axis.name: label for axis, (label, _) in zip(self.axes, combination, strict=True)},
                {field: value for _, settings in combination for field, value in settings.items()},
            )
            for name, combination in chosen
        ]


def flatten(config: Mapping[str, Any]) -> dict[str, Any]:
    """A nested configuration as dotted fields; lists count as values, empty mappings stay."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, Mapping) and value:
            flat |= {f"{name}.{inner}": leaf for inner, leaf in flatten(value).items()}
        else:
            flat[name] = value
    return flat


def select(only: tuple[str, ...] | None, names: list[str]) -> set[str]:
    """The names that `only` keeps; an unknown one is a PlanError with the nearest names."""
    if only is None:
        return set(names)
    if unknown := [name for name in only if name not in names]:
        raise PlanError(*(f"no cell {name!r}{did_you_mean(name, names)}" for name in unknown))
    return set(only)


def overlap(field: str, other: str) -> bool:
    """Whether one dotted field is the other or lies inside it."""
    return field == other or field.startswith(f"{other}.") or other.startswith(f"{field}.")


def _doubles(what: str, names: list[str]) -> list[str]:
    return [
        f"{what} {name!r} is listed {times} times; list each once"
        for name, times in Counter(names).items()
        if times > 1
    ]
