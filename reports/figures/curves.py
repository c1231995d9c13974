"""Learning curves: a recorded metric over pre-training, with the range over seeds as a band.

Up to FEW arms share one pair of axes, each named at the end of its line. More arms get a panel each, in
which all others are thin grey lines.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from reports.figures.marks import End, colour_of, name_ends, unique
from reports.figures.theme import BLUE, FAINT, INK, wrapped
from reports.judging import Outcome

FloatArray = NDArray[np.float64]

METRICS = {
    "loss": "loss (nats)",
    "contrastive_accuracy": "contrastive accuracy (share)",
    "knn/validation": "nearest neighbours, validation (%)",
}
"""Column of a record's curve -> its name; drawn in this order."""

BINS = 40
"""Parts of training over which a seed's values are averaged: single steps are noisy."""

FEW = 5
"""Arms that share one pair of axes."""

MOST_PANELS = 12
ACROSS = 4


def values(found: Sequence[Outcome], column: str) -> pd.DataFrame:
    """One row for each arm and part of training, in the study's order of arms.

    `epoch` is the end of the part; `mean`, `low` and `high` are taken over seeds, n of them, of each
    seed's average within the part, over at most `logged` steps.
    """
    arms, seeds = list[str](), list[int]()
    epochs, measured = [np.empty(0)], [np.empty(0)]
    for one in found:
        ends, numbers = _points(one, column)
        arms += [one.cell.name] * len(ends)
        seeds += [one.trial.seed] * len(ends)
        epochs.append(ends)
        measured.append(numbers)
    points = pd.DataFrame(
        {
            "arm": arms,
            "seed": seeds,
            "epoch": np.concatenate(epochs),
            "value": np.concatenate(measured),
        }
    )
    by_seed = points.groupby(["arm", "seed", "epoch"], sort=False)["value"].agg(["mean", "count"])
    each = by_seed.reset_index().groupby(["arm", "epoch"], sort=False)
    means, logged = each["mean"], each["count"].max()
    frame = pd.DataFrame(
        {
            "mean": means.mean(),
            "low": means.min(),
            "high": means.max(),
            "n": means.count(),
            "logged": logged,
        }
    ).reset_index()
    epochs = frame["epoch"].tolist()
    order = sorted(range(len(epochs)), key=epochs.__getitem__)
    return frame.iloc[order].reset_index(drop=True)


def _points(one: Outcome, column: str) -> tuple[FloatArray, FloatArray]:
    """The ends of parts of training, in epochs, and the finite values in them, of one trial of an arm."""
    nothing = np.empty(0), np.empty(0)
    if one.cell.role != "arm" or one.record is None:
        return nothing
    curve: Mapping[str, Sequence[float | None]] = one.record.curve
    logged = curve.get("step", ())
    last = one.facts.optimiser_steps or max(filter(None, logged), default=0)
    epochs = one.record.config.get("epochs")
    if not last or not epochs:
        return nothing
    length = min(len(logged), len(curve.get(column, ())))
    # None becomes NaN.
    steps = np.array(logged[:length], float)
    numbers = np.array(curve.get(column, ())[:length], float)
    known = np.isfinite(steps) & np.isfinite(numbers)
    parts = np.minimum(np.ceil(steps[known] / last * BINS), BINS)
    return parts / BINS * epochs, numbers[known]


def chosen(table: pd.DataFrame) -> list[str]:
    """The arms that are drawn: all, or of too many those that end highest and lowest."""
    arms = unique(table["arm"])
    if len(arms) <= MOST_PANELS:
        return arms
    ends = dict(zip(table["arm"], table["mean"], strict=True))  # the last of each arm
    ranked = sorted(arms, key=lambda arm: ends[arm])
    half = MOST_PANELS // 2
    some = {*ranked[:half], *ranked[-half:]}
    return [arm for arm in arms if arm in some]


def size(table: pd.DataFrame) -> tuple[float, float]:
    """Width and height in inches."""
    arms = len(chosen(table))
    if arms <= FEW:
        return 8.2, 3.6
    return 9.4, 0.9 + 1.75 * math.ceil(arms / ACROSS)


def caption(table: pd.DataFrame) -> str:
    """Explains how to read the figure."""
    arms = len(unique(table["arm"]))
    seeds = max(int(n) for n in table["n"].tolist())
    band = (
        f"The band is the range over up to {seeds} seeds, the line their mean"
        if seeds > 1
        else "There is one seed, so no band"
    )
    averaged = max(table["logged"].tolist()) > 1
    point = f"an average over 1/{BINS} of training" if averaged else "one logged step of each seed"
    text = f"{band}; each point is {point}."
    if len(chosen(table)) > FEW:
        text += " Each panel shows one arm; the grey lines are the others."
    if arms > MOST_PANELS:
        text += f" Of {arms} arms those {MOST_PANELS} are drawn that end highest and lowest."
    return text


def draw(figure: Figure, table: pd.DataFrame, metric: str) -> None:
    """Draws the table; `metric` names the axis of values, with its unit."""
    arms = chosen(table)
    table = pd.DataFrame(table[table["arm"].isin(arms)])
    low, high = float(table["low"].min()), float(table["high"].max())
    reach = (high - low) or 1.0
    limits = (low - 0.05 * reach, high + 0.05 * reach)
    if len(arms) <= FEW:
        _together(figure.add_subplot(), table, arms, metric, limits)
    else:
        _apart(figure, table, arms, metric, limits)


def _together(
    axes: Axes, table: pd.DataFrame, arms: list[str], metric: str, limits: tuple[float, float]
) -> None:
    for arm in arms:
        _line(axes, table[table["arm"] == arm], colour_of(arms, arm))
    axes.set_ylim(*limits)
    axes.set_xlim(0, float(table["epoch"].max()))
    axes.set(xlabel="epoch", ylabel=metric)
    ends = table.groupby("arm", sort=False).last().reset_index().to_dict("records")
    name_ends(
        axes,
        [
            End(
                f"{row['arm']}  {row['mean']:.3g}",
                row["epoch"],
                row["mean"],
                colour_of(arms, row["arm"]),
            )
            for row in ends
        ],
    )


def _apart(
    figure: Figure,
    table: pd.DataFrame,
    arms: list[str],
    metric: str,
    limits: tuple[float, float],
) -> None:
    rows = dict(list(table.groupby("arm", sort=False)))
    down = math.ceil(len(arms) / ACROSS)
    grid = figure.subplots(down, ACROSS, sharex=True, sharey=True, squeeze=False)
    figure.subplots_adjust(wspace=0.12, hspace=0.45)
    for nth, axes in enumerate(grid.flat):
        if nth >= len(arms):
            axes.set_axis_off()
            grid[nth // ACROSS - 1][nth % ACROSS].tick_params(labelbottom=True)
            continue
        for other in arms:
            curve = rows[other]
            axes.plot(curve["epoch"], curve["mean"], color=FAINT, linewidth=0.5, alpha=0.5)
        _line(axes, rows[arms[nth]], BLUE)
        axes.set_title(wrapped(arms[nth], 24), fontsize=9, loc="left", color=INK)
        axes.set_ylim(*limits)
    figure.supxlabel("epoch", fontsize=10, color=INK)
    figure.supylabel(metric, fontsize=10, color=INK)


def _line(axes: Axes, rows: pd.DataFrame, colour: str) -> None:
    axes.fill_between(
        rows["epoch"], rows["low"], rows["high"], color=colour, alpha=0.22, linewidth=0
    )
    axes.plot(rows["epoch"], rows["mean"], color=colour, linewidth=1.8)
