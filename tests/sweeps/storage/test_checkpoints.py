"""A stage that was broken off is gone on with, and its checkpoint goes when nobody needs it."""

import json
import multiprocessing
import time
from pathlib import Path
from typing import Any

import pytest
from full_disk import files_of_at_most
from toy_trials import toy_plan, toy_sweep

from sweeps.execution import Outcome, RunSettings, TrialContext, TrialResult, run_here
from sweeps.execution.heartbeat import stop_file
from sweeps.planning import Plan
from sweeps.record import TrialRecord
from sweeps.storage import Store
from sweeps.storage.checkpoints import Spent, StageCheckpoint
from sweeps.storage.seals import sealed

STEPS = 6


def resumable(context: TrialContext) -> Outcome:
    """Six steps of a stage, saved after each; breaks off, fails or is told to stop after one."""
    how = context.payload
    encoder = context.artifact("encoder")
    resumed = 0
    if encoder is None:
        checkpoint = context.checkpoint("encoder")
        resumed = int((checkpoint.load() or b"0").split()[0])
        for step in range(resumed + 1, STEPS + 1):
            with Path(how["counter"]).open("a") as file:
                file.write(f"{step}\n")
            checkpoint.save(b"%d " % step + b"." * how.get("size", 0))
            time.sleep(how.get("pause", 0.0))
            _end(context, step)
            if context.stopped:
                return Outcome({})
        context.save_artifact("encoder", lambda folder: (folder / "weights").write_text("whole"))
    if how.get("break_at") == "evaluation":
        raise KeyboardInterrupt
    return Outcome({"top1": 1.0}, {"resumed": resumed})


def _end(context: TrialContext, step: int) -> None:
    how = context.payload
    if how.get("break_at") == step:
        raise KeyboardInterrupt  # as a kill, it passes by all that would take a failure down
    if how.get("fail_at") == step:
        raise ValueError("told to")
    if how.get("stop_at") == step:
        stop_file(context.store.running, how["launch"] or context._launch).touch()
        while not context.should_stop():
            time.sleep(0.05)


def run(store: Store, plan: Plan, place: int = 0, *, keep: Any = "last", **how: Any) -> TrialResult:
    settings = RunSettings(
        payload={"counter": str(store.path / "count"), "launch": None, **how}, keep=keep
    )
    return run_here(plan.trials[place], plan, store, f"{__name__}:resumable", settings)


def broken_off(store: Store, plan: Plan, step: int | str, **how: Any) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(store, plan, break_at=step, **how)


def record_of(store: Store, ran: TrialResult) -> TrialRecord:
    record = store.record(ran.key, ran.attempt)
    assert record is not None
    return record


def steps(store: Store) -> list[int]:
    return [int(line) for line in (store.path / "count").read_text().split()]


def checkpoints(store: Store) -> list[str]:
    folder = store.path / "checkpoints"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def file_of(store: Store, plan: Plan, place: int = 0) -> Path:
    return store.checkpoint("encoder", plan.trials[place].stages[0].key)


@pytest.mark.parametrize("keep", ["last", "none"])
def test_an_interrupted_stage_is_resumed_and_then_its_checkpoint_is_gone(
    store: Store, small_plan: Plan, keep: str
) -> None:
    broken_off(store, small_plan, 4, keep=keep)
    assert checkpoints(store) == [file_of(store, small_plan).name]

    ran = run(store, small_plan, keep=keep)

    record = record_of(store, ran)
    assert (record.state, record.facts["resumed"]) == ("finished", 4)
    assert steps(store) == [1, 2, 3, 4, 5, 6]
    assert checkpoints(store) == []
    assert "resuming from" in (store.path / record.log).read_text()


def test_a_record_counts_the_seconds_of_all_launches(store: Store, small_plan: Plan) -> None:
    broken_off(store, small_plan, 3, pause=0.1)
    broken_off(store, small_plan, 5, pause=0.1)

    record = record_of(store, run(store, small_plan))

    # The third and the fifth step were saved before their pause: two and one stand in the files.
    assert 0.3 <= record.earlier_seconds <= record.seconds
    assert record.seconds - record.earlier_seconds < record.seconds - 0.29
    whole = record_of(store, run(store, small_plan, place=1))
    assert whole.earlier_seconds == 0.0


@pytest.mark.parametrize("own", [400.0, None])
def test_a_heartbeat_has_the_seconds_of_all_launches(
    store: Store, small_plan: Plan, own: float | None
) -> None:
    from sweeps.execution.heartbeat import Heartbeat

    trial = small_plan.trials[0]
    with Heartbeat(store.running, trial, study="s", launch="l", driver=None) as heartbeat:
        context = TrialContext(trial, store, {}, launch="l", lasting=True, heartbeat=heartbeat)
        context.checkpoint("encoder").save(b"x")
        about, _, packed = file_of(store, small_plan).read_bytes().partition(b"\n")
        told = sealed(json.loads(about) | {"seconds": 1000.0, "own_seconds": own})
        file_of(store, small_plan).write_bytes(json.dumps(told).encode() + b"\n" + packed)

        assert context.checkpoint("encoder").load() == b"x"
        assert heartbeat.earlier == Spent(1000.0, own)
        spent = context.spent()
        assert 1000.0 <= spent.seconds < 1010.0
        assert (own is None) == (spent.own is None)
        assert own is None or 400.0 <= (spent.own or 0.0) < 410.0
        context.checkpoint("encoder").refuse("is not liked")
        assert heartbeat.earlier == Spent(0.0, 0.0)


def test_a_trial_that_fails_leaves_no_checkpoint(store: Store, small_plan: Plan) -> None:
    assert run(store, small_plan, fail_at=4).state == "failed"
    assert checkpoints(store) == []

    again = toy_plan(toy_sweep([1, 2]), store.known(), failed=True)
    run(store, again)

    assert steps(store) == [1, 2, 3, 4, 1, 2, 3, 4, 5, 6]


def test_a_trial_that_was_stopped_resumes_at_the_next_launch(
    store: Store, small_plan: Plan
) -> None:
    assert run(store, small_plan, stop_at=2).state == "stopped"
    assert store.summaries() == ()

    record = record_of(store, run(store, small_plan))

    assert (record.facts["resumed"], steps(store)) == (2, [1, 2, 3, 4, 5, 6])


def test_a_trial_that_was_interrupted_after_the_stage_reuses_the_artifact(
    store: Store, small_plan: Plan
) -> None:
    broken_off(store, small_plan, "evaluation")
    assert checkpoints(store) == []

    record = record_of(store, run(store, small_plan))

    assert (record.reused, steps(store)) == (("encoder",), [1, 2, 3, 4, 5, 6])


def test_a_trial_that_shares_the_stage_resumes_it(store: Store, small_plan: Plan) -> None:
    broken_off(store, small_plan, 4)
    newer = toy_plan(toy_sweep([1, 2], readout=2), store.known())
    assert newer.trials[0].key != small_plan.trials[0].key

    assert record_of(store, run(store, newer)).facts["resumed"] == 4
    assert checkpoints(store) == []


def test_a_rerun_trial_uses_nothing_of_an_earlier_launch(store: Store, small_plan: Plan) -> None:
    run(store, small_plan, keep="none")
    again = toy_plan(toy_sweep([1, 2]), store.known(), again=True)
    assert again.trials[0].rerun
    broken_off(store, again, 4, keep="none")
    assert checkpoints(store) != []

    record = record_of(store, run(store, again, keep="none"))

    assert (record.facts["resumed"], record.attempt) == (0, 2)
    assert steps(store) == [1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 1, 2, 3, 4, 5, 6]
    assert checkpoints(store) == []


# ------------------------------------------------------------------------------------ torn, full


def _of_another(whole: bytes) -> bytes:
    """A checkpoint that is whole, under the name of this one."""
    line, _, packed = whole.partition(b"\n")
    about = json.loads(line)
    del about["seal"]
    return json.dumps(sealed(about | {"of": "encoder-0123"})).encode() + b"\n" + packed


TORN = {
    "empty": (lambda _: b"", "JSONDecodeError: Expecting value: line 1 column 1 (char 0)"),
    "cut in its bytes": (lambda whole: whole[:-3], "ValueError: 9 of 12 bytes"),
    "cut in its line": (lambda whole: whole[:20], "JSONDecodeError: "),
    "one bit": (
        lambda whole: whole[:-1] + bytes([whole[-1] ^ 1]),
        "ValueError: its content changed",
    ),
    "longer": (lambda whole: whole + b"x", "ValueError: 13 of 12 bytes"),
    "no JSON": (lambda whole: b"{" + whole, "JSONDecodeError: "),
    "a list": (lambda _: b"[1]\nx", "TypeError: its first line is not a mapping"),
    "a field too few": (
        lambda whole: whole.replace(b'"launch"', b'"lunch"'),
        "ValueError: its first line changed",
    ),
    "another's": (_of_another, "ValueError: it belongs to encoder-0123"),
    "binary": (lambda _: b"\xff\x00\xfe", "UnicodeDecodeError: "),
}


@pytest.mark.parametrize("how", TORN)
def test_a_torn_checkpoint_is_logged_and_the_stage_starts_from_scratch(
    store: Store, small_plan: Plan, how: str
) -> None:
    broken_off(store, small_plan, 4, size=10)
    file = file_of(store, small_plan)
    harm, why = TORN[how]
    file.write_bytes(harm(file.read_bytes()))

    record = record_of(store, run(store, small_plan))

    assert (record.facts["resumed"], record.earlier_seconds) == (0, 0.0)
    log = (store.path / record.log).read_text()
    [told] = [line for line in log.splitlines() if "the checkpoint " in line]
    assert f"the checkpoint {file} cannot be read ({why}" in told
    assert told.endswith("); the stage starts from scratch")
    assert why.endswith(": ") or f"({why});" in told


def test_a_full_disk_is_logged_once_and_the_trial_continues(store: Store, small_plan: Plan) -> None:
    with files_of_at_most(100_000):
        ran = run(store, small_plan, size=200_000)

    record = record_of(store, ran)
    assert record.state == "finished"
    log = (store.path / record.log).read_text()
    assert log.count("no checkpoint was saved: the disk is full") == 1
    assert checkpoints(store) == []


def test_a_full_disk_leaves_what_was_saved_before(store: Store, small_plan: Plan) -> None:
    broken_off(store, small_plan, 2)

    with files_of_at_most(100_000):
        broken_off(store, small_plan, 4, size=200_000)

    assert checkpoints(store) == [file_of(store, small_plan).name]
    assert record_of(store, run(store, small_plan)).facts["resumed"] == 2


def test_a_checkpoint_of_an_earlier_version_does_not_say_whose_turns_it_counted(
    tmp_path: Path,
) -> None:
    place = _place(tmp_path / "encoder-k")
    place.save(b"x")
    about, _, packed = (tmp_path / "encoder-k").read_bytes().partition(b"\n")
    older = {name: value for name, value in json.loads(about).items() if name != "own_seconds"}
    (tmp_path / "encoder-k").write_bytes(json.dumps(sealed(older)).encode() + b"\n" + packed)

    assert place.load() == b"x"
    assert place.earlier == Spent(1.0, None)


def _place(file: Path) -> StageCheckpoint:
    return StageCheckpoint(
        file,
        trial="t",
        launch="l",
        rerun=False,
        spent=lambda: Spent(1.0, 1.0),
        log=print,
        on_resume=lambda: None,
    )


def _save_until_killed(file: Path) -> None:
    place, number = _place(file), 0
    while True:
        number += 1
        place.save(bytes([number % 256]) * 300_000)


@pytest.mark.parametrize("moment", [0.04, 0.09, 0.13])
def test_a_writer_that_is_killed_leaves_a_whole_one(
    store: Store, small_plan: Plan, moment: float, capsys: pytest.CaptureFixture[str]
) -> None:
    file = file_of(store, small_plan)
    writer = multiprocessing.get_context("fork").Process(target=_save_until_killed, args=(file,))
    writer.start()
    while not file.exists():
        time.sleep(0.005)
    writer.join(moment)
    writer.kill()
    writer.join()

    found = _place(file).load()

    assert found is not None
    assert found == found[:1] * 300_000
    assert "cannot be read" not in capsys.readouterr().out
    store.clear_leftovers()
    assert checkpoints(store) == [file.name]


# ------------------------------------------------------------------------------------ leftovers


def test_what_a_kill_left_of_stages_and_trials_that_are_done_goes_at_the_next_launch(
    store: Store, small_plan: Plan
) -> None:
    files = [file_of(store, small_plan, place) for place in range(4)]
    broken_off(store, small_plan, 4)
    wanted = files[0].read_bytes()
    done = record_of(store, run(store, small_plan, keep="none"))
    with store.save_artifact(
        "encoder", small_plan.trials[1].stages[0].key, launch="l", lasting=True
    ):
        pass
    of_the_launch = wanted.replace(
        json.loads(wanted.split(b"\n")[0])["launch"].encode(), done.launch.encode()
    )
    files[0].write_bytes(of_the_launch)  # killed between the record and the end of its checkpoint
    files[1].write_bytes(wanted)  # killed between the artifact and the end of its checkpoint
    files[2].write_bytes(wanted)  # a trial broken off: an earlier launch's, wanted
    assert done.key == small_plan.trials[0].key

    store.clear_checkpoints()

    assert checkpoints(store) == [files[2].name]


def test_a_checkpoint_of_a_failed_trial_that_is_run_once_more_stays(
    store: Store, small_plan: Plan
) -> None:
    assert run(store, small_plan, fail_at=1).state == "failed"
    failed = toy_plan(toy_sweep([1, 2]), store.known(), failed=True)
    broken_off(store, failed, 5)

    assert record_of(store, run(store, failed)).facts["resumed"] == 5


def test_checkpoints_are_no_artifacts(store: Store, small_plan: Plan) -> None:
    broken_off(store, small_plan, 4)

    assert store.artifacts() == {}
    assert toy_plan(toy_sweep([1, 2]), store.known()).trials[0].reason == "missing"
