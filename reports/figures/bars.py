"""Bar charts: one bar for each cell, in groups if two axes are named.

A bar is our mean with its 95 % interval; every seed is a dot, the paper's number a hollow diamond, the
random encoder a line. A cell without a result is hatched.
"""

import math
from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes

from reports.figures.figure_data import series
from reports.figures.marks import (
    HATCHED,
    colour_of,
    diamond,
    end_at_a_hundred,
    label,
    paper_small,
    series_legend,
    unique,
)
from reports.figures.theme import FLOOR, INK, PAPER, wrapped
from reports.spec import Bars

NAME = "Bar chart"
table = series

GAP = 0.7
"""The gap between the bars of one place and the next, in bar widths."""

MOST = 40
"""Bars that a reader can distinguish on a page; of more, those with the highest means are drawn, and none
without a mean unless there is no other."""

WIDTH = 0.9
"""The width of a bar, as a share of its place."""


def legible(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the bars that are drawn, in the order of the study."""
    cells = table.drop_duplicates(["place", "group"])
    if len(cells) <= MOST:
        return table
    known = cells.dropna(subset=["mean"]).sort_values("mean", ascending=False, kind="stable")
    best = (cells if known.empty else known).head(MOST)
    drawn = pd.MultiIndex.from_frame(best[["place", "group"]])
    return table[pd.MultiIndex.from_frame(table[["place", "group"]]).isin(drawn)]


def size(_: Bars, table: pd.DataFrame) -> tuple[float, float]:
    """Width and height in inches."""
    bars = len(table.groupby(["place", "group"])) + GAP * table["place"].nunique()
    return min(13.0, max(5.5, 0.58 * bars + 1.4)), 4.3


def caption(_: Bars, table: pd.DataFrame) -> str:
    """Explains how to read the figure."""
    return f"Our mean is in bold{paper_small(table, 'next to')}; every dot is one seed."


def draw(figure: Bars, table: pd.DataFrame, axes: Axes, metric: str) -> None:
    """Draws the table; `metric` names the axis of values, with its unit."""
    cells = table.drop_duplicates(["place", "group"])
    groups = unique(cells["group"])
    low, high = _extent(table)
    at, ticks = 0.0, list[float]()
    for place in unique(cells["place"]):
        present = unique(cells[cells["place"] == place]["group"])
        for nth, group in enumerate(present):
            rows = table[(table["place"] == place) & (table["group"] == group)]
            _bar(axes, at + nth, rows, colour_of(groups, group), high - low)
        ticks.append(at + (len(present) - 1) / 2)
        at += len(present) + GAP
    axes.set_xticks(ticks, [wrapped(place, 13) for place in unique(cells["place"])])
    axes.set_ylim(low if low == 0 else low - 0.1 * (high - low), high + 0.2 * (high - low))
    axes.set_xlim(-0.5 - GAP / 2, at - 0.5 - GAP / 2)
    axes.set_ylabel(metric)
    axes.tick_params(axis="x", length=0)
    if figure.axis is not None:
        axes.set_xlabel(figure.axis)
    series_legend(axes, table, groups, patches=True)
    end_at_a_hundred(axes, metric)


def _bar(axes: Axes, x: float, rows: pd.DataFrame, colour: str, reach: float) -> None:
    """One bar with all its marks; `reach` is the height of the data."""
    cell, seeds = rows.iloc[0], rows["value"].dropna().tolist()
    top = _body(axes, x, cell, seeds, colour, reach)
    floor, published = cell["floor"], cell["published"]
    if not math.isnan(floor):
        axes.plot([x - WIDTH / 2, x + WIDTH / 2], [floor] * 2, color=FLOOR, linewidth=2)
    taken = [(floor, floor)]
    if not math.isnan(published):
        diamond(axes, (x, published), 6)
        # Above its diamond, unless that would leave the bar's inside where there is room below.
        below = published < top and top - published < 0.09 * reach < published
        label(axes, f"{published:.1f}", (x, published), -6 if below else 6, 8.5,
              color=PAPER, fontweight="normal")  # fmt: skip
        taken.append((published - 0.02 * reach, published + (0.02 if below else 0.075) * reach))
    text, points, weight = (
        (f"{cell['mean']:.1f}", 12, "bold") if seeds else ("no run", 8.5, "normal")
    )
    above = _free_above(top, 0.085 * reach, taken)
    label(axes, text, (x, above), 3, points, fontweight=weight)


def _body(
    axes: Axes, x: float, cell: pd.Series, seeds: list[float], colour: str, reach: float
) -> float:
    """Draws the bar with seeds and whisker, hatched if there is no result; returns its highest point."""
    if not seeds:
        axes.bar(x, 0.4 * reach, WIDTH, linewidth=0, **HATCHED)
        return 0.4 * reach
    axes.bar(x, cell["mean"], WIDTH, color=colour, alpha=0.45, edgecolor=colour, linewidth=1)
    last = max(1, len(seeds) - 1)
    places = [x + 0.55 * WIDTH * (i / last - 0.5 * (len(seeds) > 1)) for i in range(len(seeds))]
    axes.plot(places, seeds, "o", color=INK, markersize=3, alpha=0.8, markeredgewidth=0)
    top = max(cell["mean"], *seeds)
    if math.isnan(cell["low"]):
        return top
    axes.plot([x, x], [cell["low"], cell["high"]], color=INK, linewidth=1.4)
    return max(top, cell["high"])


def _free_above(low: float, height: float, taken: Sequence[tuple[float, float]]) -> float:
    """The lowest position at or above `low` where a label of that height overlaps nothing."""
    for bottom, top in sorted(span for span in taken if not math.isnan(span[0])):
        if bottom < low + height and top > low:
            low = top
    return low


def _extent(table: pd.DataFrame) -> tuple[float, float]:
    """From zero, or from below it, to the highest mark."""
    known = table[["value", "low", "high", "published", "floor"]]
    low, high = min(0.0, known.min().min()), max(0.0, known.max().max())
    return (low, high) if high > low else (0.0, 1.0)
