"""Balanced accuracy and accuracy by class, where classes are unequal."""

from typing import Any

import pytest
from made_evidence import beats, evidence, record
from sklearn.metrics import balanced_accuracy_score, confusion_matrix

from reports.document.blocks import Table
from reports.document.classes import balanced
from reports.document.html_page import html
from reports.document.pdf_file import _shortened
from reports.document.sections import document
from reports.exports.table_forms import table_files
from reports.spec.evidence import Evidence

IMAGES = (60, 30, 10)


def made(
    right: dict[str, list[tuple[int, ...]]], images: tuple[int, ...] = IMAGES, **data: Any
) -> Evidence:
    """Arms whose seeds got so many images of each class right."""
    plain = evidence({cell: [50.0] * len(seeds) for cell, seeds in right.items()}, pixels=None)
    about = {"name": "d", "class_names": ["dog", "cat", "=owl"], **data}
    records = tuple(
        one.model_copy(
            update={
                "facts": {
                    "version": 4,
                    "data": about,
                    "class_images": images,
                    "class_right": right[one.cell][one.seed],
                }
            }
        )
        if one.role == "arm"
        else one
        for one in plain.records
    )
    return plain.model_copy(update={"records": records})


def tables(evidence: Evidence) -> dict[str, Table]:
    blocks = [b for s in document(evidence).sections if s.ident == "classes" for b in s.blocks]
    return {b.ident: b for b in blocks if isinstance(b, Table)}


def rows(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


def test_balanced_accuracy_is_scikit_learns() -> None:
    right = (50, 12, 1)
    truth = [label for label, n in enumerate(IMAGES) for _ in range(n)]
    answers = [
        label if at < right[label] else (label + 1) % 3
        for label, n in enumerate(IMAGES)
        for at in range(n)
    ]

    assert balanced(right, IMAGES) == pytest.approx(100 * balanced_accuracy_score(truth, answers))
    assert balanced((5, 0), (10, 0)) == 50.0


def test_unequal_classes_have_their_two_tables() -> None:
    found = tables(made({"a": [(60, 15, 0), (60, 15, 5)], "b": [(30, 30, 10)]}))

    assert list(found) == ["balanced", "classes"]
    # Of a: 50 and 66.7 by class; 75 and 80 by image.
    assert [row[:3] for row in rows(found["balanced"])] == [
        ["a", "77.5", "58.3"],
        ["b", "70.0", "83.3"],
    ]
    assert [row[3:] for row in rows(found["balanced"])][1] == ["one seed, no interval", "1"]
    assert rows(found["classes"]) == [
        ["dog", "60", "100.0", "50.0"],
        ["cat", "30", "50.0", "100.0"],
        ["=owl", "10", "25.0", "100.0"],
    ]
    assert "The smallest class has 10.0 % of the measured images, the largest 60.0 %" in (
        found["balanced"].caption
    )


def with_answers(evidence: Evidence, answers: dict[tuple[str, int], Any]) -> Evidence:
    """The same study, in which these trials recorded their confusion matrix, by scikit-learn."""
    records = [
        one.model_copy(
            update={
                "facts": {
                    **one.facts,
                    "class_confusion": confusion_matrix(*answers[one.cell, one.seed]).tolist(),
                }
            }
        )
        if (one.cell, one.seed) in answers
        else one
        for one in evidence.records
    ]
    return evidence.model_copy(update={"records": tuple(records)})


def test_the_classes_taken_for_one_another_are_listed_the_most_frequent_first() -> None:
    truth = [0] * 60 + [1] * 30 + [2] * 10
    first = [0] * 50 + [1] * 10 + [1] * 30 + [1] * 5 + [2] * 5
    second = [0] * 60 + [1] * 30 + [0] * 2 + [2] * 8
    study = made({"a": [(50, 30, 5), (60, 30, 8)], "b": [(60, 30, 10)], "c": [(60, 30, 10)]})

    found = tables(
        with_answers(
            study,
            {("a", 0): (truth, first), ("a", 1): (truth, second), ("b", 0): (truth, second)},
        )
    )["confusions"]

    # Of a: half of 5 in 10, of 2 in 10 and of 10 in 60; c has no matrix, as of an earlier version.
    assert [column.name for column in found.columns] == ["class", "images", "taken for", "a", "b"]
    assert rows(found) == [
        ["=owl", "10", "dog", "10.0", "20.0"],
        ["=owl", "10", "cat", "25.0", "0.0"],
        ["dog", "60", "cat", "8.3", "0.0"],
    ]
    assert found.caption.startswith("All of 3 confusions: of the images of a class, the per cent")
    assert found.caption.endswith(
        "ordered by the mean over the cells shown. Left out, because not "
        "every seed has a confusion matrix: c."
    )


def test_a_cell_of_which_one_seed_has_no_matrix_is_left_out_of_the_confusions_and_named() -> None:
    truth = [0] * 60 + [1] * 30 + [2] * 10
    owls_are_dogs = [0] * 60 + [1] * 30 + [0] * 10
    # Two of three seeds of a are of an earlier version, and get every owl right.
    study = made({"a": [IMAGES, IMAGES, (60, 30, 0)], "b": [(60, 30, 0)]})

    alone = tables(with_answers(study, {("a", 2): (truth, owls_are_dogs)}))
    mixed = tables(with_answers(study, dict.fromkeys([("a", 2), ("b", 0)], (truth, owls_are_dogs))))

    assert rows(alone["classes"])[2] == ["=owl", "10", "66.7", "0.0"]
    assert "confusions" not in alone
    assert [column.name for column in mixed["confusions"].columns][3:] == ["b"]
    assert rows(mixed["confusions"]) == [["=owl", "10", "dog", "100.0"]]
    assert mixed["confusions"].caption.endswith(
        " Left out, because not every seed has a confusion matrix: a."
    )


def test_the_report_shows_ten_confusions_and_the_files_of_the_table_have_all() -> None:
    images = tuple(20 - nth for nth in range(12))
    truth = [label for label, n in enumerate(images) for _ in range(n)]
    answers = [(label + 1) % 12 if at % 2 else label for at, label in enumerate(truth)]
    study = made({"a": [(5,) * 12]}, images, class_names=[f"class {nth}" for nth in range(12)])
    whole = document(with_answers(study, {("a", 0): (truth, answers)}))

    page, files = html(whole), table_files(whole)
    [section] = [one for one in whole.sections if one.ident == "classes"]

    assert page.count('<td class="words">class 3</td>') == 3
    shown = page.partition("The 10 most frequent of 12 confusions")[2].partition("</table>")[0]
    assert shown.count("<tr>") == 1 + 10
    assert len(files["confusions.csv"].splitlines()) == 1 + 12
    assert len(_shortened(section.blocks[-1]).rows) == 10


def test_where_nothing_is_confused_no_confusion_is_listed() -> None:
    truth = [0] * 60 + [1] * 30 + [2] * 10
    study = made({"a": [IMAGES]})

    assert "confusions" not in tables(with_answers(study, {("a", 0): (truth, truth)}))


@pytest.mark.parametrize("images", [(34, 33, 33), (30, 30, 30)])
def test_classes_as_equal_as_can_be_have_no_table(images: tuple[int, ...]) -> None:
    assert tables(made({"a": [(1, 2, 3)]}, images)) == {}


def test_many_cells_list_those_of_the_claims_first() -> None:
    many = made({f"c{nth}": [(1, 1, 1)] for nth in range(12)})
    many = many.model_copy(update={"claims": (beats("c11", "c10"),)})

    found = tables(many)["classes"]

    assert [c.name for c in found.columns][2:5] == ["c11", "c10", "c0"]
    assert len(found.columns) == 10
    assert found.caption.endswith("4 more cells are in the records.")


def test_counts_over_other_images_are_not_mixed_in() -> None:
    one = made({"a": [(60, 15, 0), (60, 15, 5)]})
    other = one.records[1].model_copy(
        update={"facts": {**one.records[1].facts, "class_images": [1, 2, 3]}}
    )
    mixed = one.model_copy(update={"records": (one.records[0], other, *one.records[2:])})

    assert [row[4] for row in rows(tables(mixed)["balanced"])] == ["1"]


@pytest.mark.parametrize(("share", "says"), [(60.0, True), (10.5, False)])
def test_older_records_of_unequal_classes_say_that_it_is_unknown(share: float, says: bool) -> None:  # noqa: FBT001
    facts = {
        "version": 2,
        "data": {"name": "d", "classes": 10, "test_images": 100},
        "largest_class_share": share,
        "measured_on": "test",
    }
    old = evidence({"a": [None]}, extra=(record("a", 0, 50.0, facts=facts),), pixels=None)

    sections = {s.ident: s for s in document(old).sections}

    assert ("classes" in sections) == says
    if says:
        assert "did not count by class, so balanced accuracy is unknown" in str(sections["classes"])
