"""Marks that all figures share: labels, the paper's diamonds, legends."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from reports.figures.figure_data import ONE
from reports.figures.theme import FAINT, FLOOR, INK, PALETTE, PAPER

WHOLE = 100.0
"""The upper end of a percentage axis."""

NAME_POINTS = 12.5
"""The distance in points of two names at the ends of lines."""

HOLLOW: dict[str, Any] = {"color": PAPER, "marker": "D", "markerfacecolor": "none"}
"""The diamond of the paper's numbers."""

HATCHED: dict[str, Any] = {"fill": False, "hatch": "////", "edgecolor": FAINT, "alpha": 0.45}
"""The place of a cell without a number."""


def label(
    axes: Axes, text: str, at: tuple[float, float], rise: float, size: float, **more: Any
) -> None:
    """Writes text centred `rise` points above a position in the data, or below if `rise` is negative."""
    how = {"color": INK, "fontweight": "bold", "va": "bottom" if rise > 0 else "top", **more}
    axes.annotate(
        text, at, (0, rise), textcoords="offset points", ha="center", fontsize=size, **how
    )


def diamond(axes: Axes, at: tuple[float, float], size: float) -> None:
    """Draws one number of the paper."""
    axes.plot([at[0]], [at[1]], "D", markerfacecolor="none", markeredgecolor=PAPER,
              markeredgewidth=1.6, markersize=size)  # fmt: skip


def colour_of(groups: Sequence[str], group: str) -> str:
    """The colour of a group, the same in the whole figure."""
    return PALETTE[groups.index(group) % len(PALETTE)]


def unique(labels: Iterable[str]) -> list[str]:
    """Each label once, in order."""
    return list(dict.fromkeys(labels))


def end_at_a_hundred(axes: Axes, metric: str) -> None:
    """Reserves the space above 100 % for labels: neither the axis nor its ticks extend there."""
    low, high = axes.get_ylim()
    if metric.endswith("(%)") and high > WHOLE:
        axes.set_yticks([tick for tick in axes.get_yticks() if low <= tick <= WHOLE])
        axes.spines["left"].set_bounds(low, WHOLE)
        axes.set_ylim(low, high)


def series_legend(axes: Axes, table: pd.DataFrame, groups: list[str], *, patches: bool) -> None:
    """The legend of bars (patches) or lines: groups, seeds, intervals, the paper, random encoder."""
    handles: list[Line2D | Patch] = []
    for group in groups if groups != [ONE] else ():
        colour = colour_of(groups, group)
        handles.append(
            Patch(facecolor=colour, alpha=0.55, label=group)
            if patches
            else Line2D([], [], color=colour, linewidth=2, label=group)
        )
    dot = {"color": INK if patches else FAINT, "marker": "o", "markersize": 3, "linestyle": ""}
    paper = {**HOLLOW, "linestyle": "" if patches else "--"}
    for column, text, style in (
        ("value", "one seed", dot),
        ("low", "95 % interval", {"color": INK, "linewidth": 1.4}),
        ("published", "the paper's number", paper),
        ("floor", "random encoder", {"color": FLOOR, "linewidth": 2}),
    ):
        if bool(table[column].notna().any()):
            handles.append(Line2D([], [], label=text, **style))
    legend(axes, handles, 1.02, min(4, len(handles)))


def legend(axes: Axes, handles: Sequence[Line2D | Patch], height: float, columns: int) -> None:
    """A legend above the axes."""
    axes.legend(
        handles=handles,
        loc="lower center",
        bbox_to_anchor=(0.5, height),
        ncols=columns,
        columnspacing=1.4,
        handlelength=1.6,
    )


class End(NamedTuple):
    """The end of a line, with what is written next to it."""

    text: str
    x: float
    y: float
    colour: str


def name_ends(axes: Axes, ends: Iterable[End]) -> None:
    """Writes each line's name to the right of the axes, in the order of their ends and apart.

    A thin line leads from a name to its end, so that no reader has to tell many colours apart. The
    limits of the axes must be set before.
    """
    low, high = axes.get_ylim()
    figure = axes.get_figure(root=True)
    assert figure is not None
    step = NAME_POINTS / (72 * figure.get_figheight() * axes.get_position().height)
    ordered = sorted(ends, key=lambda end: end.y)
    wanted = [(end.y - low) / (high - low) for end in ordered]
    below = -math.inf
    places: list[float] = []
    for want in wanted:
        below = max(want, below + step)
        places.append(below)
    # The highest may have been pushed out of the axes: then they all move down, apart as before.
    limit = max(1.0, step * (len(places) - 1))
    for nth in reversed(range(len(places))):
        places[nth] = min(places[nth], limit)
        limit = places[nth] - step
    for end, place in zip(ordered, places, strict=True):
        line = {
            "arrowstyle": "-",
            "color": end.colour,
            "linewidth": 1.2,
            "shrinkA": 0,
            "shrinkB": 0,
        }
        axes.annotate(
            "", (end.x, end.y), (1.03, place), textcoords="axes fraction", arrowprops=line
        )
        axes.text(
            1.04, place, end.text, transform=axes.transAxes, va="center", fontsize=9.5, color=INK
        )


def paper_small(table: pd.DataFrame, where: str) -> str:
    """The part of a caption that says where the paper's numbers are; empty without any."""
    known = bool(table["published"].notna().any())
    return f", the paper's number in small type {where} it" if known else ""
