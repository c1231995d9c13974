"""The paper's number is next to ours only where it is meant to be compared; smoke judges nothing."""

import pytest
from made_evidence import evidence
from made_studies import compositions, quickstart

from ablations.commands.terminal import console
from ablations.commands.verdict_table import show_board
from reports.document.html_page import html
from reports.document.sections import document
from reports.judging.negative_controls import State
from reports.judging.verdict import Decision, verdicts
from reports.judging.verdict_board import board
from reports.spec import Evidence
from reports.spec.evidence import SMOKE_JUDGES_NOTHING


def smoke(made: Evidence) -> Evidence:
    return made.model_copy(update={"scale": "smoke"})


def real(made: Evidence) -> Evidence:
    """With real images and the numbers of both cells of its first claim."""
    return made.model_copy(update={"synthetic_data": False})


@pytest.mark.parametrize(
    ("made", "compared"),
    [(real(quickstart()), True), (quickstart(), False), (smoke(real(quickstart())), False)],
)
def test_the_papers_number_is_compared_with_real_images_beyond_smoke_only(
    made: Evidence,
    compared: bool,  # noqa: FBT001 - a parameter of the test
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert (board(made).rows[0].published == "+23.2 points") is compared
    sections = {section.ident: section for section in document(made).sections}
    figures = sections["figures"].model_dump_json(exclude={"blocks": {"__all__": {"svg"}}})
    assert ("paper" in figures) is compared
    (table,) = [block for block in sections["numbers"].blocks if block.kind == "table"]
    row = next(row for row in table.rows if row[0].text == "crop+colour")
    assert row[4].text == "56.3"
    assert (row[4].tone == "plain") is compared
    assert (row[5].text != "") is compared
    assert ("for reference only" in table.caption) is not compared
    assert ("for reference only" in table.columns[4].name) is not compared
    monkeypatch.setenv("COLUMNS", "200")
    show_board(made, console())
    assert ("56.3" in capsys.readouterr().out) is compared


def test_where_nothing_is_published_no_column_waits_for_a_number_of_the_paper(
    capsys: pytest.CaptureFixture[str],
) -> None:
    own = evidence({"a": [40.0, 41.0], "b": [30.0, 31.0]})

    sections = {section.ident: section for section in document(own).sections}
    (table,) = [block for block in sections["numbers"].blocks if block.kind == "table"]
    show_board(own, console())

    names = [column.name for column in table.columns]
    assert names == ["cell", "mean, %", "95 % interval", "n", "above random encoder"]
    assert [cell.text for cell in table.rows[0]][:2] == ["a", "40.5"]
    assert {len(row) for row in table.rows} == {5}
    assert "paper" not in table.caption
    assert "paper" not in capsys.readouterr().out


def test_arms_that_were_left_out_are_named_beside_the_number_of_trials() -> None:
    whole = evidence({"a": [40.0, 41.0], "b": [30.0, 31.0]})
    some = whole.model_copy(update={"scale_arms": ("a", "b", "c")})
    many = whole.model_copy(update={"scale_arms": ("a", *(f"arm {i}" for i in range(9)))})

    assert board(whole).summary.endswith("trials finished")
    assert board(some).summary.endswith("; 1 of 3 arms of the scale has no trial in this report: c")
    assert board(many).summary.endswith("arm 4, arm 5 and 3 more")
    assert "9 of 10 arms of the scale have no trial" in board(many).summary


def test_a_heat_map_of_smoke_has_no_number_of_the_paper() -> None:
    shown = html(document(smoke(compositions())))

    figure = shown[shown.index("<figure") : shown.index("</figure>")]
    assert "paper" not in figure
    assert "number in small type below it" in html(document(compositions()))


def test_smoke_judges_nothing_and_says_so_once(capsys: pytest.CaptureFixture[str]) -> None:
    made = smoke(real(quickstart()))

    assert {verdict.decision for verdict in verdicts(made)} == {Decision.NOT_JUDGED}
    assert {verdict.look for verdict in verdicts(made)} == {None}
    assert board(made).remark == SMOKE_JUDGES_NOTHING
    assert board(real(quickstart())).remark == ""
    page = html(document(made))
    assert page.lower().count(SMOKE_JUDGES_NOTHING) == 1
    show_board(made, console())
    assert " ".join(capsys.readouterr().out.split()).count(SMOKE_JUDGES_NOTHING) == 1


def test_a_claim_that_is_not_judged_has_no_level_without_an_interval(
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = smoke(real(quickstart()))

    assert {(row.interval, row.level) for row in board(made).rows} == {("", "")}
    show_board(made, console())
    shown = capsys.readouterr().out
    assert "descriptive" not in shown
    assert ",  " not in shown


def test_at_smoke_it_is_not_asked_whether_something_was_learned() -> None:
    names = {control.name: control.state for control in board(smoke(quickstart())).controls}

    assert "something learned" not in names
    assert names["encoder frozen"] is State.PASSED
    assert "something learned" in {control.name for control in board(quickstart()).controls}
