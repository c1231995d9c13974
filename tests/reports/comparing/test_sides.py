"""Studies side by side, made by hand: differences by seed, what stands against them, what differs."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from made_evidence import FACTS, beats, evidence, failed, record
from scipy import stats

from reports.comparing import (
    CellDifference,
    How,
    Side,
    Source,
    cell_differences,
    differing_origins,
    differing_settings,
    sides_of,
)
from reports.document import Document, Table, comparison_of, html, pdf
from reports.errors import ReportError
from reports.figures.forest import of_sides
from reports.figures.side_curves import values
from reports.judging import verdicts
from reports.spec import Evidence

CHAIN = (("encoder", {"trainer": 1}), ("evaluation", {"version": 2}))
CONFIG = {"loss": {"kind": "nt_xent", "temperature": 0.5}, "seed": 0, "seeds": {"order": 0}}
Numbers = Mapping[str, Sequence[float | None] | Mapping[int, float | None]]


def made(numbers: Numbers, *, records: Mapping[str, Any] = {}, **changes: Any) -> Evidence:
    """Evidence whose records have a configuration, images and versions; `records` changes them."""
    facts = {**FACTS, "data": {"fingerprint": "ab"}, "measured_on": "test", "device": "cpu"}
    found = evidence(numbers, **changes)
    about = {"config": CONFIG, "facts": facts | dict(records.get("facts", {})), "chain": CHAIN}
    about |= {name: value for name, value in records.items() if name != "facts"}
    return found.model_copy(
        update={"records": tuple(one.model_copy(update=about) for one in found.records)}
    )


def sides(first: Evidence, *others: Evidence) -> tuple[Side, ...]:
    names = ["", "loss.temperature=0.2", "epochs=9"]
    sources = [
        Source(one.model_copy(update={"variation": name}), "runs")
        for name, one in zip(names, (first, *others), strict=False)
    ]
    return sides_of(sources)


def difference(first: Evidence, other: Evidence) -> CellDifference:
    [found] = cell_differences(sides(first, other))
    return found


A, B = [50.0, 52.0, 51.0, 53.5, 50.5], [54.0, 55.0, 56.5, 55.0, 57.0]


def test_a_paired_difference_and_its_interval_are_those_of_scipy() -> None:
    found = difference(made({"crop": A}), made({"crop": B}))

    theirs = stats.ttest_rel(B, A).confidence_interval(0.95)
    assert (found.how, found.n, found.seeds) == (How.PAIRED, "5", (0, 1, 2, 3, 4))
    assert found.shown.mean == pytest.approx(4.1)
    assert (found.shown.low, found.shown.high) == pytest.approx((theirs.low, theirs.high))
    assert found.remark == ""


def test_seeds_that_only_one_side_has_do_not_count_and_are_told() -> None:
    other = dict(zip((1, 2, 3, 7), [55.0, 56.5, 55.0, 900.0], strict=True))

    found = difference(made({"crop": A}), made({"crop": other}))

    theirs = stats.ttest_rel([55.0, 56.5, 55.0], A[1:4]).confidence_interval(0.95)
    assert found.seeds == (1, 2, 3)
    assert (found.shown.low, found.shown.high) == pytest.approx((theirs.low, theirs.high))
    assert found.remark == "over 3 shared seeds of 5 and 4"


@pytest.mark.parametrize("start", [4, 10])
def test_without_two_shared_seeds_the_difference_is_unpaired_and_says_so(start: int) -> None:
    found = difference(made({"crop": A}), made({"crop": dict(enumerate(B[:4], start))}))

    theirs = stats.ttest_ind(B[:4], A, equal_var=False).confidence_interval(0.95)
    assert (found.how, found.n, found.per_seed) == (How.UNPAIRED, "5 and 4", ())
    assert (found.shown.low, found.shown.high) == pytest.approx((theirs.low, theirs.high))
    shared = "1 shared seed" if start == 4 else "0 shared seeds"
    assert found.remark == f"{shared}: not paired, 5 and 4 seeds (Welch)"


def test_one_seed_gives_a_difference_without_an_interval() -> None:
    found = difference(made({"crop": A[:1]}), made({"crop": B[:1]}))

    assert (found.how, found.shown.mean, found.n) == (How.PAIRED, 4.0, "1")
    assert math.isnan(found.shown.low)


def test_trials_that_both_sides_count_are_no_comparison() -> None:
    found = difference(made({"crop": A}), made({"crop": A}))

    assert (found.how, found.remark) == (
        How.SAME,
        "both sides count the same trials, so there is nothing to compare",
    )
    assert math.isnan(found.shown.mean)


def test_a_trial_that_was_imported_under_another_attempt_is_the_same_trial() -> None:
    first = made({"crop": A})
    changes = {"attempt": 2, "log": "elsewhere", "seal": "another"}
    moved = tuple(one.model_copy(update=changes) for one in first.records)

    found = difference(first, first.model_copy(update={"records": moved}))

    assert found.how is How.SAME


def test_trials_that_both_sides_count_are_in_no_unpaired_difference() -> None:
    first = {**dict(enumerate(A)), 7: 40.0}
    other = {**dict(enumerate(A)), 7: 44.0, 8: 45.0}
    alone = {**dict(enumerate(A)), 6: 41.0, 7: 40.0}

    one = difference(made({"crop": first}), made({"crop": other}))
    several = difference(made({"crop": alone}), made({"crop": other}))

    assert (one.how, one.per_seed) == (How.PAIRED, (4.0,))
    assert one.remark == (
        "over 1 shared seed of 6 and 7; 5 seeds left out, where both sides count the same trial"
    )
    theirs = stats.ttest_ind([44.0, 45.0], [41.0, 40.0], equal_var=False).confidence_interval(0.95)
    assert (several.how, several.n) == (How.UNPAIRED, "2 and 2")
    assert (several.shown.low, several.shown.high) == pytest.approx((theirs.low, theirs.high))


OTHER_IMAGES = {"facts": {"data": {"fingerprint": "cd"}}}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"records": OTHER_IMAGES}, "other images: fingerprints ab and cd"),
        (
            {"records": {"chain": (CHAIN[0], ("evaluation", {"version": 3}))}},
            "other versions of the evaluation: 2 and 3",
        ),
        (
            {"records": {"facts": {"measured_on": "validation"}}},
            "measured on other splits: test and validation",
        ),
        (
            {"cells": {"crop": {"predicts": "rotation"}}},
            "the probes predict other targets: classes and rotation",
        ),
        ({"unit": "nats"}, "other metrics: top1 in %, top1 in nats"),
    ],
)
def test_where_numbers_are_not_of_one_kind_no_difference_is_given(
    changes: dict[str, Any], reason: str
) -> None:
    both = sides(made({"crop": A}), made({"crop": B}, **changes))

    [found] = cell_differences(both)
    document = comparison_of(both)

    assert (found.how, found.likeness.withheld) == (How.WITHHELD, (reason,))
    assert math.isnan(found.shown.mean)
    assert of_sides([found]).empty
    assert "+4.1" not in texts(document)
    warning = "Not like with like, no difference is given for loss.temperature=0.2"
    assert f"{warning}: {reason} (crop)." in texts(document)


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        (
            {"chain": (("encoder", {"trainer": 2}), CHAIN[1])},
            "other versions of the trainer: 1 and 2",
        ),
        ({"facts": {"device": "cuda"}}, "other devices: cpu and cuda"),
        (
            {"chain": ()},
            "unknown whether they are the same: trainer's version, evaluation's version",
        ),
    ],
)
def test_what_else_differs_is_a_mark_next_to_the_difference(
    records: dict[str, Any], reason: str
) -> None:
    both = sides(made({"crop": A}), made({"crop": B}, records=records))

    [found] = cell_differences(both)

    assert (found.how, found.remark) == (How.PAIRED, reason)
    assert found.shown.mean == pytest.approx(4.1)
    warning = f"Not only the settings differ for loss.temperature=0.2: {reason} (crop)."
    assert warning in texts(comparison_of(both))


# What differs


def test_settings_that_differ_are_listed_with_their_arms_and_values() -> None:
    warmer = {"loss": {"kind": "nt_xent", "temperature": 0.2}, "data": {"path": "b"}}
    warmer |= {"seed": 5, "seeds": {"order": 5}}  # not a setting
    first = made({"crop": A, "colour": A}, records={"config": {**CONFIG, "data": {"path": "a"}}})
    other = made({"crop": B, "colour": B}, records={"config": warmer})
    changed = [
        one.model_copy(update={"config": {**one.config, "epochs": 9}})
        if one.cell == "colour"
        else one
        for one in other.records
    ]
    other = other.model_copy(update={"records": tuple(changed)})

    found = differing_settings(sides(first, other))

    assert [tuple(one) for one in found] == [
        ("loss.temperature", ("crop", "colour"), ("0.5", "0.2")),
        ("epochs", ("colour",), ("-", "9")),
    ]


def test_what_else_differs_is_told_of_images_versions_and_program() -> None:
    provenance = {"machine": {"cpu": "another", "cores": 2}, "load_average": [9.0]}
    first = made({"crop": A}, records={"provenance": {"machine": {"cpu": "one", "cores": 2}}})
    other = made({"crop": B[:2]}, records={**OTHER_IMAGES, "provenance": provenance})

    found = {one.name: one.values for one in differing_origins(sides(first, other))}

    assert found == {
        "fingerprint of the images": ("ab", "cd"),
        "seeds": ("0, 1, 2, 3, 4", "0, 1"),
        "machine.cpu": ("one", "another"),
    }


def test_one_side_is_no_comparison() -> None:
    with pytest.raises(ReportError, match=r"^a comparison needs at least two sides$"):
        sides_of([Source(made({}), "runs")])


def test_a_side_is_named_by_what_tells_it_from_the_others() -> None:
    plain = made({"crop": A})
    warmer = plain.model_copy(update={"variation": "loss.temperature=0.2"})
    smoke = warmer.model_copy(update={"scale": "smoke"})

    def names(*sources: Source) -> list[str]:
        return [side.name for side in sides_of(sources)]

    assert names(Source(plain, "runs"), Source(warmer, "runs")) == [
        "quickstart@laptop",
        "loss.temperature=0.2",
    ]
    assert names(Source(warmer, "runs"), Source(smoke, "runs")) == [
        "loss.temperature=0.2, quickstart@laptop",
        "loss.temperature=0.2, quickstart@smoke",
    ]
    assert names(Source(plain, "a/runs"), Source(plain, "a/others"), Source(warmer, "a/runs")) == [
        "quickstart@laptop in runs",
        "quickstart@laptop in others",
        "loss.temperature=0.2",
    ]
    assert names(Source(plain, "a/runs"), Source(plain, "b/runs")) == [
        "quickstart@laptop in a/runs",
        "quickstart@laptop in b/runs",
    ]
    with pytest.raises(ReportError, match="quickstart@laptop in runs is named twice"):
        names(Source(plain, "runs"), Source(plain, "runs"))


# The document


def texts(document: Document) -> list[str]:
    found = [document.title, document.subtitle]
    for block in (block for section in document.sections for block in section.blocks):
        if isinstance(block, Table):
            found += [cell.text for row in block.rows for cell in row]
        else:
            found += [str(value) for value in block.model_dump().values()]
    return found


def rows(document: Document, ident: str) -> list[list[str]]:
    tables = [b for s in document.sections for b in s.blocks if isinstance(b, Table)]
    return [[cell.text for cell in row] for one in tables if one.ident == ident for row in one.rows]


@pytest.fixture(scope="module")
def three() -> tuple[Side, ...]:
    """Three sides: one lost a trial to an error, one has a record of another plan."""
    claims = {"claims": (beats("colour", "crop", margin=1.0),)}
    curve = {"step": [1.0, 2.0], "loss": [4.0, 3.0]}
    first = made({"crop": A, "colour": B}, records={"curve": curve}, **claims)
    second = made(
        {"crop": B, "colour": [60.0] * 4}, extra=[failed("colour", 4)], seeds=range(5), **claims
    )
    stray = record("crop", 0, 1.0, key="f" * 16)
    third = made(
        {"crop": [51.0, 50.0], "other": [9.0, 8.0]}, records={"curve": curve}, extra=[stray]
    )
    return sides(first, second, third)  # fmt: skip


def test_every_shared_arm_is_compared_with_the_first_side(three: tuple[Side, ...]) -> None:
    found = rows(comparison_of(three), "differences")

    assert [(arm, side, shown) for arm, side, shown, *_ in found] == [
        ("crop", "loss.temperature=0.2", "+4.1"),
        ("crop", "epochs=9", "-0.5"),
        ("colour", "loss.temperature=0.2", "+4.9"),
    ]


def test_a_comparison_issues_no_verdict_and_says_that_it_is_exploratory(
    three: tuple[Side, ...],
) -> None:
    document = comparison_of(three)

    said = " ".join(texts(document))
    assert "This comparison is exploratory: it was not fixed before the runs" in said
    assert "it issues no verdict" in said
    [(claim, *words)] = rows(document, "verdicts")
    own = [verdicts(side.evidence)[0].words for side in three[:2]]
    assert claim == "colour>crop"
    assert [word.partition(" (")[0] for word in words[:2]] == own
    assert words[2] == "not a claim of this study"


def test_failed_missing_and_excluded_trials_are_listed_with_their_side(
    three: tuple[Side, ...],
) -> None:
    found = rows(comparison_of(three), "trouble")

    assert [(side, cell, seed, state) for side, cell, seed, state, *_ in found] == [
        ("loss.temperature=0.2", "colour", "4", "failed"),
        ("epochs=9", "crop", "0", "excluded"),
    ]
    assert "Diverged: the loss was nan at step 7" in found[0][4]


def test_cells_of_all_sides_are_next_to_each_other(three: tuple[Side, ...]) -> None:
    found = {row[0]: row[2:] for row in rows(comparison_of(three), "cells")}

    low, high = stats.t.interval(0.95, 4, 51.4, stats.sem(A))
    assert found["crop"][0] == f"51.4 [{low:.1f}, {high:.1f}], n = 5"
    assert found["colour"][1:] == ["60.0, n = 4", "not in this study"]
    assert found["other"][:2] == ["not in this study"] * 2


def test_curves_are_drawn_of_arms_with_curves_on_two_sides(three: tuple[Side, ...]) -> None:
    table = values(three, "loss")

    assert set(table["arm"]) == {"crop"}
    assert dict(table.groupby("side")["seed"].nunique()) == {"quickstart@laptop": 5, "epochs=9": 2}
    assert values(three, "knn/validation").empty


def test_both_forms_are_made_and_the_same_evidence_gives_the_same_bytes(
    three: tuple[Side, ...],
) -> None:
    again = sides_of([Source(side.evidence, side.store) for side in three])
    document = comparison_of(three)

    assert html(document) == html(comparison_of(again))
    assert pdf(document).startswith(b"%PDF")
