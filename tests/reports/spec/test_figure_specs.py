"""What a figure shows, as a table, and that what is drawn can be read."""

import math
import re
from typing import Any

import numpy as np
import pytest
from made_evidence import evidence
from made_studies import STUDIES, compositions, quickstart
from pydantic import ValidationError
from scipy import stats

from reports.document.findings import findings_of
from reports.figures import heatmap
from reports.figures.figure_data import number, split
from reports.figures.frame import tidy
from reports.figures.svg import render, values
from reports.spec import Bars, Evidence, Heatmap, Lines


def drawn(made: Evidence) -> Any:
    """The first figure of the evidence."""
    return render(made.figures[0], tidy(made), "figure1", "top-1 (%)")


def test_every_planned_trial_has_its_row_with_or_without_a_number() -> None:
    made = compositions()

    frame = tidy(made)

    assert len(frame) == len(made.planned)
    assert set(frame["state"]) == {"finished", "failed", "missing"}
    assert frame["value"].isna().sum() == (frame["state"] != "finished").sum() + 1


def test_the_summary_of_a_cell_is_its_mean_with_students_interval() -> None:
    rows = tidy(quickstart()).set_index("cell").loc["crop+colour"]

    mean = np.mean(rows["value"])
    low, high = stats.t.interval(0.95, 4, mean, stats.sem(rows["value"]))
    assert rows[["mean", "low", "high"]].to_numpy() == pytest.approx(
        np.array([[mean, low, high]] * 5)
    )


def test_a_figure_holds_ours_the_papers_and_the_floors_number_of_each_arm() -> None:
    made = quickstart().model_copy(update={"synthetic_data": False})

    table = values(made.figures[0], tidy(made)).drop_duplicates("cell").set_index("cell")

    floors = [r.values["top1"] for r in made.records if r.cell == "random encoder"]
    assert list(table.index) == ["crop", "crop+colour", "crop+colour+rotation"]
    assert table["published"].tolist()[:2] == [33.1, 56.3]
    assert math.isnan(table["published"].iloc[2])
    assert table["floor"].tolist() == pytest.approx([np.mean(floors)] * 3)


def test_a_heat_map_has_the_first_operation_in_rows_and_single_ones_on_the_diagonal() -> None:
    made = compositions()

    table = values(made.figures[0], tidy(made)).set_index("cell")

    places = {cell: (row, column) for cell, row, column in table[["row", "column"]].itertuples()}
    assert len(places) == 49
    assert places["crop+colour"] == ("crop", "colour")
    assert places["colour+crop"] == ("colour", "crop")
    assert places["blur"] == ("blur", "blur")


def test_the_last_column_averages_a_complete_row_and_leaves_others_unknown() -> None:
    made = compositions()
    table = values(made.figures[0], tidy(made))

    found = heatmap.averages(table)

    means = table.drop_duplicates("cell").set_index(["row", "column"])["mean"]
    assert found.loc["colour", "mean"] == pytest.approx(np.mean(means.loc["colour"].to_numpy()))
    lacking = {row for (row, _), mean in means.items() if math.isnan(mean)}
    assert lacking
    assert set(found.index[found["mean"].isna()]) == lacking
    assert found["published"].notna().all()


def test_a_plus_inside_a_name_is_told_from_the_one_between_two() -> None:
    singles = ["crop", "colour+drop"]

    assert split("crop+colour+drop", singles) == ("crop", "colour+drop")
    assert split("colour+drop+crop", singles) == ("colour+drop", "crop")
    assert split("colour+drop", singles) == ("colour+drop", "colour+drop")


@pytest.mark.parametrize(
    ("label", "expected"), [("256", 256), ("2x", 2), ("1/8", 0.125), ("0.5 wide", 0.5)]
)
def test_labels_that_begin_with_a_number_are_placed_by_it(label: str, expected: float) -> None:
    assert number(label) == expected
    assert math.isnan(number(f"width {label}"))


def test_cells_that_share_a_place_are_told_apart_by_what_else_differs() -> None:
    infos = {
        f"{head} {batch}": {"levels": {"head": head, "batch": batch}}
        for head in ("none", "mlp")
        for batch in ("256", "512")
    }
    made = evidence({name: [40.0, 41.0] for name in infos}, cells=infos)

    table = values(Bars(title="by head", axis="head"), tidy(made))

    assert set(table["group"]) == {"256", "512"}


@pytest.mark.parametrize("study", STUDIES)
def test_every_figure_says_in_words_what_it_shows_and_names_no_host(study: Any) -> None:
    made = study()

    found = drawn(made)

    assert re.search(r"of top-1 \(%\) over \d+ cells", found.alt)
    assert "http" not in found.svg
    assert "<style" not in found.svg
    identifiers = re.findall(r'\bid="([^"]+)"', found.svg)
    assert all(name.startswith("figure1-") for name in identifiers)
    assert len(set(identifiers)) == len(identifiers)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', found.svg))
    assert used <= set(identifiers)


def test_the_captions_of_a_heat_map_tell_its_marks() -> None:
    found = drawn(compositions())

    assert "The last column is the mean of each row" in found.caption
    assert "The line across the colour bar is the random encoder, 33." in found.caption
    assert re.search(r"\d cells without a result yet are hatched", found.caption)


def test_an_axis_that_this_scale_lacks_gives_no_picture() -> None:
    made = quickstart().model_copy(update={"figures": (Lines(title="by width", axis="width"),)})

    assert drawn(made) is None


def test_a_name_without_glyphs_or_with_mathematics_is_drawn_as_text() -> None:
    made = evidence({"$x_1$ 🦆": [40.0, 41.0], "ü": [30.0, 31.0]})

    found = render(Bars(title="odd names"), tidy(made), "figure1", "top-1 (%)")

    assert found is not None
    assert "$x_1$ 🦆 40.5" in found.alt


def test_findings_are_the_same_for_the_same_evidence() -> None:
    first, second = findings_of(quickstart()), findings_of(quickstart())

    assert first.judged == second.judged
    assert first.frame.equals(second.frame)


@pytest.mark.parametrize("layout", [{}, {"rows": "a"}, {"axis": "a", "rows": "b", "columns": "c"}])
def test_a_heat_map_needs_one_layout(layout: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="either axis, or both rows and columns"):
        Heatmap.model_validate({"title": "t"} | layout)
