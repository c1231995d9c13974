"""The data of a figure as a tidy table: the first of its two steps.

One row for each arm and planned seed: place (along the bottom; for heat maps row and column), group,
and the columns of `reports.figures.frame`.
"""

import math
import re
from collections.abc import Sequence

import pandas as pd

from reports.figures.frame import AXIS
from reports.spec import Bars, Lines

ONE = ""
"""The group of a figure with one group only."""

NUMBER = re.compile(r"^\s*(\d+(?:\.\d+)?)(?:\s*/\s*(\d+(?:\.\d+)?))?")


def arms_on(names: tuple[str, ...], frame: pd.DataFrame) -> pd.DataFrame:
    """The arms that have a level on each of the axes."""
    arms = frame[frame["role"] == "arm"].drop(columns=["role", "state"]).reset_index(drop=True)
    for name in names:
        if f"{AXIS}{name}" not in arms:
            return arms.iloc[:0]
        arms = arms[arms[f"{AXIS}{name}"].notna()]
    return arms


def series(figure: Bars | Lines, arms: pd.DataFrame) -> pd.DataFrame:
    """One row a cell and seed, with the place along the bottom and the group."""
    axis, group = figure.axis, figure.group
    place = arms["cell"] if axis is None else arms[f"{AXIS}{axis}"]
    groups = ONE if group is None else arms[f"{AXIS}{group}"]
    return _told_apart(arms.assign(place=place, group=groups), (axis, group))


def squares(rows: Sequence[str], columns: Sequence[str], arms: pd.DataFrame) -> pd.DataFrame:
    """The table of a heat map; if several cells share a square, it shows the first one in the study."""
    arms = arms.assign(row=rows, column=columns, group=ONE)
    first = arms.groupby(["row", "column"], sort=False)["cell"].transform("first")
    return arms[arms["cell"] == first].reset_index(drop=True)


def split(label: str, singles: list[str]) -> tuple[str, str]:
    """The two operations of a composition's label; the same twice for a single one.

    The single names distinguish a "+" inside a name from the one between two names.
    """
    if label in singles or "+" not in label:
        return label, label
    cuts = [i for i, character in enumerate(label) if character == "+"]
    known = [i for i in cuts if label[:i] in singles and label[i + 1 :] in singles]
    cut = (known or cuts)[0]
    return label[:cut], label[cut + 1 :]


def number(label: str) -> float:
    """The number with which a label begins (256, 2x, 1/8), NaN without one."""
    if not (found := NUMBER.match(label)):
        return math.nan
    below = float(found[2] or 1)
    return float(found[1]) / below if below else math.nan


def _told_apart(arms: pd.DataFrame, named: tuple[str | None, ...]) -> pd.DataFrame:
    """Adds to the group the other levels that distinguish cells with the same place and group."""
    spots = arms.drop_duplicates(["place", "group", "cell"])
    if not spots.duplicated(["place", "group"]).any():
        return arms.reset_index(drop=True)
    others = [
        column
        for column in arms.columns
        if column.startswith(AXIS)
        and column.removeprefix(AXIS) not in named
        and len(set(arms[column])) > 1
    ]
    if not others:
        return arms.assign(group=arms["cell"]).reset_index(drop=True)
    more = arms[others].astype(str).agg(", ".join, axis=1)
    group = [f"{a}, {b}" if a else b for a, b in zip(arms["group"], more, strict=True)]
    return arms.assign(group=group).reset_index(drop=True)
