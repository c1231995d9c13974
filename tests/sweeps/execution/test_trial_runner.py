"""One trial, run in this process: what its record holds, and what happens when it goes wrong."""

import datetime as dt
import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from toy_trials import toy_plan, toy_sweep

from sweeps.errors import StoreError
from sweeps.execution import Outcome, RunSettings, TrialContext, TrialResult, run_here
from sweeps.planning import Plan
from sweeps.record import TrialRecord
from sweeps.storage import Store


def settings(tmp_path: Path, **changes: Any) -> RunSettings:
    return RunSettings(payload={"counter": str(tmp_path / "count")}, **changes)


def run(
    store: Store, plan: Plan, place: int = 0, *, function: str = "toy_trial", **changes: Any
) -> tuple[TrialResult, TrialRecord | None]:
    module = "toy_trials" if function == "toy_trial" else __name__
    ran = run_here(
        plan.trials[place], plan, store, f"{module}:{function}", settings(store.path, **changes)
    )
    return ran, store.record(ran.key, ran.attempt)


def steps(store: Store) -> int:
    return len((store.path / "count").read_text().splitlines())


def test_a_record_holds_all_of_its_trial(store: Store, small_plan: Plan) -> None:
    began = dt.datetime.now(dt.UTC)

    ran, record = run(store, small_plan, provenance={"code": {"commit": "abc"}}, threads=3)

    trial = small_plan.trials[0]
    assert record is not None
    assert ran == TrialResult(trial.key, "finished", None, 1)
    assert (record.cell, record.seed, record.levels, record.role) == ("1", 0, {"x": "1"}, "arm")
    assert record.config == trial.config
    assert record.stages == trial.stages
    assert record.values == {"top1": 10.0, "unknown": None}
    assert record.facts["unknown"] == {"unknown": "not a finite number"}
    assert record.curve == {"step": [0, 1, 2], "loss": [1.0, 1 / 2, 1 / 3]}
    assert record.provenance["code"] == {"commit": "abc"}
    assert (record.provenance["threads"], record.provenance["slots"]) == (3, 1)
    started = dt.datetime.fromisoformat(record.started)
    # The record holds milliseconds.
    assert began - dt.timedelta(milliseconds=1) <= started <= dt.datetime.now(dt.UTC)
    log = (store.path / record.log).read_text()
    assert "a print to stdout" in log
    assert "a print to stderr" in log


def test_a_trial_that_fails_leaves_its_error_in_one_line_and_its_traceback(store: Store) -> None:
    plan = toy_plan(toy_sweep([1]), store.known(), {"1": {"fail": True}})

    ran, record = run(store, plan)

    assert record is not None
    assert (ran.state, ran.error) == ("failed", "ValueError: this trial")
    assert (record.state, record.error, record.values) == ("failed", "ValueError: this trial", {})
    assert "Traceback" in (store.path / record.log).read_text()


def returns_nothing(context: TrialContext) -> Any:
    del context


def returns_words(context: TrialContext) -> Outcome:
    del context
    return Outcome({"top1": "much"})  # pyright: ignore[reportArgumentType] - that is the mistake


def leaves(context: TrialContext) -> Outcome:
    del context
    raise SystemExit(3)


def asks_for_another_stage(context: TrialContext) -> Outcome:
    context.artifact("encder")
    return Outcome({})


def attaches_and_fails(context: TrialContext) -> Outcome:
    context.attach("note.txt", b"as it was")
    context.attach("../note.txt", b"elsewhere")
    return Outcome({})


def test_what_a_trial_attached_stays_with_its_record_though_it_fails(
    store: Store, small_plan: Plan
) -> None:
    ran, record = run(store, small_plan, function="attaches_and_fails")

    assert record is not None
    assert record.files == ("note.txt",)
    folder = store.trials / ran.key / "001"
    assert (folder / "files" / "note.txt").read_bytes() == b"as it was"
    assert ran.error == "ValueError: a file of a record must have a plain name, got '../note.txt'"
    assert not (folder / "note.txt").exists()


@pytest.mark.parametrize(
    ("function", "error"),
    [
        (
            "asks_for_another_stage",
            "ValueError: this trial has no stage 'encder'; it has encoder, evaluation",
        ),
        ("returns_nothing", "must return an Outcome, got NoneType"),
        ("returns_words", "TypeError: a metric must be a number or None, got 'much'"),
        ("leaves", "SystemExit: 3"),
        ("is_not_there", "has no attribute 'is_not_there'"),
    ],
)
def test_a_trial_function_that_is_wrong_is_a_failed_trial(
    store: Store, small_plan: Plan, function: str, error: str
) -> None:
    ran, _ = run(store, small_plan, function=function)

    assert ran.state == "failed"
    assert error in str(ran.error)


def test_trouble_with_the_store_is_no_failure_of_the_trial(
    store: Store, small_plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(StoreError, match="the disk is full"):
        run(store, small_plan)

    assert store.summaries() == ()


def test_again_keeps_the_earlier_attempt_and_uses_nothing_of_it(
    store: Store, small_plan: Plan
) -> None:
    run(store, small_plan)
    again = toy_plan(toy_sweep([1, 2]), store.known(), again=True)
    assert again.trials[0].rerun

    _, record = run(store, again)

    assert record is not None
    assert [one.attempt for one in store.records([record.key])] == [1, 2]
    assert (record.reused, steps(store)) == ((), 6)


def test_a_new_readout_takes_the_encoder_and_trains_nothing(store: Store, small_plan: Plan) -> None:
    run(store, small_plan)
    trained = steps(store)
    newer = toy_plan(toy_sweep([1, 2], readout=2), store.known())
    assert newer.trials[0].reason == "evaluation missing"

    _, record = run(store, newer)

    assert record is not None
    assert (record.values["top1"], record.reused, steps(store)) == (10.0, ("encoder",), trained)


def test_keep_none_leaves_no_artifact(store: Store, small_plan: Plan) -> None:
    run(store, small_plan, keep="none")

    assert store.artifacts() == {}


def test_nothing_is_left_of_a_run_but_its_record(store: Store, small_plan: Plan) -> None:
    run(store, small_plan)

    assert list(store.running.iterdir()) == []
    launches = (store.study("toy@smoke") / "launches.jsonl").read_text().splitlines()
    assert [json.loads(line).get("finished") for line in launches] == [None, 1]


def test_a_store_error_inside_a_trial_is_no_failure_of_the_trial(
    store: Store, small_plan: Plan
) -> None:
    with pytest.raises(StoreError, match="closed in mid-run"):
        run(store, small_plan, function="store_closed")

    assert store.summaries() == ()


def store_closed(_: TrialContext) -> Outcome:
    raise StoreError("the store was closed in mid-run")
