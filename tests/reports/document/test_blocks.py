"""What stands in a report: everything that ran, and everything that did not."""

from collections.abc import Iterator
from typing import Any

import pytest
from made_document import document_of
from made_evidence import beats, evidence, failed, key_of, record
from made_studies import batch_size, compositions, projection_head, quickstart

from reports.document.blocks import Drawing, Section, Table, VerdictCard
from reports.document.formatting import unparted
from reports.judging.verdict_board import board as told_board
from reports.spec import Evidence

UP = [9.0, 9.5, 8.5, 9.2, 8.8]
FLAT = [0.1, -0.2, 0.3, -0.1, 0.2]


def section(made: Evidence, ident: str) -> Section:
    """One section of the report."""
    return next(s for s in document_of(made).sections if s.ident == ident)


def strings(value: Any) -> Iterator[str]:
    """Every string in a value, in order."""
    match value:
        case str():
            yield value
        case dict():
            for inner in value.values():
                yield from strings(inner)
        case list() | tuple():
            for inner in value:
                yield from strings(inner)
        case _:
            pass


def cards(made: Evidence) -> list[VerdictCard]:
    """The card of each claim, in the order of their pages."""
    blocks = [block for s in document_of(made).sections for block in s.blocks]
    return [block for block in blocks if isinstance(block, VerdictCard)]


def words(made: Evidence, ident: str) -> str:
    """All text of one section."""
    return "\n".join(
        strings(section(made, ident).model_dump(exclude={"blocks": {"__all__": {"svg"}}}))
    )


def rows(made: Evidence, ident: str, nth: int = 0) -> list[list[str]]:
    """The nth table of a section as text."""
    tables = [block for block in section(made, ident).blocks if isinstance(block, Table)]
    return [[cell.text for cell in row] for row in tables[nth].rows]


def test_a_report_has_every_section_in_its_order() -> None:
    assert [s.ident for s in document_of(quickstart()).sections] == [
        "verdicts",
        "claim1",
        "claim2",
        "claim3",
        "figures",
        "gallery",
        "numbers",
        "lessons",
        "claims",
        "seeds",
        "deviations",
        "controls",
        "trouble",
        "methods",
        "cost",
        "provenance",
        "trials",
    ]


def test_a_report_of_nothing_yet_can_be_written() -> None:
    told = {"floor": [], "pixels": None, "claims": (beats("a", "b"),)}
    made = evidence({"a": [None] * 5, "b": [None] * 5}, **told)

    assert "0 seeds, next look at 5" in words(made, "verdicts")
    assert "1 of 11 trials finished, 10 missing." in words(made, "verdicts")


def test_synthetic_data_say_so_before_any_verdict() -> None:
    first = section(quickstart(), "verdicts").blocks[0]

    assert first.kind == "text"
    assert "they never count as a reproduction of the paper" in first.text


def test_the_papers_numbers_stand_beside_ours_and_the_random_encoder() -> None:
    made = quickstart().model_copy(update={"synthetic_data": False})
    table = {row[0]: row[1:] for row in rows(made, "numbers")}

    mean, interval, n, paper, difference, above = table["crop+colour"]
    assert (n, paper) == ("5", "56.3")
    assert float(difference) == pytest.approx(float(mean) - 56.3, abs=0.06)
    assert interval.startswith("[")
    assert float(above) == pytest.approx(float(mean) - float(table["random encoder"][0]), abs=0.11)
    assert table["crop+colour+rotation"][3] == ""
    assert "The paper's numbers: figure 5; printed to 0.1." in words(made, "numbers")


def test_one_seed_and_no_spread_are_told_instead_of_an_interval() -> None:
    made = evidence({"one": [40.0], "same": [40.0, 40.0]})

    intervals = {row[0]: row[2] for row in rows(made, "numbers")}

    assert intervals["one"] == "one seed, no interval"
    assert intervals["same"] == "no spread, no interval"


def test_every_seed_stands_in_its_table_and_what_lacks_says_why() -> None:
    made = evidence({"a": [41.26, None, None], "b": [1.0, 2.0, 3.0]}, extra=(failed("a", 2),))

    assert rows(made, "seeds")[0] == ["a", "41.26", "missing", "failed"]


def test_failed_and_missing_trials_are_listed_with_their_reason() -> None:
    made = evidence(
        {"a": [41.0, None, None]}, extra=(failed("a", 2, "Diverged: the loss was nan at step 7"),)
    )

    assert rows(made, "trouble") == [
        ["a", "1", "missing", "missing", key_of("a", 1)],
        ["a", "2", "failed", "failed: Diverged: the loss was nan at step 7", key_of("a", 2)],
    ]


def test_records_that_count_nowhere_are_listed_apart() -> None:
    made = evidence({"a": [41.0]}, extra=(record("gone", 3, 12.5),))

    assert rows(made, "trouble") == [["gone", "3", "finished", "12.50", key_of("gone", 3)]]
    assert "another configuration, scale or data set" in words(made, "trouble")


def test_repeated_trials_are_counted_and_every_attempt_listed() -> None:
    made = evidence({"a": [41.0, 42.0]}, extra=(record("a", 1, 44.0, attempt=2),))

    assert "1 trial was run more than once" in words(made, "trouble")
    assert [row[2:5] for row in rows(made, "trouble")] == [
        ["1", "finished", "42.00"],
        ["2", "finished", "44.00"],
    ]
    assert rows(made, "seeds")[0] == ["a", "41.00", "44.00"]


COLLAPSED = {
    "collapsed": True,
    "collapse": {"step": 120, "effective_rank": 1.2, "loss": 4.36, "collapsed_value": 4.369},
}
MARK = "collapsed at step 120: effective rank 1.20, loss 4.36 of 4.37 nats"


def marked(facts: dict[str, Any] = COLLAPSED) -> Evidence:
    """Two trials of which one has these facts."""
    made = evidence({"a": [41.0, 42.0]})
    told = {**made.records[0].facts, **facts}
    first = made.records[0].model_copy(update={"facts": told})
    return made.model_copy(update={"records": (first, *made.records[1:])})


def test_a_trial_that_collapsed_is_marked_wherever_its_number_stands() -> None:
    assert rows(marked(), "trouble") == [["a", "0", "41.00", MARK, key_of("a", 0)]]
    assert rows(marked(), "seeds")[0] == ["a", "41.00, collapsed", "42.00"]
    assert [row[3] for row in rows(marked(), "trials")][:2] == [MARK, ""]
    assert told_board(marked()).summary.endswith(", 1 marked as collapsed")


@pytest.mark.parametrize("facts", [{}, {"collapsed": False}])
def test_one_that_did_not_or_that_nothing_is_known_of_is_not(facts: dict[str, Any]) -> None:
    plain = evidence({"a": [41.0, 42.0]})

    for ident in ("trouble", "seeds", "trials"):
        assert words(marked(facts), ident) == words(plain, ident)


def test_a_mark_with_fewer_numbers_than_ours_says_unknown() -> None:
    told = rows(marked({"collapsed": True}), "trouble")[0][3]

    assert told == "collapsed at step unknown: effective rank unknown, loss unknown of unknown nats"


def test_without_trouble_the_section_says_so() -> None:
    assert "None: every planned trial finished" in words(quickstart(), "trouble")


def test_deviations_shared_by_all_stand_once_and_those_of_one_arm_apart() -> None:
    made = compositions()
    own = made.cells[0].deviations[0].model_copy(update={"field": "views.branch"})
    first = made.cells[0].model_copy(update={"deviations": (*made.cells[0].deviations, own)})
    made = made.model_copy(update={"cells": (first, *made.cells[1:])})

    assert [row[1] for row in rows(made, "deviations", 0)] == [
        "encoder.width",
        "batch_size",
        "epochs",
        "optimizer.kind",
    ]
    assert [row[:2] for row in rows(made, "deviations", 1)] == [["crop", "views.branch"]]


def test_each_claims_page_lists_its_deviations() -> None:
    for ident in ("claim1", "claim2", "claim3"):
        assert ["epochs", "10", "100"] in rows(quickstart(), ident, 1)
    assert "No deviation from the paper." in words(batch_size(), "claim1")


def test_a_failed_control_stands_above_the_board_with_its_numbers() -> None:
    first = section(batch_size(), "verdicts").blocks[0]

    assert first.kind == "text"
    assert first.text.startswith("Control failed, verdicts are withheld: permuted labels: ")
    assert "mean 12.90 %" in first.text


def test_primary_claims_stand_before_exploratory_ones() -> None:
    made = evidence({"a": UP, "b": FLAT}, claims=(beats("b", "a", primary=False), beats("a", "b")))

    assert [card.claim for card in cards(made)] == ["a>b", "b>a"]


def test_each_number_has_its_key_and_the_command_that_makes_it() -> None:
    made = quickstart()

    table = rows(made, "trials")

    assert [row[3] for row in table] == [trial.key for trial in made.planned]
    assert all(row[4] == f"ablate trial quickstart {row[3]}" for row in table)


def test_methods_name_the_looks_and_what_they_spend() -> None:
    assert "judged at 5 seeds (2.5 %), 10 seeds (2.5 %)" in words(quickstart(), "methods")
    assert "this study has 3." in words(quickstart(), "methods")
    assert "resnet, blocks [1, 1, 1], width 0.25" in words(quickstart(), "methods")


def test_the_cost_counts_every_attempt() -> None:
    made = evidence(
        {"a": [41.0, 42.0]},
        floor=[],
        pixels=None,
        extra=(record("a", 1, 44.0, attempt=2, seconds=100.0),),
    )

    # Seeds 0 and 1 took 25 and 26 seconds, the control 25.
    assert "176 seconds of trials in total" in words(made, "cost")
    assert ["a", "3", "50.3", "151.0"] in rows(made, "cost")


def test_costs_count_the_own_turns_of_trials_that_shared_a_process() -> None:
    made = evidence({"a": [41.0, 42.0]}, floor=[], control=None, pixels=None)
    packed = made.model_copy(
        update={"records": tuple(r.model_copy(update={"own_seconds": 4.0}) for r in made.records)}
    )

    turns = "Of trials that took turns in one process, each counts its own turns."
    assert "51 seconds of trials in total" in words(made, "cost")
    assert turns not in words(made, "cost")
    assert "8 seconds of trials in total" in words(packed, "cost")
    assert turns in words(packed, "cost")


def test_the_cost_has_the_peak_memory_where_it_was_counted() -> None:
    more = {"seconds": 100.0, "peak_memory": 812_345_678}
    made = evidence(
        {"a": [41.0], "b": [40.0]},
        floor=[],
        control=None,
        extra=(record("a", 0, 44.0, attempt=2, **more),),
    )

    assert ["a", "2", "62.5", "125.0", "812"] in rows(made, "cost")
    assert ["b", "1", "25.0", "25.0", ""] in rows(made, "cost")


def test_provenance_tells_few_values_and_counts_the_rest() -> None:
    made = evidence({"a": [40.0] * 7}, floor=[], control=None, pixels=None)
    records = tuple(
        r.model_copy(update={"provenance": {"load": r.seed, "machine": {"cpu": "two cores"}}})
        for r in made.records
    )

    told = words(made.model_copy(update={"records": records}), "provenance")

    assert "machine cpu\ntwo cores" in told
    assert (
        "0 (1 trial); 1 (1 trial); 2 (1 trial); 3 (1 trial); 3 more values in the records" in told
    )


def test_provenance_tells_how_steps_ran_on_a_gpu_and_no_number_hangs_on_it() -> None:
    made = evidence({"a": [40.0] * 5}, floor=[], control=None, pixels=None)
    ran: list[dict[str, Any]] = [
        {"device": "cuda", "captured_steps": 397},
        {"device": "cuda", "captured_steps": 397},
        {"device": "cuda", "captured_steps": 0, "why_eager": "recompute runs parts again"},
        {"device": "cuda"},
        {"device": "cpu", "captured_steps": 0, "why_eager": "graphs are captured on cuda"},
    ]
    records = tuple(
        r.model_copy(update={"facts": {**r.facts, **ran[r.seed]}, "provenance": {}})
        for r in made.records
    )
    told = made.model_copy(update={"records": records})

    assert (
        "steps on the GPU\nreplayed as one graph (2 trials); "
        "kernel by kernel (recompute runs parts again) (1 trial)"
    ) in words(told, "provenance")
    assert words(told, "numbers") == words(made, "numbers")


def test_a_figure_is_followed_by_the_paired_differences() -> None:
    drawings = [b for b in section(projection_head(), "figures").blocks if isinstance(b, Drawing)]

    assert [d.title for d in drawings] == [
        "Linear evaluation by projection head",
        "Paired differences",
    ]
    assert "a non-linear head beats none: +" in drawings[1].alt


def texts_of_numbers(**changes: Any) -> str:
    made = evidence({"a": [60.0, 61.0], "b": [50.0, 51.0]}, pixels=55.0, **changes)
    return " ".join(getattr(block, "text", "") for block in section(made, "numbers").blocks)


def test_raw_pixels_are_compared_with_arms_that_predict_the_same() -> None:
    alike = texts_of_numbers()
    apart = texts_of_numbers(cells={"a": {"predicts": "noise"}})

    assert "1 of 2 arms with the same target have a higher mean" in alike
    assert "0 of 1 arms with the same target have a higher mean" in apart
    assert "always gives the commonest answer" not in alike


def test_what_the_commonest_answer_gives_is_told_where_transformations_are_predicted() -> None:
    extra = [record("a", 0, 60.0, facts={"largest_class_share": 50.0})]
    asked = {"cells": {"a": {"predicts": "noise"}}, "extra": extra}

    told = texts_of_numbers(**asked)

    assert "of the majority-class baselines: noise 50.0 %." in told


def test_a_claim_whose_cells_were_not_run_is_not_told_to_deviate_in_nothing() -> None:
    claims = (beats("a", "b"), beats("c", "d"))
    numbers = {"a": [60.0, 61.0], "b": [50.0, 51.0], "c": [None, None], "d": [None, None]}
    none = {cell: {"deviations": ()} for cell in "abcd"}

    made = evidence(numbers, claims=claims, cells=none)

    told = ["No deviation from the paper." in words(made, ident) for ident in ("claim1", "claim2")]
    assert told == [True, False]


def test_a_number_keeps_its_unit_and_a_command_its_blanks() -> None:
    assert unparted("97.5 % of 3 days") == "97.5\u00a0% of 3\u00a0days"
    assert unparted("ablate run x --only 'rate=10 %'") == "ablate run x --only 'rate=10 %'"
