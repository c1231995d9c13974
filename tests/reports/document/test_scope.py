"""Page one: the scorecard, and what this run took next to a full replication."""

from typing import Any

import pytest
from made_document import document_of
from made_evidence import beats, evidence, key_of, record
from made_studies import STUDIES, batch_size, quickstart

from reports.document.blocks import Table
from reports.judging.verdict_board import board
from reports.spec import Pretraining, Scope
from reports.spec.evidence import Evidence
from sweeps.record import Stage

HOUR = 3600.0


def pretraining(**changes: Any) -> Pretraining:
    fields: dict[str, Any] = {
        "data": "textures",
        "images": 100,
        "size": 32,
        "epochs": 10,
        "batch": 64,
        "network": "small",
        "operations": 1000,
    }
    return Pretraining(**fields | changes)


PAPER = pretraining(data="ImageNet", images=1_281_167, size=224, epochs=100, batch=4096)
SCOPE = Scope(
    here={"a": pretraining(), "b": pretraining(epochs=20, operations=2000)},
    full={
        "a": PAPER.model_copy(update={"operations": 3 * 10**6}),
        "b": PAPER.model_copy(update={"operations": 3 * 10**6, "network": "ResNet-50"}),
        "c": PAPER.model_copy(update={"operations": 3 * 10**6}),
    },
    full_seeds=5,
    papers=PAPER.model_copy(update={"operations": 3 * 10**6}),
)


def made(scope: Scope = SCOPE, seconds: float | None = 10.0) -> Evidence:
    """Two arms with two seeds and their floor; each encoder of an arm trained for some seconds."""
    plain = evidence({"a": [40.0, 41.0], "b": [30.0, 31.0]}, pixels=None, control=None)
    records = tuple(
        one.model_copy(
            update={
                "facts": one.facts | {"pretraining_seconds": seconds, "num_parameters": 7},
                "stages": (Stage(name="encoder", key=f"e-{one.key}"),),
                "seconds": HOUR,
            }
        )
        for one in plain.records
    )
    return plain.model_copy(update={"records": records, "scope": scope})


def page_one(evidence: Evidence) -> dict[str, Table]:
    """The tables of the first section by their names."""
    first = document_of(evidence).sections[0]
    return {block.ident: block for block in first.blocks if isinstance(block, Table)}


def scope_of(evidence: Evidence) -> dict[str, tuple[str, str]]:
    rows = page_one(evidence)["scope"].rows
    return {row[0].text: (row[1].text, row[2].text) for row in rows}


def test_the_first_section_has_the_scorecard_and_then_the_scope() -> None:
    assert list(page_one(made())) == ["scope"]
    claimed = made().model_copy(update={"claims": (beats("a", "b"),)})
    assert list(page_one(claimed)) == ["scorecard", "scope"]


def test_this_run_stands_next_to_a_full_replication() -> None:
    found = scope_of(made())

    assert found["arms"] == ("2", "3")
    assert found["seeds"] == ("2", "5")
    assert found["encoders trained"] == ("4", "15")
    assert found["training images"] == ("100", "1,281,167")
    assert found["epochs"] == ("10 to 20", "100")
    assert found["batch size"] == ("64", "4,096")
    assert found["network"] == ("small", "small; ResNet-50")
    assert found["parameters of the encoder"] == ("7", "")
    assert found["energy, estimated"] == ("unknown", "unknown")  # no trial says what it ran on


def test_hours_are_those_spent_and_those_at_the_rate_that_was_measured() -> None:
    found = scope_of(made())

    # Two seeds of 1000 and of 2000 operations in 10 s each: 150 a second. 15 encoders of 3e6.
    assert found["operations of pre-training"] == ("6 kFLOP", "45 MFLOP")
    assert found["hours"] == ("6", "about 83.3 at this run's 150 FLOP per second")
    # 15 times the paper's own encoder, which takes 1.5 hours on 128 cores.
    assert found["hours on the paper's hardware"] == ("", "2,880 of one TPU v3 core")


def on(device: str, threads: int = 2, seconds: float = 10.0) -> Evidence:
    """The same run with the device and threads of its trials on record."""
    one = made(seconds=seconds)
    about = {"device": device, "threads": threads}
    records = tuple(r.model_copy(update={"provenance": about}) for r in one.records)
    return one.model_copy(update={"records": records})


@pytest.mark.parametrize(
    ("device", "threads", "watts"), [("cpu", 2, 10.0), ("cpu", 1, 5.0), ("cuda", 1, 300.0)]
)
def test_energy_is_an_estimate_from_the_time_and_an_assumed_power(
    device: str, threads: int, watts: float
) -> None:
    found, caption = scope_of(on(device, threads)), page_one(on(device))["scope"].caption

    ours, full = found["energy, estimated"]
    assert float(ours.removeprefix("about ").removesuffix(" kWh")) == pytest.approx(6 * watts / 1e3)
    hours = 45e6 / 150 / 3600
    assert float(full.removeprefix("about ").removesuffix(" kWh")) == pytest.approx(
        hours * watts / 1e3, rel=5e-3
    )
    assert "Energy is an estimate, not a measurement: 5 W for each thread of a trial" in caption


def test_long_hours_are_rounded_and_also_given_in_years() -> None:
    found = scope_of(on("cpu", seconds=1e7))

    # 45e6 operations at 150e-6 a second: 3e11 s.
    rate = "at this run's 0.00015 FLOP per second"
    assert found["hours"][1] == f"about 83,300,000 (9,510 years) {rate}"
    assert found["energy, estimated"][1] == "about 833,000 kWh"


def test_an_encoder_that_two_trials_share_was_trained_once() -> None:
    one = made()
    keys = {key_of("a", 0): "e", key_of("a", 1): "e", key_of("b", 0): "f", key_of("b", 1): "g"}
    records = tuple(
        r.model_copy(update={"stages": (Stage(name="encoder", key=keys.get(r.key, r.key)),)})
        for r in one.records
    )

    found = scope_of(one.model_copy(update={"records": records}))

    assert found["encoders trained"][0] == "3"
    assert found["operations of pre-training"][0] == "5 kFLOP"


@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        ({"scope": Scope()}, ("unknown", "unknown")),
        (
            {"scope": SCOPE.model_copy(update={"here": {"a": pretraining(operations=None)}})},
            ("unknown", "45 MFLOP"),
        ),
    ],
)
def test_what_is_not_known_is_called_unknown(
    changes: dict[str, Any], lost: tuple[str, str]
) -> None:
    found = scope_of(made(**changes))

    assert found["operations of pre-training"] == lost
    assert found["hours"] == ("6", "unknown")


def test_without_a_time_of_pre_training_no_hours_are_extrapolated() -> None:
    assert scope_of(made(seconds=None))["hours"] == ("6", "unknown")


def test_there_is_no_scope_before_an_arm_is_on_record() -> None:
    nothing = evidence({"a": [None]}, pixels=None, control=None, extra=(record("x", 0, 1.0),))

    assert page_one(nothing) == {}


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.__name__)
def test_the_scorecard_has_the_boards_numbers_and_words(study: Any) -> None:
    rows = {
        row[0].text.removesuffix(" (exploratory)"): [cell.text for cell in row[1:]]
        for row in page_one(study())["scorecard"].rows
    }

    assert list(rows) == [row.claim for row in board(study()).rows]
    for row in board(study()).rows:
        paper, ours, interval, verdict, seeds = rows[row.claim]
        assert (ours, verdict, seeds) == (row.estimate, row.words, str(row.n))
        assert interval.startswith(row.interval if row.level else "")
        assert interval.endswith(row.level)
        assert paper in {row.published, "no number", "its table"} or study is quickstart


def test_the_papers_number_is_there_for_reference_where_it_is_not_compared() -> None:
    synthetic, paper = page_one(quickstart())["scorecard"], page_one(batch_size())["scorecard"]

    assert [row[1].text for row in synthetic.rows] == ["+23.2 points", "no number", "no number"]
    assert {row[1].tone for row in synthetic.rows} == {"quiet"}
    assert "for reference only, not comparable" in synthetic.caption
    assert paper.rows[0][1].tone == "plain"
    assert "for reference" not in paper.caption
