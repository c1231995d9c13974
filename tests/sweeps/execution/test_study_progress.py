"""Progress and time left, from records and heartbeats."""

import json
import os
from pathlib import Path

import pytest
from made_records import commit
from toy_trials import toy_plan, toy_sweep

from sweeps.execution import progress
from sweeps.execution.heartbeat import Heartbeat
from sweeps.execution.study_progress import Running
from sweeps.planning import Plan
from sweeps.processes import ProcessMark, mark_of, this_process
from sweeps.storage import Spent, Store, load_plan, plans
from sweeps.storage.launch_log import save_plan
from sweeps.suggest import did_you_mean


def test_cells_show_what_is_finished_failed_and_left(half_done: Store, small_plan: Plan) -> None:
    state = progress(half_done, small_plan)

    assert [(row.cell, row.total) for row in state.cells] == [("1", 2), ("2", 2)]
    assert (state.total, state.finished, state.failed) == (4, 1, 1)
    assert state.cells[0].values("top1") == [50.0]
    assert state.cells[1].values("top1") == []


def test_the_time_left_is_that_of_the_cells_own_trials_over_the_processes(
    half_done: Store, small_plan: Plan
) -> None:
    # One trial of cell 1 took 2 s; the other of cell 1 and one of cell 2 are left, the failed one
    # is not run: (2 + 2) / processes.
    assert progress(half_done, small_plan, processes=1).eta_seconds == pytest.approx(4.0)
    assert progress(half_done, small_plan, processes=2).eta_seconds == pytest.approx(2.0)


def test_nothing_is_guessed_before_anything_is_measured(store: Store, small_plan: Plan) -> None:
    state = progress(store, small_plan)

    assert state.eta_seconds is None


def test_a_running_trial_shows_by_its_heartbeat_while_its_process_lives(
    store: Store, small_plan: Plan
) -> None:
    trial = small_plan.trials[0]
    with Heartbeat(store.running, trial, study="toy", launch="l", driver=None):
        [running] = progress(store, small_plan).running
        assert (running.key, running.fraction) == (trial.key, None)

    assert progress(store, small_plan).running == ()


def test_a_trial_that_has_only_begun_projects_nothing() -> None:
    def shown(done: int) -> Running:
        return Running("k", "1", 0, done / 100, metrics={}, seconds=30.0, own_seconds=10.0)

    assert (shown(2).projected(), shown(2).left()) == (None, None)
    # A quarter took 10 s of its own turns; 30 s went by meanwhile, so the rest takes three times that.
    assert (shown(25).projected(), shown(25).left()) == (pytest.approx(40.0), pytest.approx(90.0))


def test_the_time_left_counts_own_turns_over_processes_not_what_went_by(
    store: Store, small_plan: Plan
) -> None:
    # Of four trials two are done, which took turns: 8 s each went by, 2 s and 4 s were their own.
    for trial, own in zip(small_plan.trials[:2], (2.0, 4.0), strict=True):
        commit(store, trial, seconds=8.0, own_seconds=own)

    assert progress(store, small_plan, processes=1).eta_seconds == pytest.approx(2 * 3.0)
    assert progress(store, small_plan, processes=2).eta_seconds == pytest.approx(3.0)


def test_the_time_left_is_no_shorter_than_that_of_the_longest_running_trial(
    store: Store, small_plan: Plan
) -> None:
    *done, last = small_plan.trials
    for trial in done:
        commit(store, trial, seconds=8.0, own_seconds=2.0)
    with Heartbeat(store.running, last, study="toy", launch="l", driver=None) as heartbeat:
        heartbeat.done, heartbeat.total = 1.0, 4.0
        heartbeat.earlier = Spent(8.0, 2.0)
        heartbeat._write()

        # A quarter took 2 s of its own, but 8 s went by.
        left = progress(store, small_plan, processes=1).eta_seconds

    assert left == pytest.approx(24.0, abs=1.0)


def test_a_process_number_that_was_given_out_again_is_another_process() -> None:
    me = this_process()

    assert me.alive()
    assert not ProcessMark(os.getpid(), "another moment", me.host).alive()
    assert not ProcessMark(2**22 + 1, "1", me.host).alive()


@pytest.mark.parametrize("note", [[1], {}, {"pid": "abc"}, {"pid": None}, "x", None])
def test_a_torn_note_names_a_process_that_does_not_run(note: object) -> None:
    assert not mark_of(note).alive()


def test_the_last_plan_is_read_back_and_a_torn_one_is_none(store: Store, small_plan: Plan) -> None:
    save_plan(store, small_plan)
    assert load_plan(store, small_plan.label) == small_plan
    assert plans(store) == {small_plan.label: small_plan}

    file: Path = store.study(small_plan.label) / "plan.json"
    text = file.read_text()
    for other in ('"todo":1,"x":1', '"done":true'):
        file.write_text(text.replace('"todo":true', other))
        assert plans(store) == {small_plan.label: None}
    file.write_text(text[:100])

    assert load_plan(store, small_plan.label) is None
    assert plans(store) == {}


def test_rerun_trials_count_when_their_new_record_is_there(store: Store) -> None:
    plan = toy_plan(toy_sweep([1], seeds=(0,)), store.known())
    commit(store, plan.trials[0], launch="first")
    again = toy_plan(toy_sweep([1], seeds=(0,)), store.known(), again=True)

    assert progress(store, again, since="second").finished == 0
    commit(store, plan.trials[0], launch="second")
    assert progress(store, again, since="second").finished == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Crop", "; did you mean 'crop'?"),
        ("colur", "; did you mean 'colour'?"),
        ("zzz", "; there are 'crop', 'colour'"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(name: str, words: str) -> None:
    assert did_you_mean(name, ["crop", "colour"]) == words


def test_a_heartbeat_that_a_killed_process_left_is_no_running_trial(
    store: Store, small_plan: Plan
) -> None:
    with Heartbeat(store.running, small_plan.trials[0], study="toy", launch="l", driver=None):
        [file] = store.running.glob("*.json")
        note = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps(note | {"began": "another moment"}), "utf-8")

    assert progress(store, small_plan).running == ()
