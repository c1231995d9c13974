"""Training curves of the sides of a comparison, one over the other: one panel for each arm."""

import math
from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.comparing import Side, common_arms
from reports.figures.marks import colour_of, unique
from reports.figures.theme import wrapped

MOST_ARMS = 6
"""How many arms are drawn, in the order of the study."""

COLUMNS = ("arm", "side", "seed", "step", "value")

STYLES = ("-", "--", ":", "-.")
"""Of the sides in order, so that they can be distinguished without colour."""


def values(sides: Sequence[Side], metric: str) -> pd.DataFrame:
    """One row for each known value at a step, of the first arms that two sides have a curve of."""
    rows: list[tuple[object, ...]] = []
    for arm in common_arms(sides):
        for side in sides:
            for seed, one in side.numbers.get(arm, {}).items():
                curve = one.record.curve if one.record else {}
                pairs = zip(curve.get("step", []), curve.get(metric, []), strict=False)
                rows += [(arm, side.name, seed, step, value) for step, value in pairs]
    table = pd.DataFrame(rows, columns=list(COLUMNS)).dropna(subset=["step", "value"])
    if table.empty:
        return table
    sides_of = {arm: set(own["side"]) for arm, own in table.groupby("arm")}
    arms = [arm for arm in unique(table["arm"]) if len(sides_of[arm]) > 1]
    return table[table["arm"].isin(arms[:MOST_ARMS])]


def size(table: pd.DataFrame) -> tuple[float, float]:
    """Width and height in inches for the table."""
    columns, rows = _grid(table)
    return 8.6, 0.8 + 2.4 * rows if columns > 1 else 3.6


def draw(table: pd.DataFrame, figure: Figure, metric: str) -> None:
    """Draws every seed thinly, and the mean over a side's seeds where all have a value."""
    figure.set_layout_engine("constrained")
    columns, rows = _grid(table)
    arms, sides = unique(table["arm"]), unique(table["side"])
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flatten()
    for arm, axes in zip(arms, panels, strict=False):
        _panel(axes, table[table["arm"] == arm], sides)
        axes.set_title(wrapped(arm, 34), fontsize=10)
    for axes in panels[len(arms) :]:
        axes.set_visible(False)
    for axes in panels[: len(arms)]:
        axes.tick_params(labelbottom=True)
    figure.supxlabel("optimiser step", fontsize=10)
    figure.supylabel(metric, fontsize=10)
    handles = [
        Line2D([], [], color=colour_of(sides, one), linestyle=_style(sides, one), label=one)
        for one in sides
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=min(3, len(handles)))


def _panel(axes: Axes, table: pd.DataFrame, sides: Sequence[str]) -> None:
    for side in sides:
        own, colour = table[table["side"] == side], colour_of(sides, side)
        seeds = len(set(own["seed"]))
        for _, line in own.groupby("seed"):
            axes.plot(line["step"], line["value"], color=colour, linewidth=0.7, alpha=0.4)
        steps = own.groupby("step")["value"].agg(["mean", "size"])
        whole = steps[steps["size"] == seeds]
        axes.plot(
            whole.index, whole["mean"], color=colour, linewidth=2, linestyle=_style(sides, side)
        )


def _style(sides: Sequence[str], side: str) -> str:
    return STYLES[sides.index(side) % len(STYLES)]


def _grid(table: pd.DataFrame) -> tuple[int, int]:
    """Columns and rows of panels."""
    arms = len(set(table["arm"]))
    columns = 1 if arms == 1 else 2
    return columns, math.ceil(arms / columns)
