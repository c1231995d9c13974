"""Marginal means: one line for each level of a second axis, averaged over all further axes.

Parallel lines are no interaction. A point is the mean over seeds of the seeds' means over the cells; every
dot is one seed, a whisker is the 95 % interval. A mean needs a number of each of its cells.
"""

import math
from collections.abc import Iterator

import pandas as pd
from matplotlib.axes import Axes

from reports.figures.figure_data import ONE
from reports.figures.frame import AXIS
from reports.figures.marks import colour_of, end_at_a_hundred, series_legend, unique
from reports.figures.theme import INK, wrapped
from reports.judging import seed_means
from reports.spec import MarginalMeans
from sweeps.intervals import interval

NAME = "Marginal means"

COLUMNS = (
    *("cell", "place", "group", "seed", "value", "mean", "low", "high"),
    *("published", "floor", "cells"),
)

SPREAD = 0.3
"""The width that the groups of one place share, as a share of the distance of places."""


def table(figure: MarginalMeans, arms: pd.DataFrame) -> pd.DataFrame:
    """One row for each pair of levels and seed; `cells` is how many cells a mean is over.

    Without a number in each cell of the pair, or with fewer cells than other pairs have, there is no mean.
    """
    place = arms[f"{AXIS}{figure.axis}"]
    group = ONE if figure.group is None else arms[f"{AXIS}{figure.group}"]
    arms = arms.assign(place=place, group=group)
    whole = arms.groupby(["place", "group"])["cell"].nunique().max()
    rows = [
        row
        for g in unique(arms["group"])
        for p in unique(arms["place"])
        for row in _rows(p, g, arms[(arms["place"] == p) & (arms["group"] == g)], whole)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"published": float, "floor": float})


def _rows(place: str, group: str, arms: pd.DataFrame, whole: int) -> Iterator[tuple[object, ...]]:
    known = arms.dropna(subset=["value"])
    numbers = {
        cell: dict(zip(own["seed"], own["value"], strict=True))
        for cell, own in known.groupby("cell")
    }
    cells = unique(arms["cell"])
    means = seed_means(cells, numbers) if len(cells) == whole else {}
    own = interval(tuple(means.values()))
    name = place if group == ONE else f"{place}, {group}"
    published = arms.drop_duplicates("cell")["published"].mean(skipna=False)
    about = (own.mean, own.low, own.high, published, math.nan, len(cells))
    for seed in means or [0]:
        yield (name, place, group, seed, means.get(seed, math.nan), *about)


def size(_: MarginalMeans, table: pd.DataFrame) -> tuple[float, float]:
    """Width and height in inches."""
    return min(11.0, max(6.4, 1.2 * table["place"].nunique() + 3.5)), 4.3


def caption(_: MarginalMeans, table: pd.DataFrame) -> str:
    """Explains how to read the figure."""
    cells = int(table["cells"].max())
    over = f"a mean over {cells} cells of one seed" if cells > 1 else "one cell"
    lines = " Parallel lines are no interaction." if len(unique(table["group"])) > 1 else ""
    return (
        f"Our mean is in bold; every dot is one seed, {over}.{lines} Whiskers show how means vary over "
        f"seeds; claims compare within seeds, so their intervals differ.{_lacking(table)}"
    )


def _lacking(table: pd.DataFrame) -> str:
    lost = int(table.drop_duplicates("cell")["mean"].isna().sum())
    if not lost:
        return ""
    means, are = ("1 mean", "is") if lost == 1 else (f"{lost} means", "are")
    return f" {means} without a number of each of its cells {are} left out."


def draw(figure: MarginalMeans, table: pd.DataFrame, axes: Axes, metric: str) -> None:
    """Draws the table; `metric` names the axis of values, with its unit."""
    places, groups = unique(table["place"]), unique(table["group"])
    step = SPREAD / max(1, len(groups) - 1)
    for nth, group in enumerate(groups):
        shift = step * (nth - (len(groups) - 1) / 2)
        at = {place: number + shift for number, place in enumerate(places)}
        rows = table[table["group"] == group]
        _line(axes, rows.assign(x=rows["place"].map(at)), colour_of(groups, group))
    axes.set_xticks(range(len(places)), [wrapped(place, 16) for place in places])
    axes.set_xlim(-0.5, len(places) - 0.5)
    axes.margins(y=0.14)
    axes.set(xlabel=figure.axis, ylabel=metric)
    series_legend(axes, table, groups, patches=False)
    end_at_a_hundred(axes, metric)


def _line(axes: Axes, rows: pd.DataFrame, colour: str) -> None:
    """Draws one group: its line, seeds, intervals and means."""
    means = rows.drop_duplicates("place").dropna(subset=["mean"]).sort_values("x")
    axes.plot(means["x"], means["mean"], "-", color=colour, linewidth=2)
    axes.plot(rows["x"], rows["value"], "o", color=colour, markersize=4, alpha=0.55)
    axes.vlines(means["x"], means["low"], means["high"], color=INK, linewidth=1.4, zorder=3)
    axes.plot(means["x"], means["mean"], "s", color=colour, markersize=6)
    for row in means.to_dict("records"):
        axes.annotate(
            f"{row['mean']:.1f}",
            (row["x"], row["mean"]),
            (6, 3),
            textcoords="offset points",
            ha="left",
            va="bottom",
            fontsize=10,
            fontweight="bold",
            color=colour,
        )
