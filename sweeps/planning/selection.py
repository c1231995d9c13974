"""Which cells of the axes a sweep has: exclusions with their reasons, and selection by level."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints

from sweeps.base import Frozen
from sweeps.errors import PlanError
from sweeps.planning.axes import label_of
from sweeps.suggest import did_you_mean

_Plain = str | int | float | bool | None


def _as_labels(value: Any) -> Any:
    """A label, or a list of them, as an axis labels its plain values."""
    many = value if isinstance(value, list | tuple) else (value,)
    return tuple(label_of(one) if isinstance(one, _Plain) else one for one in many)


Labels = Annotated[
    tuple[str, ...],
    BeforeValidator(_as_labels, json_schema_input_type=_Plain | tuple[_Plain, ...]),
    Field(min_length=1),
]

Where = dict[str, Labels]
"""Axis -> its labels, any of which will do; of several axes all must fit."""


class Exclusion(Frozen):
    """Cells that the study does not have, though its axes span them."""

    where: Where = Field(min_length=1, examples=[{"head": "none", "temperature": ["low", "high"]}])
    """Axis -> label or labels; a cell is excluded if it has one of them on each of these axes."""

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)] = Field(
        examples=["diverges at this temperature"]
    )
    """Why, in words; shown in the plan and in the report."""

    def excludes(self, levels: Mapping[str, str]) -> bool:
        """Whether a cell with these levels is excluded."""
        return fits(levels, self.where)


def fits(levels: Mapping[str, str], where: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether levels have one of the labels on each of the axes."""
    return all(levels.get(axis) in labels for axis, labels in where.items())


def named_cells(
    only: tuple[str, ...], arms: Mapping[str, Mapping[str, str]], excluded: Mapping[str, str]
) -> tuple[str, ...]:
    """The cells that a selection names, by their names or as `axis=level`.

    Several levels of one axis add up, and of several axes all must fit; cells named are added. A cell of
    that very name comes first, as designs of one axis at a time name cells in this way. `arms` are the
    levels of the cells that there are, `excluded` the reasons of the others. Unknown names are left as
    they are.

    Raises:
        PlanError: a level is unknown, a cell is excluded, or no cell has all the levels.
    """
    labels: dict[str, dict[str, None]] = {}
    for levels in arms.values():
        for axis, label in levels.items():
            labels.setdefault(axis, {})[label] = None
    where: dict[str, tuple[str, ...]] = {}
    names, mistakes = list[str](), list[str]()
    for item in only:
        axis, _, label = (part.strip() for part in item.partition("="))
        if item in excluded:
            mistakes.append(f"cell {item!r} is excluded: {excluded[item]}")
        elif item in arms or axis not in labels or "=" not in item:
            names.append(item)
        elif label not in labels[axis]:
            near = did_you_mean(label, labels[axis])
            mistakes.append(f"axis {axis!r} has no level {label!r}{near}")
        else:
            where[axis] = (*where.get(axis, ()), label)
    chosen = [name for name, levels in arms.items() if fits(levels, where)] if where else []
    if where and not chosen and not mistakes:
        mistakes.append(f"no cell has {_text(where)}; name fewer levels")
    if mistakes:
        raise PlanError(*mistakes)
    return tuple(dict.fromkeys([*chosen, *names]))


def _text(where: Mapping[str, tuple[str, ...]]) -> str:
    return " and ".join(f"{axis}={' or '.join(labels)}" for axis, labels in where.items())
