"""Heat maps: one square for each cell, in the layout of the paper's figure 5.

Our mean is large, the paper's number small under it, the seeds are dots along the bottom of the square.
A map of ordered pairs ends in a column of row averages, as in the paper; an incomplete row has none,
since the mean of only some cells would mislead.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from reports.figures.figure_data import split, squares
from reports.figures.frame import AXIS
from reports.figures.marks import HATCHED, paper_small
from reports.figures.theme import FLOOR, INK, MAP, wrapped
from reports.spec import Heatmap

NAME = "Heat map"

DARK, LIGHT = "#111111", "#ffffff"
"""Ink on coloured squares, in both themes."""

MOST_STEPS = 20
"""Colours of the bar at most."""

NOISE_SPAN = 10.0
"""Standard deviations over seeds that the colour bar spans at least."""

UNKNOWN_NOISE = 1.0
"""The assumed standard deviation, in the metric's unit, if no cell has two seeds."""

AVERAGE_AFTER = 0.2
"""The gap between the last column and the averages, in widths of a square."""


def table(figure: Heatmap, arms: pd.DataFrame) -> pd.DataFrame:
    """One row for each cell and seed, with the row and column of its square."""
    if figure.axis is None:
        return squares(arms[f"{AXIS}{figure.rows}"], arms[f"{AXIS}{figure.columns}"], arms)
    labels = arms[f"{AXIS}{figure.axis}"].astype(str)
    singles = [label for label in dict.fromkeys(labels) if "+" not in label]
    pairs = [split(label, singles) for label in labels]
    return squares([one for one, _ in pairs], [other for _, other in pairs], arms)


def caption(figure: Heatmap, table: pd.DataFrame) -> str:
    """Explains how to read the figure."""
    texts = [
        (
            f"Each square shows our mean in large type{paper_small(table, 'below')}. The dots along "
            "its bottom edge are the seeds, on the scale of the colour bar, low to high from left to "
            "right."
        )
    ]
    if has_averages(figure, table):
        texts.append(
            "The last column is the mean of each row; ours is shown only if every square has a result."
        )
    texts.append(_about_colours(table))
    floor, drawn = floor_of(table)
    if drawn:
        texts.append(f"The line across the colour bar is the random encoder, {floor:.1f}.")
    elif not math.isnan(floor):
        texts.append(f"The random encoder, {floor:.1f}, is outside the colour bar.")
    return " ".join(texts)


def _about_colours(table: pd.DataFrame) -> str:
    """What one step of colour is, in units of the noise."""
    spread, (deviations, _) = noise(table), steps(table)
    if math.isnan(spread):
        return (
            f"No cell has two seeds, so the noise is unknown; one step of colour is {deviations:g} "
            "points."
        )
    one = "1 standard deviation" if deviations == 1 else f"{deviations:g} standard deviations"
    text = f"One step of colour is {one} over seeds ({spread:.2g}, pooled over the cells)"
    low, high = limits(table)
    if high - low > float(table["mean"].max()) - float(table["mean"].min()):
        text += "; the colours differ little because the cells differ little"
    return f"{text}."


def size(figure: Heatmap, table: pd.DataFrame) -> tuple[float, float]:
    """Width and height in inches for the table."""
    columns = table["column"].nunique() + (1 + AVERAGE_AFTER) * has_averages(figure, table)
    return max(4.5, 0.85 * columns + 2.6), max(2.6, 0.8 * table["row"].nunique() + 1.2)


def has_averages(figure: Heatmap, table: pd.DataFrame) -> bool:
    """Whether a column of averages over the rows is drawn."""
    return figure.axis is not None and len(set(table["column"])) > 1


def averages(table: pd.DataFrame) -> pd.DataFrame:
    """Row label -> mean and published number, averaged over all columns drawn; NaN if one is missing."""
    cells = table.drop_duplicates(["row", "column"])
    whole = cells.groupby("row", sort=False)[["mean", "published"]].mean()
    known = cells.groupby("row", sort=False)[["mean", "published"]].count()
    return whole.where(known == len(set(table["column"])))


def floor_of(table: pd.DataFrame) -> tuple[float, bool]:
    """The random encoder's mean over the arms drawn, and whether it lies on the colour bar."""
    floor = float(table["floor"].mean())
    low, high = limits(table)
    return floor, low <= floor <= high


def draw(figure: Heatmap, table: pd.DataFrame, axes: Axes, metric: str) -> None:
    """Draws the table; `metric` names the colour bar, with its unit."""
    # Imported here: it takes two thirds of a report's import time, and only heat maps need it.
    import seaborn as sns

    order = list(dict.fromkeys([*table["row"], *table["column"]]))
    rows = [label for label in order if label in set(table["row"])]
    columns = [label for label in order if label in set(table["column"])]
    cells = table.drop_duplicates(["row", "column"]).set_index(["row", "column"])
    means = cells.pivot_table(index="row", columns="column", values="mean", dropna=False)
    means = means.reindex(index=rows, columns=columns).astype(float)
    _, edges = steps(table)
    sns.heatmap(
        means,
        ax=axes,
        cmap=MAP,
        norm=BoundaryNorm(edges, colormaps[MAP].N),
        linewidths=1.5,
        linecolor="none",
        square=True,
        cbar_kws={
            "label": metric,
            "shrink": 0.85,
            "pad": 0.03,
            "spacing": "proportional",
            "ticks": MaxNLocator(8),
        },
    )
    _finish_bar(axes, table)
    for y, row in enumerate(rows):
        for x, column in enumerate(columns):
            if (row, column) in cells.index:
                cell = cells.loc[(row, column)]
                _square(axes, (x, y), cell, edges)
                seeds = table[table["cell"] == cell["cell"]]["value"].dropna()
                _dots(axes, (x, y), seeds, cell["mean"], edges)
    places = [i + 0.5 for i in range(len(columns))]
    labels = [wrapped(label, 11) for label in columns]
    if has_averages(figure, table):
        last = len(columns) + AVERAGE_AFTER
        for y, row in enumerate(averages(table).reindex(rows).to_dict("records")):
            _square(axes, (last, y), row, edges, filled=True)
        places, labels = [*places, last + 0.5], [*labels, "average"]
        axes.set_xlim(0, last + 1)
    axes.set_xticks(places, labels, rotation=0)
    axes.set_yticks([i + 0.5 for i in range(len(rows))], [wrapped(r, 14) for r in rows], rotation=0)
    pair = figure.axis is not None
    axes.set(xlabel="2nd operation" if pair else figure.columns)
    axes.set_ylabel("1st operation" if pair else str(figure.rows))
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.xaxis.labelpad = 8
    axes.tick_params(length=0, pad=5)


def _finish_bar(axes: Axes, table: pd.DataFrame) -> None:
    """Draws the random encoder on the colour bar."""
    bar = axes.collections[0].colorbar
    assert bar is not None
    assert bar.solids is not None
    bar.outline.set_visible(False)
    # Otherwise the background shows as hairlines between the steps of the bar.
    bar.solids.set_edgecolor("face")
    floor, drawn = floor_of(table)
    if drawn:
        bar.ax.axhline(floor, color=LIGHT, linewidth=3.5)
        bar.ax.axhline(floor, color=FLOOR, linewidth=2)


def _square(
    axes: Axes,
    corner: tuple[float, float],
    cell: Mapping[str, float],
    edges: Sequence[float],
    *,
    filled: bool = False,
) -> None:
    """Draws the numbers of a square, hatched if our mean is unknown; `filled` also colours it."""
    x, y = corner
    place = _colour_place(cell["mean"], edges)
    known = not math.isnan(place)
    ink = _legible_on(place) if known else INK

    def write(number: float, height: float, size: float, weight: str = "normal") -> None:
        axes.text(x + 0.5, y + height, f"{number:.1f}", ha="center", va="center", color=ink,
                  fontsize=size, fontweight=weight)  # fmt: skip

    if not known:
        axes.add_patch(Rectangle((x + 0.03, y + 0.03), 0.94, 0.94, **HATCHED))
    elif filled:
        axes.add_patch(Rectangle(corner, 1, 1, color=colormaps[MAP](place), linewidth=0))
    if known:
        write(cell["mean"], 0.36, 13, "bold")
    if not math.isnan(cell["published"]):
        write(cell["published"], 0.66, 8.5)


def _dots(
    axes: Axes,
    corner: tuple[float, float],
    seeds: Sequence[float],
    mean: float,
    edges: Sequence[float],
) -> None:
    """Draws one dot for each seed along the bottom of a square, on the colour bar's scale."""
    if math.isnan(mean):
        return
    (x, y), low, high = corner, edges[0], edges[-1]
    ink = _legible_on(_colour_place(mean, edges))
    places = [x + 0.12 + 0.76 * min(max((v - low) / (high - low), 0.0), 1.0) for v in seeds]
    axes.plot(places, [y + 0.87] * len(places), "o", color=ink, markersize=2.6, alpha=0.9)


def _legible_on(place: float) -> str:
    """The ink with the higher contrast (WCAG) on the map's colour at a place from 0 to 1."""
    linear = [
        c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in colormaps[MAP](place)
    ]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return DARK if (luminance + 0.05) ** 2 > 1.05 * 0.0555 else LIGHT


def _colour_place(value: float, edges: Sequence[float]) -> float:
    """The place on the colour map, from 0 to 1, of the step that holds a value; NaN for NaN."""
    if math.isnan(value):
        return math.nan
    step = min(max(bisect_right(edges, value) - 1, 0), len(edges) - 2)
    return step / max(1, len(edges) - 2)


def steps(table: pd.DataFrame) -> tuple[float, list[float]]:
    """The width of a step of colour in standard deviations over seeds, and the edges of all steps.

    A whole number of standard deviations, the least that needs at most MOST_STEPS colours. Where the
    spread is unknown or 0, it is UNKNOWN_NOISE.
    """
    low, high = limits(table)
    spread = noise(table)
    unit = UNKNOWN_NOISE if math.isnan(spread) or spread <= 0 else spread
    deviations = max(1, math.ceil((high - low) / unit / MOST_STEPS - 1e-9))
    count = max(2, math.ceil((high - low) / (deviations * unit) - 1e-9))
    return deviations, [low + nth * deviations * unit for nth in range(count + 1)]


def noise(table: pd.DataFrame) -> float:
    """The standard deviation over seeds, pooled over the cells; NaN where no cell has two seeds."""
    each = table.dropna(subset=["value"]).groupby("cell")["value"]
    degrees = float((each.count() - 1).sum())
    squares = float((each.var(ddof=0) * each.count()).sum())
    return math.sqrt(squares / degrees) if degrees else math.nan


def limits(table: pd.DataFrame) -> tuple[float, float]:
    """The range of the colour bar: the means, and at least NOISE_SPAN times the noise.

    Otherwise the colours would suggest differences that are within the noise. Unknown noise is
    UNKNOWN_NOISE.
    """
    known = table["mean"].dropna()
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    spread = noise(table)
    least = NOISE_SPAN * (UNKNOWN_NOISE if math.isnan(spread) else spread)
    if high - low >= least and high > low:
        return low, high
    middle, half = (low + high) / 2, max(least, 1e-6) / 2
    return middle - half, middle + half
