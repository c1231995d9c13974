"""Line charts: the metric along an ordered axis, one line for each level of a second axis.

A line joins our means; every seed is a dot, a whisker is the 95 % interval, the paper's numbers are
hollow diamonds, the random encoder is a line.
"""

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, NullLocator

from reports.figures.figure_data import ONE, number, series
from reports.figures.marks import (
    HOLLOW,
    End,
    colour_of,
    end_at_a_hundred,
    label,
    name_ends,
    paper_small,
    series_legend,
    unique,
)
from reports.figures.theme import FLOOR, INK, PAPER, wrapped
from reports.spec import Lines

NAME = "Line chart"
table = series


def size(_: Lines, table: pd.DataFrame) -> tuple[float, float]:
    """Width and height in inches."""
    return min(11.0, max(6.4, 0.9 * table["place"].nunique() + 2.5)), 4.3


def caption(_: Lines, table: pd.DataFrame) -> str:
    """Explains how to read the figure."""
    if len(set(table["group"])) > 1:
        return (
            "The number next to a line's name is our mean at its last point; the table lists all "
            "means. Every dot is one seed."
        )
    return f"Our mean is in bold{paper_small(table, 'next to')}; every dot is one seed."


def draw(figure: Lines, table: pd.DataFrame, axes: Axes, metric: str) -> None:
    """Draws the table; `metric` names the axis of values, with its unit."""
    places = unique(table["place"])
    numbers = [number(place) for place in places]
    numeric = not any(math.isnan(n) for n in numbers) and len(set(numbers)) == len(places)
    if numeric and figure.scale == "log" and min(numbers) > 0:
        axes.set_xscale("log")
    at = dict(zip(places, numbers if numeric else map(float, range(len(places))), strict=True))
    table = table.assign(x=table["place"].map(at))
    groups = unique(table["group"])
    for group in groups:
        rows = table[table["group"] == group]
        _line(axes, rows, colour_of(groups, group), labelled=len(groups) == 1)
    axes.set_xticks([at[place] for place in places], [wrapped(place, 11) for place in places])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.08, y=0.14)
    axes.set(xlabel=figure.axis, ylabel=metric)
    series_legend(axes, table, [ONE], patches=False)
    end_at_a_hundred(axes, metric)
    if len(groups) > 1:
        _name_ends(axes, table, groups)


def _line(axes: Axes, rows: pd.DataFrame, colour: str, *, labelled: bool) -> None:
    """Draws one group: means, seeds, intervals, the paper's numbers and the random encoder."""
    cells = rows.drop_duplicates("cell").sort_values("x")
    done, known = cells.dropna(subset=["mean"]), cells.dropna(subset=["published"])
    axes.plot(done["x"], done["mean"], "-", color=colour, linewidth=2)
    axes.plot(rows["x"], rows["value"], "o", color=colour, markersize=4, alpha=0.55)
    axes.vlines(done["x"], done["low"], done["high"], color=INK, linewidth=1.4, zorder=3)
    for row in done.to_dict("records") if labelled else ():
        top = max([row["mean"], *rows[rows["cell"] == row["cell"]]["value"].dropna()])
        top = top if math.isnan(row["high"]) else max(top, row["high"])
        label(axes, f"{row['mean']:.1f}", (row["x"], top), 5, 11)
    axes.plot(known["x"], known["published"], linestyle="--", linewidth=1, markersize=5, **HOLLOW)
    for row in known.to_dict("records") if labelled else ():
        at = (row["x"], row["published"])
        label(axes, f"{row['published']:.1f}", at, -6, 8.5, color=PAPER, fontweight="normal")
    floors = cells.dropna(subset=["floor"])
    axes.plot(floors["x"], floors["floor"], "-", color=FLOOR, linewidth=2)


def _name_ends(axes: Axes, table: pd.DataFrame, groups: list[str]) -> None:
    """Writes each line's name and its mean at the last point; the report's table has all means."""
    cells = table.dropna(subset=["mean"]).drop_duplicates("cell").sort_values("x")
    ends = cells.groupby("group").tail(1).to_dict("records")
    name_ends(
        axes,
        [
            End(f"{r['group']}  {r['mean']:.1f}", r["x"], r["mean"], colour_of(groups, r["group"]))
            for r in ends
        ],
    )
