"""Paired differences: one line for each claim with one number per seed, and one dot for each seed."""

import math
from collections.abc import Sequence
from textwrap import fill

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from reports.comparing import CellDifference
from reports.figures.marks import HOLLOW, diamond, label, legend
from reports.figures.theme import FAINT, INK, PALETTE
from reports.judging import Verdict, percent
from reports.spec import Equivalent, RanksLike

COLUMNS = (
    *("claim", "seed", "value", "mean", "low", "high", "n", "level"),
    *("margin", "lower_margin", "published", "per_step"),
)


def values(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """One row for each claim and paired seed; the interval is the claim's, at its level.

    `lower_margin` is the other end of an equivalence's margin, NaN for other claims.
    """
    rows = [
        (
            verdict.claim.name,
            seed,
            value,
            *(verdict.shown.mean, verdict.shown.low, verdict.shown.high, verdict.shown.n),
            percent(verdict.shown.level),
            verdict.claim.margin,
            -verdict.claim.margin if isinstance(verdict.claim, Equivalent) else math.nan,
            math.nan if verdict.published is None else verdict.published,
            verdict.claim.per_step,
        )
        for verdict in verdicts
        if not isinstance(verdict.claim, RanksLike)
        for seed, value in zip(verdict.seeds, verdict.per_seed, strict=True)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def size(table: pd.DataFrame) -> tuple[float, float]:
    """Width and height in inches for the table."""
    return 8.6, 1.5 + 0.75 * table["claim"].nunique()


def of_sides(differences: Sequence[CellDifference]) -> pd.DataFrame:
    """One row for each cell, side and shared seed of a comparison; one without a seed if unpaired."""
    several = len({one.side for one in differences}) > 1
    rows = [
        (
            f"{one.cell}, {one.side}" if several else one.cell,
            seed,
            value,
            *(one.shown.mean, one.shown.low, one.shown.high, one.shown.n, percent(one.shown.level)),
            *[math.nan] * 3,
            False,
        )
        for one in differences
        if math.isfinite(one.shown.mean)
        for seed, value in zip(
            one.seeds if one.per_seed else (math.nan,), one.per_seed or (math.nan,), strict=True
        )
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def draw(table: pd.DataFrame, axes: Axes, unit: str, what: str = "paired difference") -> None:
    """Draws the table; the paper's difference is a hollow diamond, the margin a tick."""
    claims = list(dict.fromkeys(table["claim"]))
    low = min(0.0, table[["value", "low", "published", "margin", "lower_margin"]].min().min())
    high = max(0.0, table[["value", "high", "published", "margin"]].max().max())
    axes.axvline(0, color=FAINT, linewidth=1)
    for place, claim in enumerate(claims):
        _line(axes, place, table[table["claim"] == claim])
    reach = (high - low) or 1.0
    axes.set_xlim(low - 0.08 * reach, high + 0.08 * reach)
    axes.set_ylim(len(claims) - 0.5, -0.65)
    levels = [str(table.loc[table["claim"] == claim, "level"].iloc[0]) for claim in claims]
    names = [f"{fill(claim, 26)}\n{level}" for claim, level in zip(claims, levels, strict=True)]
    axes.set_yticks(range(len(claims)), names)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    step = " (slopes: per step)" if bool(table["per_step"].any()) else ""
    points = "percentage points" if unit == "%" else unit
    axes.set_xlabel(f"{what}, {points}{step}")
    handles = [
        Line2D([], [], color=PALETTE[0], marker="o", linestyle="", markersize=4, label="one seed"),
        Line2D([], [], color=INK, marker="s", linewidth=1.8, label="mean and interval at the level "
                                                                   "shown"),
    ]  # fmt: skip
    if bool(table["margin"].notna().any()):
        margin = {"color": FAINT, "marker": "|", "linestyle": "", "markersize": 10}
        handles.append(Line2D([], [], label="margin", **margin))
    if bool(table["published"].notna().any()):
        handles.append(Line2D([], [], linestyle="", label="the paper's difference", **HOLLOW))
    legend(axes, handles, 1.0, len(handles))


def _line(axes: Axes, place: int, rows: pd.DataFrame) -> None:
    """Draws one claim: its seeds, and below them the mean, interval and margin."""
    first = rows.iloc[0]
    axes.plot(rows["value"], [place + 0.2] * len(rows), "o", color=PALETTE[0], markersize=4,
              alpha=0.7, markeredgewidth=0)  # fmt: skip
    if not math.isnan(first["low"]):
        axes.plot([first["low"], first["high"]], [place] * 2, color=INK, linewidth=1.8)
    axes.plot([first["mean"]], [place], "s", color=INK, markersize=6)
    for end in (first["margin"], first["lower_margin"]):
        axes.plot([end] * 2, [place - 0.2, place + 0.2], color=FAINT, linewidth=1.8)
    label(axes, f"{first['mean']:+.1f}", (first["mean"], place), 6, 11)
    if not math.isnan(first["published"]):
        diamond(axes, (first["published"], place), 7)
