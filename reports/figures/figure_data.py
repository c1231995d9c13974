"""What a figure shows, as a tidy table: the first of its two steps; see `reports.figures.plots`.

One row an arm and planned seed: place (along the bottom; for heat maps row and column), group,
cell, seed, value, and the cell's own mean, low, high (95 %), n, published and floor (its random
encoder's mean) in each of its rows.
"""

# Types of pandas follow the values of its arguments, which the checker cannot see.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportReturnType=false

import math
import re
from typing import assert_never

import pandas as pd

from reports.figures.frame import AXIS, summary
from reports.spec import AnyFigure, Bars, Heatmap, Lines

ONE = ""
"""The group of a figure with one group only."""

NUMBER = re.compile(r"^\s*(\d+(?:\.\d+)?)(?:\s*/\s*(\d+(?:\.\d+)?))?")


def values(figure: AnyFigure, frame: pd.DataFrame) -> pd.DataFrame:
    """The figure's table; empty when no arm stands on the axes that it names."""
    arms = _with_summary(frame)
    for axis in figure.axes():
        if f"{AXIS}{axis}" not in arms:
            return arms.iloc[:0].assign(place="", row="", column="", group=ONE)
        arms = arms[arms[f"{AXIS}{axis}"].notna()]
    match figure:
        case Heatmap(axis=str(axis)):
            labels = arms[f"{AXIS}{axis}"].astype(str)
            singles = [label for label in dict.fromkeys(labels) if "+" not in label]
            pairs = [split(label, singles) for label in labels]
            arms = arms.assign(row=[a for a, _ in pairs], column=[b for _, b in pairs], group=ONE)
            return _first_of_each(arms, ["row", "column"])
        case Heatmap():
            rows, columns = arms[f"{AXIS}{figure.rows}"], arms[f"{AXIS}{figure.columns}"]
            return _first_of_each(
                arms.assign(row=rows, column=columns, group=ONE), ["row", "column"]
            )
        case Bars() | Lines():
            place = arms["cell"] if figure.axis is None else arms[f"{AXIS}{figure.axis}"]
            group = ONE if figure.group is None else arms[f"{AXIS}{figure.group}"]
            return _told_apart(arms.assign(place=place, group=group), figure.axes())
        case _:
            assert_never(figure)


def split(label: str, singles: list[str]) -> tuple[str, str]:
    """The two operations of a composition's label; the same twice for a single one.

    A "+" inside a name is told from the one between two names by the names that stand alone.
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


def _with_summary(frame: pd.DataFrame) -> pd.DataFrame:
    cells = summary(frame).drop(columns="values")
    floors = cells.set_index("cell")["mean"]
    arms = frame[frame["role"] == "arm"].drop(columns=["role", "key", "state"])
    arms = arms.merge(cells, on="cell", how="left", validate="many_to_one")
    return arms.assign(floor=arms["floor"].map(floors).astype(float))


def _first_of_each(arms: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Where several cells share one square, the first of the study stands there."""
    first = arms.groupby(keys, sort=False)["cell"].transform("first")
    return arms[arms["cell"] == first].reset_index(drop=True)


def _told_apart(arms: pd.DataFrame, named: tuple[str, ...]) -> pd.DataFrame:
    """Where several cells share a place and group, what else tells them apart joins the group."""
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
