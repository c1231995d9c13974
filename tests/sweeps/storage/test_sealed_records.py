"""A record that changed since it was written is set aside, whatever changed in it."""

import json
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_records import commit, made_record
from toy_trials import toy_plan, toy_sweep

from sweeps.execution import Outcome, RunSettings, TrialContext, run_here
from sweeps.planning import Plan
from sweeps.planning.keys import chain_keys
from sweeps.record import TrialRecord
from sweeps.storage import Store
from sweeps.storage.seals import sealed


def file_of(store: Store, plan: Plan) -> Path:
    return store.trials / plan.trials[0].key / "001" / "record.json"


def edit(file: Path, *, reseal: bool = False, **changes: Any) -> None:
    about = json.loads(file.read_text()) | changes
    file.write_text(json.dumps(sealed(about) if reseal else about))


EDITS: dict[str, dict[str, Any]] = {
    "another number": {"values": {"top1": 99.0}},
    "a huge number": {"values": {"top1": 1e308}},
    "another configuration": {"config": {"steps": 1}},
    "negative seconds": {"seconds": -5.0},
    "another seed": {"seed": 7},
    "another cell": {"cell": "2"},
    "no error": {"state": "finished", "error": None, "values": {"top1": 1.0}, "reused": ["x"]},
    "another curve": {"curve": {"step": [0], "loss": [0.0]}},
    "another fact": {"facts": {"encoder_hash_before": "0"}},
    "no seal": {"seal": None},
}


@pytest.mark.parametrize("how", EDITS)
@pytest.mark.parametrize("index", [True, False])
def test_an_edited_record_is_set_aside_with_one_message_and_its_trial_runs_again(
    half_done: Store, small_plan: Plan, how: str, *, index: bool
) -> None:
    if index:
        half_done.summaries()
    file = file_of(half_done, small_plan)
    before = file.stat()
    edit(file, **EDITS[how])
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    store = Store(half_done.path)

    plan = toy_plan(toy_sweep([1, 2]), store.known())

    assert plan.trials[0].reason != "finished"
    assert plan.trials[0].todo
    [told] = store.messages
    assert f"{file.parent} changed since it was written" in told
    assert "it was moved to" in told
    assert list(store.records([small_plan.trials[0].key])) == []


@settings(max_examples=150)
@given(st.data())
def test_no_flipped_bit_of_a_record_goes_unnoticed(data: st.DataObject) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        store = Store(scratch)
        store.prepare()
        trial = toy_plan(toy_sweep([1, 2]), store.known()).trials[0]
        written = commit(store, trial, values={"top1": 51.25, "other": 1e-7})
        file = store.trials / trial.key / "001" / "record.json"
        content = bytearray(file.read_bytes())
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] ^= 1 << data.draw(st.integers(0, 7))
        file.write_bytes(content)

        read = store.record(trial.key, 1)

        # A bit of white space is a bit of nothing.
        assert read in (None, written)
        assert (read is None) == bool(store.messages)


def test_an_index_that_was_edited_is_not_believed(half_done: Store) -> None:
    expected = half_done.summaries()
    file = half_done.path / "index.jsonl"
    assert "50.0" in file.read_text()
    file.write_text(file.read_text().replace("50.0", "99.0"))

    assert Store(half_done.path).summaries() == expected


# ------------------------------------------------------------------ what no record can say


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seconds": -1.0}, "seconds"),
        ({"earlier_seconds": 5.0}, "earlier_seconds"),
        ({"earlier_seconds": -5.0}, "earlier_seconds"),
        ({"values": {"top1": float("inf")}}, "top1"),
        ({"values": {"top1": float("nan")}}, "top1"),
        ({"started": "yesterday"}, "started"),
        ({"attempt": 0}, "attempt"),
        ({"state": "finished", "error": "it failed"}, "error"),
    ],
)
def test_what_no_trial_can_leave_is_no_record_even_without_a_seal(
    half_done: Store, small_plan: Plan, changes: dict[str, Any], words: str
) -> None:
    file = file_of(half_done, small_plan)
    about = json.loads(file.read_text()) | {"format": 1} | changes
    del about["seal"]
    file.write_text(json.dumps(about))
    store = Store(half_done.path)

    assert [one.state for one in store.summaries()] == ["failed"]
    [told] = store.messages
    assert words in told


@pytest.mark.parametrize("value", [1e308, -3.0, 250.0, 100.5])
@pytest.mark.parametrize("name", ["top1", "head/top5", "knn_top1", "validation_top1"])
def test_an_accuracy_out_of_bounds_is_no_record_without_a_seal(
    half_done: Store, small_plan: Plan, name: str, value: float
) -> None:
    file = file_of(half_done, small_plan)
    about = json.loads(file.read_text()) | {"format": 1}
    del about["seal"]
    about["values"][name] = value
    file.write_text(json.dumps(about))
    store = Store(half_done.path)

    assert [one.state for one in store.summaries()] == ["failed"]
    [told] = store.messages
    assert f"{name}: {value} is out of bounds" in told
    assert "0 to 100" in told


@pytest.mark.parametrize("values", [{"top1": 0.0, "top5": 100.0}, {"uniformity": -3.5}])
def test_bounds_are_those_of_accuracies_alone(
    half_done: Store, small_plan: Plan, values: dict[str, float]
) -> None:
    file = file_of(half_done, small_plan)
    about = json.loads(file.read_text()) | {"format": 1, "values": values}
    del about["seal"]
    file.write_text(json.dumps(about))
    store = Store(half_done.path)

    assert [one.values for one in store.records([small_plan.trials[0].key])] == [values]
    assert store.messages == []


def deep(number: int) -> str:
    return '{"a":' * number + "1" + "}" * number


@pytest.mark.parametrize("field", ["facts", "config", "provenance"])
@pytest.mark.parametrize("number", [100, 900, 100_000])
def test_a_record_that_is_nested_too_deep_is_set_aside_with_one_message(
    half_done: Store, small_plan: Plan, field: str, number: int
) -> None:
    file = file_of(half_done, small_plan)
    about = json.loads(file.read_text()) | {"format": 1, field: "HERE"}
    del about["seal"]
    file.write_text(json.dumps(about).replace('"HERE"', deep(number)))
    store = Store(half_done.path)

    assert [one.state for one in store.summaries()] == ["failed"]
    [told] = store.messages
    assert "it was moved to" in told


def test_a_record_of_a_gigabyte_is_set_aside_unread_with_one_message(
    half_done: Store, small_plan: Plan
) -> None:
    file = file_of(half_done, small_plan)
    os.truncate(file, 10**9)
    store = Store(half_done.path)

    tracemalloc.start()
    try:
        assert [one.state for one in store.summaries()] == ["failed"]
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most < 10**8
    [told] = store.messages
    [aside] = (store.path / "set-aside").iterdir()
    assert told == f"{file.parent} cannot be read (larger than 32 MB); it was moved to {aside}"


def test_a_store_without_its_mark_is_known_by_records_of_any_size(
    half_done: Store, small_plan: Plan
) -> None:
    os.truncate(file_of(half_done, small_plan), 10**9)
    (half_done.path / "store.json").unlink()

    tracemalloc.start()
    try:
        Store(half_done.path).refuse_foreign()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most < 10**8


def test_a_record_of_an_earlier_version_is_read_and_has_no_seal(
    half_done: Store, small_plan: Plan
) -> None:
    file = file_of(half_done, small_plan)
    about = json.loads(file.read_text()) | {"format": 1}
    for name in ("seal", "chain", "notes", "variation"):
        del about[name]
    file.write_text(json.dumps(about))
    store = Store(half_done.path)

    [read] = store.records([small_plan.trials[0].key])

    assert (read.seal, read.values, store.messages) == (None, {"top1": 50.0}, [])
    [other] = store.records([small_plan.trials[1].key])
    assert len(str(other.seal)) == 64


# ------------------------------------------------------------------------------- keys


def identified(context: TrialContext) -> Outcome:
    identity = {name: value for name, value in context.config.items() if name != "readout"}
    context.identify(
        (("encoder", identity), ("evaluation", {"version": context.config["readout"]}))
    )
    return Outcome({"top1": 1.0})


def test_a_record_holds_the_identities_from_which_its_keys_come(
    store: Store, small_plan: Plan
) -> None:
    trial = small_plan.trials[0]
    run_here(trial, small_plan, store, f"{__name__}:identified", RunSettings())

    [record] = store.records()

    assert chain_keys(record.chain) == [(stage.name, stage.key) for stage in trial.stages]


@pytest.mark.parametrize("what", ["identity", "key", "stage"])
def test_a_key_that_its_identities_do_not_give_is_noticed_though_the_seal_fits(
    store: Store, small_plan: Plan, what: str
) -> None:
    trial = small_plan.trials[0]
    run_here(trial, small_plan, store, f"{__name__}:identified", RunSettings())
    file = file_of(store, small_plan)
    about = json.loads(file.read_text())
    match what:
        case "identity":
            about["chain"][0][1]["x"] = 7
        case "key":
            about["key"] = about["key"][::-1]
            about["stages"][-1]["key"] = about["key"]
            home = store.trials / about["key"]
            file.parent.parent.rename(home)
            file = home / "001" / "record.json"
        case _:
            about["stages"][0]["key"] = "0" * 16
    edit(file, reseal=True, **about)
    fresh = Store(store.path)

    assert fresh.summaries() == ()
    [told] = fresh.messages
    assert "its configuration gives" in told


# ------------------------------------------------------------------------- what is kept of them


def test_what_is_committed_is_what_is_read(store: Store, small_plan: Plan) -> None:
    read: Callable[[], TrialRecord | None] = lambda: store.record(small_plan.trials[0].key, 1)  # noqa: E731
    record = made_record(small_plan.trials[0], values={"a": 1e16, "b": -0.0, "c": 5e-324})

    assert store.commit(record, store.running / "no.log") == read()
