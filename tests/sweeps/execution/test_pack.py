"""Several trials at once in one process: each leaves the record that it would leave alone."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pytest
from launching import Scene
from toy_trials import toy_plan, toy_sweep

from sweeps.errors import NeedsRoom
from sweeps.execution import RunSettings, TrialContext
from sweeps.execution.budget import Limit
from sweeps.execution.launch import Launch
from sweeps.execution.pack import HELD, Ended, Pack, PackRun, put_jobs, take_job
from sweeps.execution.trial_context import Outcome
from sweeps.execution.trial_runner import Job
from sweeps.planning import Known, Plan
from sweeps.storage import Store

LEVELS = [1, 2, 3]


def jobs_of(plan: Plan, store: Store, function: str, **payload: Any) -> tuple[Job, ...]:
    settings = RunSettings(slots=3, workers=1, payload={"counter": "counter", **payload})
    return tuple(
        Job(
            study=plan.study,
            scale=plan.scale,
            variation=plan.variation,
            launch="20260101T000000-0000",
            function=function,
            settings=settings,
            store=str(store.path),
            driver=None,
            trials=(trial,),
        )
        for trial in plan.trials
    )


def packed(
    tmp_path: Path, function: str, members: int = 3, by_cell: dict[str, Any] | None = None
) -> tuple[list[Ended], Store]:
    """The results in their order, and the store."""
    store = Store(tmp_path / "store")
    plan = toy_plan(toy_sweep(LEVELS, seeds=(0, 1)), Known(), by_cell)
    jobs = jobs_of(plan, store, function, counter=str(tmp_path / "counter"))
    return list(PackRun(Pack(jobs=jobs, members=members)).results()), store


def steps_in_order(tmp_path: Path) -> list[str]:
    """Cell and seed of each step, as the trials counted them."""
    lines = (tmp_path / "counter").read_text().splitlines()
    return [" ".join(line.split()[1:3]) for line in lines]


@pytest.mark.parametrize("together", [False, True])
def test_a_worker_begins_no_trial_once_the_time_is_over(tmp_path: Path, *, together: bool) -> None:
    from sweeps.execution.worker import _alone, _together

    store, plan = Store(tmp_path / "store"), toy_plan(toy_sweep([1]), Known())
    store.prepare()
    first = jobs_of(plan, store, "toy_trials:toy_trial", counter=str(tmp_path / "counter"))[0]
    over = Limit(ends=time.time() - 1, needed={first.trials[0].key: 0.0})
    pack = Pack(jobs=(first.model_copy(update={"limit": over}),), members=1)

    ended = [one for one, _ in (_together if together else _alone)(pack)]

    assert ended == [(first.trials[0].key, HELD, None, 0)]
    assert not (tmp_path / "counter").exists()
    assert not store.summaries()


def test_members_take_turns_step_by_step_and_the_next_job_begins_when_one_ends(
    tmp_path: Path,
) -> None:
    ended, store = packed(tmp_path, "toy_trials:toy_trial", by_cell={"1": {"steps": 1}})

    assert [state for _, state, _, _ in ended] == ["finished"] * 6
    assert len({one.key for one in store.summaries() if one.state == "finished"}) == 6
    order = steps_in_order(tmp_path)
    assert len(order) == 2 * (1 + 3 + 3)
    assert len(set(order[:3])) == 3  # three begin together
    assert any(order[i] != order[i + 1] for i in range(3, 6))


def test_a_member_that_fails_leaves_the_others_untouched(tmp_path: Path) -> None:
    ended, store = packed(tmp_path, "toy_trials:toy_trial", by_cell={"2": {"fail": True}})

    states = sorted(state for _, state, _, _ in ended)
    assert states == ["failed"] * 2 + ["finished"] * 4
    found = {one.cell: one for one in store.records([key for key, *_ in ended])}
    assert found["1"].values["top1"] == 10.0 + found["1"].seed
    assert "told to fail" in (store.path / found["2"].log).read_text()


class Unexpected(BaseException):
    """No `Exception`, like KeyboardInterrupt."""


def interrupted(context: TrialContext) -> Outcome:
    for step in range(3):
        if context.config["x"] == 2 and step == 1:
            raise {0: KeyboardInterrupt, 1: Unexpected}[context.seed]
        context.should_stop()
    return Outcome({"top1": 1.0})


@pytest.mark.parametrize("members", [1, 3])
def test_a_trial_that_is_interrupted_dies_alone_or_packed_and_no_other_one_does(
    tmp_path: Path, members: int
) -> None:
    from sweeps.execution.worker import _alone, _together

    store = Store(tmp_path / "store")
    plan = toy_plan(toy_sweep(LEVELS, seeds=(0, 1)), Known())
    pack = Pack(jobs=jobs_of(plan, store, f"{__name__}:interrupted"), members=members)

    ended = {one[0]: one for one, _ in (_alone if members == 1 else _together)(pack)}

    assert ended.keys() == {trial.key for trial in plan.trials}
    for trial in plan.trials:
        _, state, text, attempt = ended[trial.key]
        if trial.cell != "2":
            assert (state, text, attempt) == ("finished", None, 1)
            continue
        name = {0: "KeyboardInterrupt", 1: "Unexpected"}[trial.seed]
        why = f"{name} interrupted it; the traceback is in the log"
        assert (state, text, attempt) == ("died", why, 0)
        assert name in (store.running / f"{trial.key}.log").read_text()
    assert len(store.summaries()) == 4


def launched(tmp_path: Path, plan: Plan, **settings: int) -> Launch:
    return Launch(
        plan=plan,
        store=Store(tmp_path / "store"),
        function="toy_trials:toy_trial",
        settings=RunSettings(**settings),
        todo=list(plan.trials),
        on_progress=None,
        on_record=None,
    )


@pytest.mark.parametrize("workers", [1, 3])
def test_a_launch_reports_an_interrupted_trial_as_died_and_does_not_run_it_again(
    tmp_path: Path, workers: int
) -> None:
    plan = toy_plan(toy_sweep(LEVELS), Known())
    launch = launched(tmp_path, plan, slots=3, workers=workers)
    first, *others = plan.trials

    launch.take_result([first.key, "died", "KeyboardInterrupt interrupted it", 0])
    for trial in others:
        launch.take_result([trial.key, "finished", None, 1])

    assert launch._after_deaths(launch.jobs) == []
    execution = launch._execution(1.0)
    assert [(one.key, one.why) for one in execution.died] == [
        (first.key, "KeyboardInterrupt interrupted it")
    ]
    assert (len(execution.finished), execution.left) == (len(others), ())


def test_a_trial_that_is_interrupted_behind_its_record_has_ended(tmp_path: Path) -> None:
    ended, store = packed(tmp_path, "toy_trials:toy_trial")
    plan = toy_plan(toy_sweep(LEVELS, seeds=(0, 1)), Known())
    launch = launched(tmp_path, plan, slots=3, workers=1)
    launch.name = next(store.records([ended[0][0]])).launch

    launch.take_result([ended[0][0], "died", "KeyboardInterrupt interrupted it", 0])

    assert (launch.died, launch.results[ended[0][0]].state) == ({}, "finished")


def test_the_seconds_of_a_packs_trials_are_each_ones_own_and_add_up_to_its_time(
    tmp_path: Path,
) -> None:
    began = time.perf_counter()
    ended, store = packed(tmp_path, f"{__name__}:sleeps")
    wall = time.perf_counter() - began

    records = list(store.records([key for key, *_ in ended]))
    own = [record.own_seconds or 0.0 for record in records]
    # Six trials of three steps that sleep 0.05 s, three at a time.
    assert min(own) > 0.149
    assert sum(own) <= wall
    assert sum(record.seconds for record in records) > 2 * sum(own)


def sleeps(context: TrialContext) -> Outcome:
    for _ in range(3):
        time.sleep(0.05)
        context.should_stop()
    return Outcome({"top1": 1.0})


def test_alone_all_seconds_are_its_own(tmp_path: Path) -> None:
    ended, store = packed(tmp_path, f"{__name__}:sleeps", members=1)

    for record in store.records([key for key, *_ in ended]):
        assert record.own_seconds == record.seconds


def test_a_launch_estimates_with_its_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []

    @contextmanager
    def notifying(*_: object, processes: int, **__: object) -> Iterator[None]:
        told.append(processes)
        yield

    monkeypatch.setattr("sweeps.execution.launch.notifying", notifying)
    monkeypatch.setattr(Launch, "_rounds", lambda *_: None)
    plan = toy_plan(toy_sweep(LEVELS), Known())
    for settings in ({"slots": 8, "workers": 2}, {"slots": 3}):
        launch = launched(tmp_path, plan, **settings)
        launch.store.prepare()
        launch.run(tmp_path / "session")

    assert told == [2, 3]


def test_each_log_holds_what_its_own_trial_printed(tmp_path: Path) -> None:
    ended, store = packed(tmp_path, f"{__name__}:talks")

    for record in store.records([key for key, *_ in ended]):
        said = (store.path / record.log).read_text().splitlines()
        assert said == [f"{record.cell} {record.seed} step {step}" for step in range(3)]


def talks(context: TrialContext) -> Outcome:
    for step in range(3):
        print(
            f"{context.trial.cell} {context.seed} step {step}",
            file=(sys.stdout, sys.stderr)[step % 2],
        )
        context.should_stop()
    return Outcome({"top1": 1.0})


def test_trouble_with_the_store_stops_the_pack_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Store, "commit", full_disk)

    ended, _ = packed(tmp_path, "toy_trials:toy_trial")

    assert ("trouble", "the disk is full") in {(state, text) for _, state, text, _ in ended}
    assert len(ended) <= 3


def full_disk(*_: object) -> None:
    from sweeps.errors import StoreError

    raise StoreError("the disk is full")


def test_what_is_no_failure_of_a_trial_ends_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise AssertionError("a defect of the engine")

    monkeypatch.setattr("sweeps.execution.trial_runner._record", broken)

    with pytest.raises(AssertionError, match="a defect of the engine"):
        packed(tmp_path, "toy_trials:toy_trial")


@pytest.mark.parametrize("room", [1, 2])
def test_a_trial_without_memory_beside_the_others_runs_again_once_there_are_fewer(
    tmp_path: Path, room: int
) -> None:
    (tmp_path / "inside").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROOM", str(room))
        patch.setenv("INSIDE", str(tmp_path / "inside"))
        ended, store = packed(tmp_path, f"{__name__}:needs_room")

    assert sorted(state for _, state, _, _ in ended) == ["finished"] * 6
    most = max(one.values["inside"] or 0 for one in store.records([key for key, *_ in ended]))
    assert most <= room


def needs_room(context: TrialContext) -> Outcome:
    """At most `ROOM` of these can be inside at once."""
    place, most = Path(os.environ["INSIDE"]), 0
    if context.has_company and len(list(place.iterdir())) >= int(os.environ["ROOM"]):
        raise NeedsRoom
    own = place / context.trial.key
    own.touch()
    for _ in range(4):
        most = max(most, len(list(place.iterdir())))
        context.should_stop()
    own.unlink()
    return Outcome({"inside": most})


def test_a_trial_that_has_no_memory_even_alone_fails(tmp_path: Path) -> None:
    ended, _ = packed(tmp_path, f"{__name__}:too_large")

    assert {(state, text) for _, state, text, _ in ended} == {("failed", "MemoryError: too large")}
    assert len(ended) == 6


def too_large(context: TrialContext) -> Outcome:
    if context.has_company:
        raise NeedsRoom
    raise MemoryError("too large")


@pytest.mark.parametrize(
    ("slots", "workers", "num_jobs", "expected"),
    [
        (8, 1, 10, [8]),
        (3, 2, 10, [2, 1]),
        (5, 4, 10, [2, 1, 1, 1]),
        (9, 4, 10, [3, 2, 2, 2]),
        (16, 2, 5, [3, 2]),
        (16, 4, 2, [1, 1]),
    ],
)
def test_workers_share_the_slots_evenly_and_none_is_idle_while_there_are_trials(
    tmp_path: Path, slots: int, workers: int, num_jobs: int, expected: list[int]
) -> None:
    plan = toy_plan(toy_sweep(list(range(num_jobs)), seeds=(0,)), Known())
    launch = launched(tmp_path, plan, slots=slots, workers=workers)

    packs = [Pack.model_validate_json(Path(f).read_text()) for f in launch._files(launch.jobs)]

    assert [pack.members for pack in packs] == expected
    assert [job.trials[0].key for job in taken(packs)] == [trial.key for trial in plan.trials]


@pytest.mark.parametrize(("slots", "workers"), [(2, None), (3, 3), (3, 4)])
def test_slots_that_are_not_more_than_workers_are_a_process_each(
    tmp_path: Path, slots: int, workers: int | None
) -> None:
    plan = toy_plan(toy_sweep(list(range(10))), Known())
    launch = launched(tmp_path, plan, slots=slots, workers=workers)

    packs = [Pack.model_validate_json(Path(f).read_text()) for f in launch._files(launch.jobs)]

    assert launch.settings.shares() == slots * [1]
    assert [pack.members for pack in packs] == 20 * [1]
    assert sorted(job.trials[0].key for pack in packs for job in pack.jobs) == sorted(launch.trials)


def taken(packs: list[Pack]) -> list[Job]:
    """The jobs that the workers of these packs share, taken by one."""
    [folder] = {pack.shared for pack in packs}
    assert folder is not None
    return list(iter(lambda: take_job(folder), None))


def test_a_shared_job_goes_to_one_of_many_workers_and_none_is_left(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    plan = toy_plan(toy_sweep(list(range(50))), Known())
    put_jobs(tmp_path / "jobs", jobs_of(plan, store, "toy_trials:toy_trial"))

    with ThreadPoolExecutor(8) as pool:
        each = list(
            pool.map(lambda _: list(iter(lambda: take_job(tmp_path / "jobs"), None)), range(8))
        )

    found = [job.trials[0].key for some in each for job in some]
    assert sorted(found) == sorted(trial.key for trial in plan.trials)


def test_a_worker_whose_trials_are_short_takes_those_that_a_busy_one_leaves(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    plan = toy_plan(toy_sweep(list(range(6)), seeds=(0,)), Known())
    put_jobs(tmp_path / "jobs", jobs_of(plan, store, f"{__name__}:waits_for_the_others"))
    packs = [PackRun(Pack(shared=tmp_path / "jobs", members=1)) for _ in range(2)]

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(2) as pool:
        patch.setenv("STORE", str(store.path))
        ended = list(pool.map(lambda pack: len(list(pack.results())), packs))

    assert sorted(ended) == [1, 5]


def waits_for_the_others(context: TrialContext) -> Outcome:
    """The first trial ends once the five others are on record."""
    until = time.monotonic() + 60
    while context.trial.cell == "0" and time.monotonic() < until:
        if len(Store(os.environ["STORE"]).summaries()) == 5:
            break
        time.sleep(0.02)
    return Outcome({"top1": 1.0})


class DyingRounds:
    """Stands in for Ray: the one worker of a round dies in its first three trials, or it ends all."""

    def __init__(self, _session: Path, store: Store, _settings: RunSettings) -> None:
        self._store = store

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def start(self) -> None: ...

    def run(self, number: int, files: list[str], *, on_ended: Any, **_: object) -> None:
        jobs = taken([Pack.model_validate_json(Path(f).read_text()) for f in files])
        keys = [trial.key for job in jobs for trial in job.trials]
        if number > int(os.environ["DEATHS"]):
            for key in keys:
                on_ended([key, "finished", None, 1])
            return
        for key in keys[:3]:
            (self._store.running / f"{key}.json").write_text("{}")


@pytest.mark.parametrize(("deaths", "ran", "died"), [(1, 6, 3), (2, 0, 6)])
def test_trials_behind_a_pack_that_died_early_run_unless_the_next_one_dies_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deaths: int, ran: int, died: int
) -> None:
    monkeypatch.setattr("sweeps.execution.launch.RayRounds", DyingRounds)
    monkeypatch.setenv("DEATHS", str(deaths))
    plan = toy_plan(toy_sweep(LEVELS, seeds=(0, 1, 2)), Known())
    launch = launched(tmp_path, plan, slots=3, workers=1)

    launch._with_one_ray(launch.jobs, tmp_path)

    assert (len(launch.results), len(launch.died)) == (ran, died)
    assert (launch.trouble is None) == (deaths == 1)


# ---------------------------------------------------------------------------- in real processes


def records_of(scene: Scene) -> dict[str, Any]:
    return {one.key: one for one in Store(scene.store).summaries() if one.state == "finished"}


@pytest.mark.proof
def test_killed_with_9_a_pack_loses_no_finished_member_and_only_the_missing_run_again(
    tmp_path: Path,
) -> None:
    told = {"levels": LEVELS, "slots": 3, "workers": 1, "base": {"steps": 3}}
    with Scene(tmp_path) as scene:
        # Of six trials the first ones finish; the last level holds until the gate opens.
        driver = scene.start("first", by_cell={"3": {"hold": True}}, **told)
        until = time.monotonic() + 300
        while len(records_of(scene)) < 4:
            assert time.monotonic() < until, scene.said("first")
            time.sleep(0.05)
        before = records_of(scene)
        [worker] = {
            json.loads(f.read_text())["pid"] for f in (scene.store / "running").glob("*.json")
        }
        os.kill(worker, signal.SIGKILL)
        assert driver.wait(timeout=300) == 0, scene.said("first")
        result = scene.result("first")

        assert len(result["finished"]) == 4
        assert len(result["died"]) == 2

        again = scene.run("second", **told)

    assert len(again["finished"]) == 2
    after = records_of(scene)
    assert len(after) == 6
    assert all(after[key] == one for key, one in before.items())


@pytest.mark.proof
def test_asked_to_stop_all_members_stop_and_go_on_later(tmp_path: Path) -> None:
    told = {"levels": LEVELS, "slots": 3, "workers": 1, "trial": "walk", "base": {"steps": 30}}
    with Scene(tmp_path) as scene:
        driver = scene.start("first", pause=0.05, **told)
        until = time.monotonic() + 300
        while len(list((scene.store / "running").glob("*.json"))) < 3:
            assert time.monotonic() < until, scene.said("first")
            time.sleep(0.05)
        driver.send_signal(signal.SIGINT)
        assert driver.wait(timeout=300) == 0, scene.said("first")
        first = scene.result("first")
        assert first["interrupted"]
        scene.run("second", **told)
        packed_values = {key: one.values for key, one in records_of(scene).items()}
    other = tmp_path / "alone"
    other.mkdir()
    with Scene(other) as scene:
        scene.run("alone", **{**told, "slots": 2, "workers": None})
        assert {key: one.values for key, one in records_of(scene).items()} == packed_values
