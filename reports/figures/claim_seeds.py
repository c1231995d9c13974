"""Every seed of one claim: the values of its cells, and the number that is tested.

On the left a line joins a seed's values over the claim's cells; bars are means. On the right each seed
has its number, with the mean, the interval and the margin of the claim. A claim about ranks is a scatter
plot of ours against the paper's numbers.
"""

import math
from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.figures.marks import diamond, label, unique
from reports.figures.theme import BLUE, FAINT, INK, wrapped
from reports.judging import Verdict
from reports.spec import Equivalent, RanksLike

COLUMNS = ("cell", "published", "seed", "value")

MOST_CELLS = 8
"""Cells up to which each has a place of its own along the bottom."""


def values(verdict: Verdict, numbers: Mapping[str, Mapping[int, float]]) -> pd.DataFrame:
    """One row for each cell of the claim and seed, in the claim's order of cells."""
    rows = [
        (cell, math.nan if published is None else published, seed, numbers[cell][seed])
        for cell, published in zip(verdict.cells, verdict.published_cells, strict=True)
        for seed in sorted(numbers.get(cell, {}))
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def size(verdict: Verdict) -> tuple[float, float]:
    """Width and height in inches."""
    return (5.2, 3.4) if isinstance(verdict.claim, RanksLike) else (8.6, 2.9)


def caption(verdict: Verdict) -> str:
    """Explains how to read the figure."""
    if isinstance(verdict.claim, RanksLike):
        return "Every small dot is one seed of one cell, every square its mean, against the paper's number."
    many = len(verdict.cells) > MOST_CELLS
    left = (
        "Left: every seed of every cell, with means as bars"
        if many
        else "Left: the values of each cell; a line joins those of one seed, bars are means"
    )
    later = "" if verdict.look is None else ", hollow if the look that judged did not use it"
    paper = "" if verdict.published is None else "; the diamond is the paper's"
    margin = "both ends of the margin" if isinstance(verdict.claim, Equivalent) else "the margin"
    return (
        f"{left}. Right: what is tested, a dot for each seed{later}; the line is the mean, the band its "
        f"interval, the dashed line {margin}{paper}."
    )


def draw(figure: Figure, verdict: Verdict, table: pd.DataFrame, metric: str, unit: str) -> None:
    """Draws the table and the verdict's number of each seed."""
    if isinstance(verdict.claim, RanksLike):
        _ranks(figure.add_subplot(), table, metric)
        return
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    figure.subplots_adjust(wspace=0.28)
    _cells(left, table, metric)
    _tested(right, verdict, unit)


def _cells(axes: Axes, table: pd.DataFrame, metric: str) -> None:
    cells = unique(table["cell"])
    at = {cell: place for place, cell in enumerate(cells)}
    table = table.assign(x=table["cell"].map(at))
    joined = len(cells) <= MOST_CELLS
    for _, own in table.groupby("seed"):
        rows = own.sort_values("x")
        axes.plot(rows["x"], rows["value"], "o-" if joined else "o", color=BLUE, linewidth=0.9,
                  markersize=3.5, alpha=0.55, markeredgewidth=0)  # fmt: skip
    for cell, own in table.groupby("cell"):
        axes.plot([at[str(cell)] - 0.22, at[str(cell)] + 0.22], [own["value"].mean()] * 2, color=INK,
                  linewidth=2.4, zorder=3)  # fmt: skip
    if joined:
        axes.set_xticks(range(len(cells)), [wrapped(cell, 14) for cell in cells])
    else:
        axes.set_xticks([])
        axes.set_xlabel(f"{len(cells)} cells, in the claim's order")
    axes.set_xlim(-0.5, len(cells) - 0.5)
    axes.margins(y=0.12)
    axes.set_ylabel(wrapped(metric, 24))


def _tested(axes: Axes, verdict: Verdict, unit: str) -> None:
    shown, claim = verdict.shown, verdict.claim
    used = [verdict.look is None or seed < verdict.look for seed in verdict.seeds]
    for seed, value, counts in zip(verdict.seeds, verdict.per_seed, used, strict=True):
        axes.plot([seed], [value], "o", color=BLUE, markersize=5.5,
                  markerfacecolor=BLUE if counts else "none")  # fmt: skip
    low, high = min(verdict.seeds) - 0.6, max(verdict.seeds) + 0.6
    if not math.isnan(shown.low):
        axes.fill_between([low, high], shown.low, shown.high, color=BLUE, alpha=0.15, linewidth=0)
    axes.plot([low, high], [shown.mean] * 2, color=INK, linewidth=1.8)
    ends = (-claim.margin, claim.margin) if isinstance(claim, Equivalent) else (claim.margin,)
    for end in ends:
        axes.plot([low, high], [end] * 2, color=FAINT, linewidth=1.4, linestyle="--")
    if verdict.published is not None:
        diamond(axes, (high, verdict.published), 7)
    axes.set_xlim(low, high + 0.25 * (verdict.published is not None))
    axes.set_xticks(_some(verdict.seeds))
    axes.margins(y=0.12)
    axes.set_xlabel("seed")
    axes.set_ylabel(f"{'slope' if claim.per_step else 'difference'}, {unit}")


def _some(seeds: Sequence[int]) -> list[int]:
    """All seeds, or about ten of many."""
    return list(seeds[:: max(1, len(seeds) // 10)])


def _ranks(axes: Axes, table: pd.DataFrame, metric: str) -> None:
    by_cell = table.groupby("cell", sort=False)
    means = pd.DataFrame({name: by_cell[name].mean() for name in ("published", "value")})
    axes.plot(table["published"], table["value"], "o", color=BLUE, markersize=3, alpha=0.45,
              markeredgewidth=0)  # fmt: skip
    axes.plot(means["published"], means["value"], "s", color=INK, markersize=4.5)
    if len(means) <= MOST_CELLS:
        for row in means.reset_index().to_dict("records"):
            at = (row["published"], row["value"])
            label(axes, row["cell"], at, 6, 8.5, fontweight="normal")
    axes.margins(0.12)
    axes.set_xlabel("the paper's number")
    axes.set_ylabel(wrapped(f"ours: {metric}", 30))
