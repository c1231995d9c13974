"""A budget lets whole rounds of seeds begin, stops no trial, and depends on durations alone."""

import heapq
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from launching import Scene
from made_records import commit
from toy_trials import toy_plan, toy_sweep

from sweeps.execution.budget import Budget, Limit, Pace, may_begin, needed
from sweeps.execution.heartbeat import pace_file
from sweeps.execution.launch import Launch
from sweeps.execution.trial_runner import RunSettings
from sweeps.planning import Known, Plan, Trial
from sweeps.storage import Store, read_json

SECONDS = st.floats(0.5, 60.0)


def trials(cells: int, seeds: int) -> tuple[Trial, ...]:
    sweep = toy_sweep(list(range(1, cells + 1)), seeds=tuple(range(seeds)))
    return toy_plan(sweep, Known()).todo


class Clock:
    """The time of a simulated launch."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def simulated(
    todo: tuple[Trial, ...], budget: Budget, slots: int, slower: float, folder: Path
) -> list[tuple[Trial, float]]:
    """Each trial that begins, with its end, if all take `slower` times as long as expected."""
    for file in folder.glob("launch.*"):
        file.unlink()
    limit = Limit(ends=budget.seconds, needed=needed(todo, budget.expected, slots))
    pace, clock = Pace(budget, folder, "launch"), Clock()
    free, running, ran = [0.0] * slots, list[tuple[float, str]](), list[tuple[Trial, float]]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.time", clock)
        for trial in todo:
            clock.now = heapq.heappop(free)
            while running and running[0][0] <= clock.now:
                _, key = heapq.heappop(running)
                pace.took(key, slower * budget.expected[key])
            if may_begin(limit, trial.key, folder, "launch"):
                end = clock.now + slower * budget.expected[trial.key]
                ran.append((trial, end))
                heapq.heappush(running, (end, trial.key))
            else:
                end = clock.now
            heapq.heappush(free, end)
    return ran


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.floats(1.0, 400.0), st.data())
def test_where_trials_take_what_was_expected_all_end_in_time(
    tmp_path: Path, cells: int, seeds: int, slots: int, limit: float, data: st.DataObject
) -> None:
    todo = trials(cells, seeds)
    expected = {trial.key: data.draw(SECONDS) for trial in todo}

    ran = simulated(todo, Budget(limit, expected), slots, 1.0, tmp_path)

    assert all(end <= limit for _, end in ran)
    assert [trial for trial, _ in ran] == list(todo[: len(ran)])  # none after one that may not


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 400))
def test_with_one_slot_only_whole_rounds_run(
    tmp_path: Path, cells: int, seeds: int, limit: int
) -> None:
    todo = trials(cells, seeds)

    ran = simulated(todo, Budget(limit, {t.key: 16.0 for t in todo}), 1, 1.0, tmp_path)

    assert len(ran) == cells * min(seeds, limit // (16 * cells))


def test_what_trials_took_so_far_corrects_what_is_expected(tmp_path: Path) -> None:
    todo = trials(2, 5)
    budget = Budget(100.0, {trial.key: 10.0 for trial in todo})

    ran = {factor: simulated(todo, budget, 1, factor, tmp_path) for factor in (1.0, 2.0, 0.5)}
    quick = simulated(todo, Budget(50.0, budget.expected), 1, 0.5, tmp_path)

    assert {factor: len(of) for factor, of in ran.items()} == {1.0: 10, 2.0: 4, 0.5: 10}
    assert len(quick) == 10


def test_the_first_trial_of_a_round_needs_the_time_of_all_in_their_slots() -> None:
    todo = trials(3, 2)
    expected = dict(zip((t.key for t in todo), (10.0, 20.0, 60.0, 10.0, 20.0, 30.0), strict=True))

    assert list(needed(todo, expected, 1).values()) == [90.0, 20.0, 60.0, 60.0, 20.0, 30.0]
    assert list(needed(todo, expected, 2).values()) == [60.0, 20.0, 60.0, 30.0, 20.0, 30.0]


def test_unknown_durations_let_trials_begin_until_the_time_is_over(tmp_path: Path) -> None:
    (trial,) = trials(1, 1)
    left, over = (Limit(ends=time.time() + ahead, needed={trial.key: 0.0}) for ahead in (60, -1))

    assert may_begin(None, trial.key, tmp_path, "a")
    assert may_begin(left, trial.key, tmp_path, "a")
    assert not may_begin(over, trial.key, tmp_path, "a")
    assert not may_begin(left, trial.key, tmp_path, "a")  # after one that may not, none may
    assert may_begin(left, trial.key, tmp_path, "another launch")


def test_a_trial_that_failed_says_nothing_of_how_long_others_take(
    store: Store, small_plan: Plan
) -> None:
    first, second, *_ = todo = small_plan.todo
    launch = Launch(
        plan=small_plan,
        store=store,
        function="toy_trials:toy_trial",
        settings=RunSettings(slots=1),
        todo=list(todo),
        on_progress=None,
        on_record=None,
        budget=Budget(100.0, {trial.key: 8.0 for trial in todo}),
    )
    commit(store, first, state="failed", error="Diverged: early", values={}, seconds=0.5)
    commit(store, second, seconds=2.0)

    launch.take_result([first.key, "failed", "Diverged: early", 1])
    assert not pace_file(store.running, launch.name).exists()
    launch.take_result([second.key, "finished", None, 1])

    assert read_json(pace_file(store.running, launch.name)) == {"factor": 0.25}


@pytest.mark.proof
def test_a_launch_ends_with_its_budget_and_another_goes_on(tmp_path: Path) -> None:
    levels = {"levels": [1, 2], "seeds": [0, 1, 2]}
    with Scene(tmp_path) as scene:
        limit = {"seconds": 500.0, "by_seed": [0.5, 100000.0, 0.5]}
        first = scene.run("first", budget=limit, **levels)
        after_first = scene.steps()
        left = list(scene.store.glob("running/*"))
        second = scene.run("second", **levels)

        assert (len(first["finished"]), first["failed"], first["died"]) == (2, [], [])
        assert first["held"]
        assert first["stopped"] is None
        assert len(first["left"]) == 4
        assert after_first == {"1:0": 3, "2:0": 3}  # seed 2 would fit, and waits for its turn
        assert left == []
        assert len(second["finished"]) == 4
        assert not second["held"]
        assert scene.steps() == {f"{level}:{seed}": 3 for level in (1, 2) for seed in range(3)}
