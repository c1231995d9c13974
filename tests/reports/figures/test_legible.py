"""What a reader can make out: labels apart, axes that end where the unit does, letters that exist."""

import random
from typing import Any

import numpy as np
import pytest
from made_evidence import beats, evidence
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from pypdf import PdfReader

from reports.document.blocks import Cell, Column, Document, Section, Table
from reports.document.html_page import html
from reports.document.pdf_file import MOST_ROWS, pdf, without_glyph
from reports.document.sections import document
from reports.figures import heatmap
from reports.figures.bars import MOST, legible
from reports.figures.frame import tidy
from reports.figures.svg import kind_of, render, values
from reports.spec import Bars, Evidence, Heatmap, Lines, MarginalMeans
from reports.write import write_reports

ODD = "日本 🦆"
RAW = "\x1b[31mred\x07\u202e"


def grid(spread: float, *, losses: int = 3, seeds: int = 5, base: float = 92.0) -> Evidence:
    """Losses by batch sizes; means rise by 1.6 points a step, losses lie 0.5 points apart."""
    chance = random.Random(3)
    cells = {
        (f"loss {place}", batch): [
            base + 0.5 * place + 1.6 * step + chance.gauss(0, spread) for _ in range(seeds)
        ]
        for place in range(losses)
        for step, batch in enumerate(("64", "128", "256"))
    }
    return evidence(
        {f"{loss} {batch}": column for (loss, batch), column in cells.items()},
        cells={
            f"{loss} {batch}": {"levels": {"loss": loss, "batch": batch}, "published": 60.0}
            for loss, batch in cells
        },
        floor=[60.0, 61.0, 60.5],
    )


def on_axes(figure: Any, made: Evidence) -> Any:
    """The figure drawn, with a canvas that knows where each letter is."""
    table = values(figure, tidy(made))
    canvas = FigureCanvasAgg(Figure(figsize=kind_of(figure).size(figure, table)))
    axes = canvas.figure.add_subplot()
    kind_of(figure).draw(figure, table, axes, "linear probe, top-1 (%)")
    canvas.draw()
    return axes


def test_of_more_bars_than_fit_those_with_the_highest_means_are_drawn_and_the_caption_says_so() -> (
    None
):
    chance = random.Random(1)
    means = [chance.uniform(20, 90) for _ in range(MOST + 60)]
    made = evidence({f"c{place}": [mean, mean + 2] for place, mean in enumerate(means)})
    figure = Bars(title="All")

    drawn = legible(values(figure, tidy(made)))
    many = render(figure, tidy(made), "figure1", "top-1 (%)")
    few = evidence({f"c{place}": [mean] for place, mean in enumerate(means[:MOST])})

    highest = sorted(range(len(means)), key=lambda place: -means[place])[:MOST]
    assert drawn["cell"].unique().tolist() == [f"c{place}" for place in sorted(highest)]
    assert len(drawn) == 2 * MOST
    assert many is not None
    assert many.caption.endswith(
        f" Of {MOST + 60} cells, the {MOST} with the highest means are drawn; the results by cell "
        "list all."
    )
    assert f"over {MOST + 60} cells" in many.alt
    whole = values(figure, tidy(few))
    assert legible(whole) is whole


@pytest.mark.parametrize(
    ("with_result", "drawn", "which", "lost"),
    [
        (0, MOST, "none has a result yet; the first 40 are hatched", ""),
        (1, 1, "the one with a result is drawn", " 59 cells without a result yet are not drawn."),
        (5, 5, "the 5 with a result are drawn", " 55 cells without a result yet are not drawn."),
        (
            59,
            MOST,
            "the 40 with the highest means are drawn",
            " 1 cell without a result yet is not drawn.",
        ),
    ],
)
def test_of_more_bars_than_fit_those_without_a_result_are_counted_and_not_drawn(
    with_result: int, drawn: int, which: str, lost: str
) -> None:
    made = evidence(
        {f"c{n}": [50.0 + n if n >= 60 - with_result else None, None] for n in range(60)}
    )
    figure = Bars(title="All")

    shown = render(figure, tidy(made), "figure1", "top-1 (%)")

    table = legible(values(figure, tidy(made)))
    assert table["cell"].nunique() == drawn
    assert table["mean"].isna().all() == (with_result == 0)
    assert shown is not None
    assert shown.caption.endswith(
        f" every dot is one seed. Of 60 cells, {which}; the results by cell list all.{lost}"
    )


@pytest.mark.parametrize("kind", [Lines, Bars, MarginalMeans])
def test_numbers_of_several_series_do_not_cover_each_other(
    kind: type[Lines | Bars | MarginalMeans],
) -> None:
    axes = on_axes(kind(title="by batch", axis="batch", group="loss"), grid(0.1))

    boxes = [label.get_window_extent() for label in axes.texts if label.get_text()]
    assert len(boxes) >= 3
    covered = [
        (one, other)
        for place, one in enumerate(boxes)
        for other in boxes[place + 1 :]
        if one.overlaps(other)
    ]
    assert covered == []


@pytest.mark.parametrize("kind", [Lines, Bars, MarginalMeans])
def test_an_axis_in_per_cent_ends_at_a_hundred(kind: type[Lines | Bars | MarginalMeans]) -> None:
    axes = on_axes(kind(title="by batch", axis="batch", group="loss"), grid(0.3, base=95.5))

    assert max(axes.get_yticks()) <= 100
    assert axes.spines["left"].get_bounds()[1] == 100


def test_differences_within_the_noise_do_not_take_the_whole_colour_range() -> None:
    figure = Heatmap(title="both", rows="loss", columns="batch")
    calm, noisy = (values(figure, tidy(grid(spread))) for spread in (0.05, 2.0))
    single = values(figure, tidy(grid(0.0, seeds=1)))

    def share(table: Any) -> float:
        low, high = heatmap.limits(table)
        return (table["mean"].max() - table["mean"].min()) / (high - low)

    assert share(calm) == 1
    assert share(noisy) < 0.5
    assert share(single) < 0.5


def test_a_step_of_colour_is_a_whole_number_of_standard_deviations_over_seeds() -> None:
    figure = Heatmap(title="both", rows="loss", columns="batch")
    for spread, seeds in ((0.05, 5), (0.4, 5), (2.0, 5), (0.0, 1)):
        table = values(figure, tidy(grid(spread, seeds=seeds)))
        deviations, edges = heatmap.steps(table)
        unit = heatmap.noise(table) if seeds > 1 else heatmap.UNKNOWN_NOISE

        assert deviations == int(deviations) >= 1
        assert np.diff(edges) == pytest.approx(deviations * unit)
        assert 2 <= len(edges) - 1 <= heatmap.MOST_STEPS
        assert edges[0] <= table["mean"].min()
        assert table["mean"].max() <= edges[-1] + 1e-9


def test_squares_within_one_step_have_one_colour_and_the_caption_says_what_a_step_is() -> None:
    made = evidence(
        {"a": [40.0, 42.0], "b": [40.5, 42.5], "c": [80.0, 82.0]},
        cells={c: {"levels": {"one": c, "two": "x"}} for c in "abc"},
    )
    figure = Heatmap(title="t", rows="one", columns="two")

    axes = on_axes(figure, made)

    colours = [tuple(c) for c in axes.collections[0].get_facecolors()]
    assert colours[0] == colours[1] != colours[2]
    # The span of 40 points is 28.3 deviations of 1.41: two of them a step give at most 20.
    told = heatmap.caption(figure, values(figure, tidy(made)))
    assert "One step of colour is 2 standard deviations over seeds (1.4, pooled" in told


def test_the_noise_is_the_standard_deviation_pooled_over_cells() -> None:
    made = evidence({"a": [40.0, 42.0], "b": [50.0, 51.0, 55.0]})
    table = values(Bars(title="t"), tidy(made))

    # By hand: sums of squares 2 and 14 over 1 + 2 degrees of freedom.
    assert heatmap.noise(table) == pytest.approx((16 / 3) ** 0.5)


def test_a_name_in_any_script_is_in_both_reports_and_the_pdf_says_what_it_cannot_show(
    tmp_path: Any,
) -> None:
    made = evidence({ODD: [40.0, 41.0], "ü": [30.0, 31.0]}, title=f"Title {ODD}")

    written = write_reports(made, tmp_path)

    assert ODD in written.html.read_text("utf-8")
    text = "".join(page.extract_text() for page in PdfReader(written.pdf).pages)
    assert "Title □□ □" in text
    assert "Characters that the fonts of this PDF lack are shown as □" in " ".join(text.split())


def test_a_pdf_that_lacks_nothing_says_nothing_of_letters(tmp_path: Any) -> None:
    written = write_reports(evidence({"é Ж Ω": [40.0, 41.0]}), tmp_path)

    text = "".join(page.extract_text() for page in PdfReader(written.pdf).pages)
    assert "é Ж Ω" in text
    assert "fonts of this PDF lack" not in text


def test_what_the_fonts_lack_is_known_without_a_report() -> None:
    assert without_glyph("é Ж Ω") == ""
    assert without_glyph(f"x {ODD} x 日") == "日本🦆"


def test_no_control_character_reaches_a_report() -> None:
    made = evidence(
        {RAW: [40.0, 41.0], "b": [30.0, 31.0]}, title=RAW, claims=(beats(RAW, "b", statement=RAW),)
    )

    page = html(document(made))

    assert not {"\x1b", "\x07", "\u202e"} & set(page)
    assert "␛[31mred␇\ufffd" in page
    assert pdf(document(made)).startswith(b"%PDF")


def test_a_table_too_long_for_a_pdf_keeps_the_rows_that_need_attention_and_says_so() -> None:
    rows = tuple(
        (Cell(text=f"trial {place}", tone="bad" if place == 2 * MOST_ROWS else "plain"),)
        for place in range(2 * MOST_ROWS + 1)
    )
    table = Table(ident="trials", caption="Trials.", columns=(Column(name="trial"),), rows=rows)
    made = Document(
        title="t",
        subtitle="s",
        question="",
        sections=(Section(ident="trials", title="Trials", blocks=(table,)),),
    )

    import io

    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf(made))).pages)
    page = html(made)

    assert f"trial {2 * MOST_ROWS}" in text
    assert f"trial {MOST_ROWS - 2}" in text
    assert f"trial {MOST_ROWS + 1}\n" not in text
    assert f"{MOST_ROWS} of {len(rows)} rows" in " ".join(text.split())
    assert all(f">trial {place}<" in page for place in (0, MOST_ROWS + 1, 2 * MOST_ROWS))
