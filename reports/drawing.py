"""The second step of a figure: a table of `reports.values` onto axes, in the paper's layout.

Our value stands large, the paper's small beside it; every seed is a dot; bars and whiskers are the
mean and its 95 % interval; the random encoder is a line. A cell without a number is hatched.
"""

# Types of pandas follow the values of its arguments, which the checker cannot see.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportReturnType=false

import math
from collections.abc import Sequence
from textwrap import wrap
from typing import assert_never

import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import NullFormatter, NullLocator

from reports.figures import AnyFigure, Bars, Heatmap, Lines
from reports.theme import FAINT, FLOOR, INK, MAP, PALETTE, PAPER
from reports.values import ONE, number

GAP = 0.7
"""Between the bars of one place and those of the next, in widths of a bar."""

DARK, LIGHT = "#111111", "#ffffff"
"""Ink upon coloured squares: it does not turn with the page."""


def size(figure: AnyFigure, table: pd.DataFrame) -> tuple[float, float]:
    """Width and height in inches that the table asks for."""
    match figure:
        case Heatmap():
            columns, rows = table["column"].nunique(), table["row"].nunique()
            return max(4.5, 0.85 * columns + 2.6), max(2.6, 0.8 * rows + 1.2)
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
            _heatmap(figure, table, axes, metric)
        case Bars():
            _bars(figure, table, axes, metric)
        case Lines():
            _lines(figure, table, axes, metric)
        case _:
            assert_never(figure)


def _heatmap(figure: Heatmap, table: pd.DataFrame, axes: Axes, metric: str) -> None:
    # Imported here: it costs two thirds of all imports of a report, and only heat maps gain by it.
    import seaborn as sns

    order = list(dict.fromkeys([*table["row"], *table["column"]]))
    rows = [label for label in order if label in set(table["row"])]
    columns = [label for label in order if label in set(table["column"])]
    cells = table.drop_duplicates(["row", "column"]).set_index(["row", "column"])
    means = cells.pivot_table(index="row", columns="column", values="mean", dropna=False)
    means = means.reindex(index=rows, columns=columns).astype(float)
    low, high = _limits(means.to_numpy().ravel().tolist())
    sns.heatmap(
        means,
        ax=axes,
        cmap=MAP,
        vmin=low,
        vmax=high,
        linewidths=1.5,
        linecolor="none",
        square=True,
        cbar_kws={"label": metric, "shrink": 0.85, "pad": 0.03},
    )
    bar = axes.collections[0].colorbar
    assert bar is not None
    bar.outline.set_visible(False)
    # Else the background shows as hairlines between the steps of the bar.
    bar.solids.set_edgecolor("face")
    floor = table["floor"].dropna()
    if len(floor) and low <= floor.mean() <= high:
        bar.ax.axhline(floor.mean(), color=LIGHT, linewidth=3.5)
        bar.ax.axhline(floor.mean(), color=FLOOR, linewidth=2)
    for y, row in enumerate(rows):
        for x, column in enumerate(columns):
            if (row, column) in cells.index:
                _square(axes, (x, y), cells.loc[(row, column)], table, (low, high))
    labels = [_wrapped(label, 11) for label in columns]
    axes.set_xticks([i + 0.5 for i in range(len(columns))], labels, rotation=0)
    axes.set_yticks(
        [i + 0.5 for i in range(len(rows))], [_wrapped(r, 14) for r in rows], rotation=0
    )
    pair = figure.axis is not None
    axes.set(xlabel="2nd operation" if pair else figure.columns)
    axes.set_ylabel("1st operation" if pair else str(figure.rows))
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.xaxis.labelpad = 8
    axes.tick_params(length=0, pad=5)


def _square(
    axes: Axes,
    corner: tuple[int, int],
    cell: pd.Series,
    table: pd.DataFrame,
    limits: tuple[float, float],
) -> None:
    x, y = corner
    known = not math.isnan(cell["mean"])
    low, high = limits
    ink = _legible_on((cell["mean"] - low) / (high - low)) if known else INK
    if not known:
        axes.add_patch(
            Rectangle(
                (x + 0.03, y + 0.03),
                0.94,
                0.94,
                fill=False,
                hatch="////",
                edgecolor=FAINT,
                alpha=0.45,
            )
        )
    if known:
        axes.text(
            x + 0.5,
            y + 0.36,
            f"{cell['mean']:.1f}",
            ha="center",
            va="center",
            color=ink,
            fontsize=13,
            fontweight="bold",
        )
    if not math.isnan(cell["published"]):
        axes.text(
            x + 0.5,
            y + 0.66,
            f"{cell['published']:.1f}",
            ha="center",
            va="center",
            color=ink,
            fontsize=8.5,
        )
    seeds = table[table["cell"] == cell["cell"]]["value"].dropna()
    places = [x + 0.12 + 0.76 * min(max((v - low) / (high - low), 0.0), 1.0) for v in seeds]
    axes.plot(places, [y + 0.87] * len(places), "o", color=ink, markersize=2.6, alpha=0.9)


def _legible_on(place: float) -> str:
    """The ink with the higher contrast (WCAG) on the map's colour at a place from 0 to 1."""
    linear = [
        c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in colormaps[MAP](place)
    ]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return DARK if (luminance + 0.05) ** 2 > 1.05 * 0.0555 else LIGHT


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
    axes.set_xticks(ticks, [_wrapped(place, 13) for place in _unique(cells["place"])])
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
        rows = table[table["group"] == group].assign(x=lambda rows: rows["place"].map(at))
        cells = rows.drop_duplicates("cell").sort_values("x")
        done = cells.dropna(subset=["mean"])
        axes.plot(done["x"], done["mean"], "-", color=colour, linewidth=2)
        axes.plot(rows["x"], rows["value"], "o", color=colour, markersize=4, alpha=0.55)
        axes.vlines(done["x"], done["low"], done["high"], color=INK, linewidth=1.4, zorder=3)
        for row in done.to_dict("records"):
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
        for row in known.to_dict("records"):
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
    axes.set_xticks([at[place] for place in places], [_wrapped(place, 11) for place in places])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.08, y=0.14)
    axes.set(xlabel=figure.axis, ylabel=metric)
    _legend(axes, table, groups, patches=False)


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
    if table["value"].notna().any():
        colour = INK if patches else FAINT
        handles.append(
            Line2D([], [], color=colour, marker="o", markersize=3, linestyle="", label="one seed")
        )
    if table["low"].notna().any():
        handles.append(Line2D([], [], color=INK, linewidth=1.4, label="95 % interval"))
    if table["published"].notna().any():
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
    if table["floor"].notna().any():
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


def _limits(means: Sequence[float]) -> tuple[float, float]:
    known = [mean for mean in means if not math.isnan(mean)]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _extent(table: pd.DataFrame) -> tuple[float, float]:
    """From zero, or from below it, to the highest thing drawn."""
    known = table[["value", "low", "high", "published", "floor"]]
    low, high = min(0.0, known.min().min()), max(0.0, known.max().max())
    return (low, high) if high > low else (0.0, 1.0)


def _unique(labels: pd.Series) -> list[str]:
    return list(dict.fromkeys(labels))


def _wrapped(label: str, width: int) -> str:
    """At most three lines, broken after a plus where it can; dots stand for what is left out."""
    lines = wrap(label.replace("+", "+ "), width, break_on_hyphens=True) or [label]
    lines = [line.replace("+ ", "+") for line in lines]
    return "\n".join(lines if len(lines) <= 3 else [*lines[:2], lines[2][: width - 1] + "…"])
