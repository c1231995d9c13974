"""Figures as reproducible SVG text that can be embedded in a page and refers to no host.

The kinds of figures are modules of this folder, each named like its `kind`, with a `NAME` for readers
and four functions: `table` (see `reports.figures.figure_data`), `size`, `draw` and `caption`.

Prolog, metadata, style sheet and namespaces of matplotlib's output are removed (HTML needs none;
`reports.document.pdf_file` restores the namespace), and every id gets the figure's prefix.
"""

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import NamedTuple

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font

from reports.comparing import CellDifference, Side, common_arms
from reports.figures import bars, claim_seeds, curves, forest, gallery, side_curves
from reports.figures.figure_data import arms_on
from reports.figures.theme import STYLE
from reports.judging import Outcome, Verdict
from reports.spec import AnyFigure, Bars, MarginalMeans, ViewsStrip

STRIPPED = (
    r"<\?xml.*?\?>",
    r"<!DOCTYPE.*?>",
    r"<metadata>.*?</metadata>",
    r"<style[^>]*>.*?</style>",
    r"<!--.*?-->",
    r'\sxmlns(:xlink)?="[^"]*"',
)
"""Patterns that are removed; `.` matches line breaks."""


class Rendered(NamedTuple):
    """One finished figure."""

    ident: str
    title: str
    caption: str
    alt: str
    """Describes the figure in words."""
    svg: str
    """The SVG text without namespaces; ids begin with `ident`."""


def render(figure: AnyFigure, frame: pd.DataFrame, ident: str, metric: str) -> Rendered | None:
    """Renders the figure; None if no arm has a level on its axes."""
    table = values(figure, frame)
    if table.empty:
        return None
    kind, part = kind_of(figure), bars.legible(table) if isinstance(figure, Bars) else table
    size, shown = kind.size(figure, part), _drawable(part)
    svg = _svg(ident, size, lambda axes: kind.draw(figure, shown, axes, metric))
    caption = _caption(figure, table) if part is table else _caption_of_some(figure, table, part)
    return Rendered(ident, figure.title, caption, _alt(figure, table, metric), svg)


def render_forest(verdicts: Sequence[Verdict], ident: str, unit: str) -> Rendered | None:
    """Renders the paired differences of all claims; None before any claim has a paired seed."""
    table = forest.values(verdicts)
    if table.empty:
        return None
    shown = _drawable(table)
    svg = _svg(ident, forest.size(table), lambda axes: forest.draw(shown, axes, unit))
    text = "; ".join(
        f"{row['claim']}: {row['mean']:+.1f} from {row['n']} seeds"
        for row in table.drop_duplicates("claim").to_dict("records")
    )
    alike = bool(table["lower_margin"].notna().any())
    ends = (
        " Ticks on both sides of 0 are the two ends of a margin of equivalence; its difference is that "
        "of the pair of cells that decides."
    )
    return Rendered(
        ident,
        "Paired differences",
        "Every dot is one seed, shared by all cells of a difference. Whiskers show the interval, "
        "at the level printed under the claim's name, over the seeds of the look that judged the claim. "
        "Before a look, and for exploratory claims, it is a 95 % interval over all paired seeds."
        + (ends if alike else ""),
        f"Paired differences by claim. {text}.",
        svg,
    )


def render_claim(
    verdict: Verdict, numbers: Mapping[str, Mapping[int, float]], ident: str, metric: str, unit: str
) -> Rendered | None:
    """Renders every seed of a claim; None before any seed has all of its cells.

    `numbers`: cell -> seed -> the metric, which `metric` names with its unit; `unit` is that of the
    tested number.
    """
    table = claim_seeds.values(verdict, numbers)
    if table.empty or not verdict.seeds:
        return None
    shown = _drawable(table)
    svg = _svg_of(
        ident,
        claim_seeds.size(verdict),
        lambda figure: claim_seeds.draw(figure, verdict, shown, metric, unit),
    )
    means = "; ".join(
        f"{cell} {mean:.1f}"
        for cell, mean in table.groupby("cell", sort=False)["value"].mean().items()
    )
    alt = f"All seeds of the claim {verdict.claim.name}. Means by cell: {means}."
    return Rendered(ident, "Every seed", claim_seeds.caption(verdict), alt, svg)


def render_curves(found: Sequence[Outcome]) -> Iterator[Rendered]:
    """Renders the learning curves of the arms, one figure for each metric that they recorded."""
    for column, metric in curves.METRICS.items():
        table = curves.values(found, column)
        if table.empty:
            continue
        shown = _drawable(table)
        ident = f"curve-{column.partition('/')[0].replace('_', '-')}"
        ends = table.groupby("arm", sort=False).last()["mean"]
        last = "; ".join(f"{arm} {mean:.3g}" for arm, mean in ends.items())
        yield Rendered(
            ident,
            f"{metric[:1].upper()}{metric[1:]} over pre-training",
            curves.caption(table),
            f"Learning curves of {metric} for {len(ends)} arms. At the end: {last}.",
            _svg_of(ident, curves.size(table), partial(curves.draw, table=shown, metric=metric)),
        )


def render_gallery(strips: Sequence[ViewsStrip]) -> Iterator[Rendered]:
    """Renders what the augmentations of the arms do, in as many figures as they need."""
    for nth, some in enumerate(gallery.parts(strips), 1):
        names = [gallery.names(strip) for strip in some]
        labels = _drawable(pd.DataFrame({"name": names}))["name"].tolist()
        yield Rendered(
            f"gallery{nth}",
            "What the augmentations do" + (", continued" if nth > 1 else ""),
            "Each row is one arm, or several with the same views. Of four training images, evenly "
            "spaced, it shows the image as probes see it, then its views in the first epoch of seed "
            f"{some[0].seed}, as the trial drew them.",
            f"Four training images and their views for {len(some)} sets of arms: {'; '.join(names)}.",
            _svg_of(
                f"gallery{nth}",
                gallery.size(some),
                partial(gallery.draw, strips=some, labels=labels),
            ),
        )


def render_differences(
    differences: Sequence[CellDifference], ident: str, unit: str, first: str
) -> Rendered | None:
    """Renders the differences of a comparison from its first side; None if there is none."""
    table = forest.of_sides(differences)
    if table.empty:
        return None
    shown, what = _drawable(table), f"difference from {first}"
    svg = _svg(ident, forest.size(table), lambda axes: forest.draw(shown, axes, unit, what))
    text = "; ".join(
        f"{row['claim']}: {row['mean']:+.1f}"
        for row in table.drop_duplicates("claim").to_dict("records")
    )
    return Rendered(
        ident,
        f"Differences from {first}",
        "Every dot is one seed that both sides have; differences without dots are not paired. Whiskers "
        "show the interval at the level printed under the name, for one cell alone.",
        f"Differences from {first} by cell. {text}.",
        svg,
    )


def render_side_curves(
    sides: Sequence[Side], metric: str, ident: str, caption: str
) -> Rendered | None:
    """Renders the curves of the arms that sides share; None if no arm has two sides' curves."""
    table = side_curves.values(sides, metric)
    if table.empty:
        return None
    shown, name = _drawable(table), curves.METRICS[metric]
    svg = _svg_of(
        ident, side_curves.size(table), lambda figure: side_curves.draw(shown, figure, name)
    )
    arms, shared = len(set(table["arm"])), len(common_arms(sides))
    some = f" {arms} of {shared} shared arms." if arms < shared else ""
    ends = table[table["step"] == table["step"].max()]
    means = ends.groupby(["arm", "side"], sort=False)["value"].mean().reset_index()
    text = "; ".join(
        f"{row['arm']}, {row['side']}: {row['value']:.2f}" for row in means.to_dict("records")
    )
    return Rendered(
        ident,
        f"{name[0].upper()}{name[1:]}, by optimiser step",
        "A thin line is one seed; a thick one is the mean where every seed of a side has a value."
        f"{some}{caption}",
        f"{name} by optimiser step; at the last step: {text}.",
        svg,
    )


def kind_of(figure: AnyFigure) -> ModuleType:
    """The module that draws a figure."""
    return import_module(f"reports.figures.{figure.kind}")


def values(figure: AnyFigure, frame: pd.DataFrame) -> pd.DataFrame:
    """The figure's table; empty where no arm has a level on each of its axes."""
    arms = arms_on(figure.axes(), frame)
    return arms if arms.empty else kind_of(figure).table(figure, arms)


def _svg(ident: str, size: tuple[float, float], draw: Callable[[Axes], None]) -> str:
    """A figure with one pair of axes."""
    return _svg_of(ident, size, lambda figure: draw(figure.add_subplot()))


def _svg_of(ident: str, size: tuple[float, float], draw: Callable[[Figure], None]) -> str:
    target = io.StringIO()
    with mpl.rc_context(STYLE):
        canvas = FigureCanvasSVG(Figure(figsize=size))
        draw(canvas.figure)
        canvas.figure.savefig(
            target, format="svg", bbox_inches="tight", pad_inches=0.05, metadata={"Date": None}
        )
    text = target.getvalue()
    for pattern in STRIPPED:
        text = re.sub(pattern, "", text, flags=re.DOTALL)
    text = text.replace("xlink:href", "href")
    text = re.sub(r'\bid="', f'id="{ident}-', text)
    text = re.sub(r'href="#', f'href="#{ident}-', text)
    text = re.sub(r"url\(#", f"url(#{ident}-", text)
    # Joins and caps of strokes were set by the style sheet that was removed.
    text = text.replace("<svg ", '<svg stroke-linejoin="round" stroke-linecap="butt" ', 1)
    return re.sub(r"\n\s*", "\n", text).strip()


def _caption(figure: AnyFigure, table: pd.DataFrame) -> str:
    own = kind_of(figure).caption(figure, table)
    missing = _without_result(table)
    # Marginal means draw nothing where they have no mean.
    if not missing or isinstance(figure, MarginalMeans):
        return own
    return f"{own} {_cells_are(missing)} hatched."


def _caption_of_some(figure: AnyFigure, table: pd.DataFrame, part: pd.DataFrame) -> str:
    """Where the cells of `part` are drawn and those of `table` are more."""
    own, every = kind_of(figure).caption(figure, part), len(table["cell"].unique())
    drawn, missing = len(part["cell"].unique()), _without_result(table)
    of, end = f"Of {every:,} cells", "; the results by cell list all."
    if missing == every:
        return f"{own} {of}, none has a result yet; the first {drawn} are hatched{end}"
    if drawn < every - missing:
        which = f"the {drawn} with the highest means are"
    else:
        which = "the one with a result is" if drawn == 1 else f"the {drawn} with a result are"
    lost = f" {_cells_are(missing)} not drawn." if missing else ""
    return f"{own} {of}, {which} drawn{end}{lost}"


def _without_result(table: pd.DataFrame) -> int:
    return int(table.drop_duplicates("cell")["mean"].isna().sum())


def _cells_are(missing: int) -> str:
    number, are = ("1 cell", "is") if missing == 1 else (f"{missing:,} cells", "are")
    return f"{number} without a result yet {are}"


def _alt(figure: AnyFigure, table: pd.DataFrame, metric: str) -> str:
    cells = table.drop_duplicates("cell")
    kind = kind_of(figure).NAME
    known = cells.dropna(subset=["mean"]).sort_values("mean", ascending=False, kind="stable")
    if known.empty:
        return f"{kind} of {metric}: {len(cells)} cells, none with a result yet."
    named = known if len(known) <= 8 else pd.concat([known.head(3), known.tail(3)])
    numbers = "; ".join(
        f"{row['cell']} {row['mean']:.1f}"
        + ("" if pd.isna(row["published"]) else f" (paper {row['published']:.1f})")
        for row in named.to_dict("records")
    )
    which = "from the highest" if len(known) <= 8 else "the three highest and three lowest"
    return f"{kind} of {metric} over {len(cells)} cells, {which}: {numbers}."


def _drawable(table: pd.DataFrame) -> pd.DataFrame:
    """Replaces characters without a glyph in the figures' font by a white square."""
    glyphs = FT2Font(mpl.font_manager.findfont("DejaVu Sans")).get_charmap()

    def legible(text: object) -> object:
        if not isinstance(text, str):
            return text
        return "".join(c if ord(c) in glyphs or c == "\n" else "□" for c in text)

    texts = [column for column in table if not pd.api.types.is_numeric_dtype(table[column])]
    return table.assign(**{column: table[column].map(legible) for column in texts})
