"""The second step of a figure: a table of `reports.figures.figure_data` onto axes, in the paper's layout.

Our value stands large, the paper's small beside it; every seed is a dot; bars and whiskers are the
mean and its 95 % interval; the random encoder is a line. A cell without a number is hatched.
"""

# Types of pandas follow the values of its arguments, which the checker cannot see.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportReturnType=false

import math
from collections.abc import Sequence
from typing import assert_never

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import NullFormatter, NullLocator

from reports.figures import heatmap
from reports.figures.figure_data import ONE, number
from reports.figures.theme import FAINT, FLOOR, INK, PALETTE, PAPER, wrapped
from reports.spec import AnyFigure, Bars, Heatmap, Lines

WHOLE = 100.0
"""Per cent."""

LABEL_HEIGHT = 0.055
"""Of a label of one line, as a share of the axis."""

GAP = 0.7
"""Between the bars of one place and those of the next, in widths of a bar."""


def size(figure: AnyFigure, table: pd.DataFrame) -> tuple[float, float]:
    """Width and height in inches that the table asks for."""
    match figure:
        case Heatmap():
            return heatmap.size(figure, table)
        case Bars():
            bars = len(table.groupby(["place", "group"])) + GAP * table["place"].nunique()
            return min(13.0, max(5.5, 0.58 * bars + 1.4)), 4.3
        case Lines():
            return min(11.0, max(6.4, 0.9 * table["place"].nunique() + 2.5)), 4.3
        case _:
            assert_never(figure)


def draw(figure: AnyFigure, table: pd.DataFrame, axes: Axes, metric: str) -> None:
    """Draws the table; `metric` names the axis of values, with its unit."""
    match figure:
        case Heatmap():
            heatmap.draw(figure, table, axes, metric)
        case Bars():
            _bars(figure, table, axes, metric)
        case Lines():
            _lines(figure, table, axes, metric)
        case _:
            assert_never(figure)
    if not isinstance(figure, Heatmap) and metric.endswith("(%)"):
        _end_at_a_hundred(axes)


def _end_at_a_hundred(axes: Axes) -> None:
    """The room above 100 % is for labels alone: neither the axis nor its ticks go there."""
    low, high = axes.get_ylim()
    if high > WHOLE:
        axes.set_yticks([tick for tick in axes.get_yticks() if low <= tick <= WHOLE])
        axes.spines["left"].set_bounds(low, WHOLE)
        axes.set_ylim(low, high)


def _bars(figure: Bars, table: pd.DataFrame, axes: Axes, metric: str) -> None:
    cells = table.drop_duplicates(["place", "group"])
    groups = _unique(cells["group"])
    low, high = _extent(table)
    at, ticks = 0.0, list[float]()
    for place in _unique(cells["place"]):
        present = _unique(cells[cells["place"] == place]["group"])
        for nth, group in enumerate(present):
            rows = table[(table["place"] == place) & (table["group"] == group)]
            colour = PALETTE[groups.index(group) % len(PALETTE)]
            _bar(axes, at + nth, rows, colour, high - low)
        ticks.append(at + (len(present) - 1) / 2)
        at += len(present) + GAP
    axes.set_xticks(ticks, [wrapped(place, 13) for place in _unique(cells["place"])])
    axes.set_ylim(low if low == 0 else low - 0.1 * (high - low), high + 0.2 * (high - low))
    axes.set_xlim(-0.5 - GAP / 2, at - 0.5 - GAP / 2)
    axes.set_ylabel(metric)
    axes.tick_params(axis="x", length=0)
    if figure.axis is not None:
        axes.set_xlabel(figure.axis)
    _legend(axes, table, groups, patches=True)


def _bar(axes: Axes, x: float, rows: pd.DataFrame, colour: str, reach: float) -> None:
    width = 0.9
    cell = rows.iloc[0]
    seeds = rows["value"].dropna().tolist()
    top = 0.0
    if seeds:
        axes.bar(x, cell["mean"], width, color=colour, alpha=0.45, edgecolor=colour, linewidth=1)
        last = max(1, len(seeds) - 1)
        places = [x + 0.55 * width * (i / last - 0.5 * (len(seeds) > 1)) for i in range(len(seeds))]
        axes.plot(places, seeds, "o", color=INK, markersize=3, alpha=0.8, markeredgewidth=0)
        top = max(cell["mean"], *seeds)
        if not math.isnan(cell["low"]):
            axes.plot([x, x], [cell["low"], cell["high"]], color=INK, linewidth=1.4)
            top = max(top, cell["high"])
    else:
        axes.bar(
            x,
            0.4 * reach,
            width,
            fill=False,
            hatch="////",
            edgecolor=FAINT,
            alpha=0.45,
            linewidth=0,
        )
        top = 0.4 * reach
    floor, published = cell["floor"], cell["published"]
    if not math.isnan(floor):
        axes.plot([x - width / 2, x + width / 2], [floor] * 2, color=FLOOR, linewidth=2)
    taken = [(floor, floor)]
    if not math.isnan(published):
        axes.plot(
            [x],
            [published],
            "D",
            markerfacecolor="none",
            markeredgecolor=PAPER,
            markeredgewidth=1.6,
            markersize=6,
        )
        # Above its diamond, unless that would leave the bar's inside where there is room below.
        below = published < top and top - published < 0.09 * reach < published
        axes.annotate(
            f"{published:.1f}",
            (x, published),
            (0, -6 if below else 6),
            textcoords="offset points",
            ha="center",
            va="top" if below else "bottom",
            fontsize=8.5,
            color=PAPER,
        )
        taken.append((published - 0.02 * reach, published + (0.02 if below else 0.075) * reach))
    axes.annotate(
        f"{cell['mean']:.1f}" if seeds else "no run",
        (x, _free_above(top, 0.085 * reach, taken)),
        (0, 3),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=12 if seeds else 8.5,
        fontweight="bold" if seeds else "normal",
        color=INK,
    )


def _free_above(low: float, height: float, taken: Sequence[tuple[float, float]]) -> float:
    """The lowest place at or above `low` where a label of that height meets nothing taken."""
    for bottom, top in sorted(span for span in taken if not math.isnan(span[0])):
        if bottom < low + height and top > low:
            low = top
    return low


def _lines(figure: Lines, table: pd.DataFrame, axes: Axes, metric: str) -> None:
    places = _unique(table["place"])
    numbers = [number(place) for place in places]
    numeric = not any(math.isnan(n) for n in numbers) and len(set(numbers)) == len(places)
    logarithmic = numeric and figure.scale == "log" and min(numbers) > 0
    at = dict(
        zip(places, numbers if numeric else [float(i) for i in range(len(places))], strict=True)
    )
    groups = _unique(table["group"])
    if logarithmic:
        axes.set_xscale("log")
    for nth, group in enumerate(groups):
        colour = PALETTE[nth % len(PALETTE)]
        rows = table[table["group"] == group]
        rows = rows.assign(x=rows["place"].map(at))
        cells = rows.drop_duplicates("cell").sort_values("x")
        done = cells.dropna(subset=["mean"])
        axes.plot(done["x"], done["mean"], "-", color=colour, linewidth=2)
        axes.plot(rows["x"], rows["value"], "o", color=colour, markersize=4, alpha=0.55)
        axes.vlines(done["x"], done["low"], done["high"], color=INK, linewidth=1.4, zorder=3)
        for row in done.to_dict("records") if len(groups) == 1 else ():
            top = max([row["mean"], *rows[rows["cell"] == row["cell"]]["value"].dropna()])
            top = top if math.isnan(row["high"]) else max(top, row["high"])
            axes.annotate(
                f"{row['mean']:.1f}",
                (row["x"], top),
                (0, 5),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=11,
                fontweight="bold",
                color=INK,
            )
        known = cells.dropna(subset=["published"])
        axes.plot(
            known["x"],
            known["published"],
            "D--",
            color=PAPER,
            linewidth=1,
            markerfacecolor="none",
            markersize=5,
        )
        for row in known.to_dict("records") if len(groups) == 1 else ():
            axes.annotate(
                f"{row['published']:.1f}",
                (row["x"], row["published"]),
                (0, -6),
                textcoords="offset points",
                ha="center",
                va="top",
                fontsize=8.5,
                color=PAPER,
            )
        floors = cells.dropna(subset=["floor"])
        axes.plot(floors["x"], floors["floor"], "-", color=FLOOR, linewidth=2)
    axes.set_xticks([at[place] for place in places], [wrapped(place, 11) for place in places])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.08, y=0.14)
    if len(groups) > 1:
        _at_the_ends(axes, table.assign(x=table["place"].map(at)), groups)
    axes.set(xlabel=figure.axis, ylabel=metric)
    _legend(axes, table, groups, patches=False)


def _at_the_ends(axes: Axes, table: pd.DataFrame, groups: Sequence[str]) -> None:
    """Of several series, the mean of each last point, in the series' colour, none on another.

    Numbers at every point would cover each other; the report's table has them all.
    """
    low, high = axes.get_ylim()
    cells = table.dropna(subset=["mean"]).drop_duplicates("cell").sort_values("x")
    above = -math.inf
    for row in cells.groupby("group").tail(1).sort_values("mean").to_dict("records"):
        above = max(row["mean"], above + LABEL_HEIGHT * (high - low))
        axes.annotate(
            f"{row['mean']:.1f}",
            (row["x"], above),
            (8, 0),
            textcoords="offset points",
            ha="left",
            va="center",
            fontsize=10,
            fontweight="bold",
            color=PALETTE[groups.index(row["group"]) % len(PALETTE)],
        )


def _legend(axes: Axes, table: pd.DataFrame, groups: Sequence[str], *, patches: bool) -> None:
    handles: list[Line2D | Patch] = []
    if list(groups) != [ONE]:
        for nth, group in enumerate(groups):
            colour = PALETTE[nth % len(PALETTE)]
            handles.append(
                Patch(facecolor=colour, alpha=0.55, label=group)
                if patches
                else Line2D([], [], color=colour, linewidth=2, label=group)
            )
    if bool(table["value"].notna().any()):
        colour = INK if patches else FAINT
        handles.append(
            Line2D([], [], color=colour, marker="o", markersize=3, linestyle="", label="one seed")
        )
    if bool(table["low"].notna().any()):
        handles.append(Line2D([], [], color=INK, linewidth=1.4, label="95 % interval"))
    if bool(table["published"].notna().any()):
        handles.append(
            Line2D(
                [],
                [],
                color=PAPER,
                marker="D",
                markerfacecolor="none",
                linestyle="" if patches else "--",
                label="the paper's number",
            )
        )
    if bool(table["floor"].notna().any()):
        handles.append(
            Line2D(
                [],
                [],
                color=FLOOR,
                linewidth=2,
                label="random encoder",
            )
        )
    axes.legend(
        handles=handles,
        loc="lower center",
        bbox_to_anchor=(0.5, 1.02),
        ncols=min(4, len(handles)),
        columnspacing=1.4,
        handlelength=1.6,
    )


def _extent(table: pd.DataFrame) -> tuple[float, float]:
    """From zero, or from below it, to the highest thing drawn."""
    known = table[["value", "low", "high", "published", "floor"]]
    low, high = min(0.0, known.min().min()), max(0.0, known.max().max())
    return (low, high) if high > low else (0.0, 1.0)


def _unique(labels: pd.Series) -> list[str]:
    return list(dict.fromkeys(labels))
