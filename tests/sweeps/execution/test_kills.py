"""Kill anything, launch again: only what is missing runs.

A driver, its tracker and a worker are killed with -9 while six trials are finished and two are
mid-way; the next driver gets a Ctrl-C; the third ends well. Played once, looked at by each test.
"""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from launching import Scene, wait_until
from toy_trials import toy_plan, toy_sweep

from sweeps.errors import StoreError
from sweeps.execution import RunSettings, execute
from sweeps.storage import Store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

LEVELS = [1, 2, 3, 4]
QUICK = [f"{cell}:{seed}" for cell in (1, 2, 3) for seed in (0, 1)]
HELD = ["4:0", "4:1"]
OPTIONS = {"levels": LEVELS, "by_cell": {"4": {"hold": True}}, "tracking": None}


def _play(folder: Path) -> dict[str, Any]:
    scene = Scene(folder)
    seen: dict[str, Any] = {}
    _kill(scene, seen)
    _interrupt(scene, seen)
    (folder / "gate").touch()
    seen["third"] = scene.run("third", **OPTIONS)
    seen["records"], seen["steps"] = scene.records(), scene.steps()
    seen["runs"], seen["statuses"] = scene.runs(), scene.statuses()
    seen["processes_3"] = scene.processes()
    seen["left"] = [path.name for path in (scene.store / "running").iterdir()]
    return seen


def _held(scene: Scene) -> bool:
    """Both slots are at step 1 of a trial that waits."""
    return sorted(scene.heartbeats()) == HELD


def _kill(scene: Scene, seen: dict[str, Any]) -> None:
    driver = scene.start("first", **OPTIONS)
    wait_until(
        lambda: driver.poll() is not None or (len(scene.records()) == 6 and _held(scene)),
        "six finished trials and two mid-way",
    )
    wait_until(
        lambda: all(scene.steps().get(place) == 2 for place in HELD), "both at their second step"
    )
    wait_until(lambda: "RUNNING" in scene.statuses(), "an open run in MLflow")
    wait_until(lambda: len(scene.statuses()) >= 7, "the six trials' runs in MLflow")
    seen["second_driver"] = _refused(scene)
    workers = scene.heartbeats()
    seen["workers"] = scene.processes("ray::Res")
    os.kill(workers["4:0"], signal.SIGKILL)
    for tracker in scene.processes("sweeps.tracking.tracker_main"):
        os.kill(tracker, signal.SIGKILL)
    driver.kill()
    driver.wait()
    seen["statuses_killed"] = scene.statuses()
    wait_until(lambda: not scene.processes("ray::Res"), "the end of the last worker", 10.0)
    seen["records_1"], seen["steps_1"] = scene.records(), scene.steps()


def _refused(scene: Scene) -> str:
    store = Store(scene.store)
    plan = toy_plan(toy_sweep(LEVELS), store.known())
    try:
        execute(plan, store, "toy_trials:toy_trial", RunSettings())
    except StoreError as error:
        return str(error)
    return "it ran"


def _interrupt(scene: Scene, seen: dict[str, Any]) -> None:
    driver = scene.start("second", **OPTIONS)
    wait_until(
        lambda: (
            driver.poll() is not None
            or (_held(scene) and all(scene.steps().get(place) == 4 for place in HELD))
        ),
        "both trials at their second step once more",
    )
    # As a terminal does it: to the whole foreground group.
    os.killpg(driver.pid, signal.SIGINT)
    seen["second_code"] = driver.wait(timeout=60)
    seen["second"] = scene.result("second")
    seen["second_said"] = scene.said("second")
    seen["processes_2"] = scene.processes()
    seen["records_2"] = scene.records()
    seen["statuses_2"] = scene.statuses()


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("scene")
    return {**_play(folder), "folder": folder}


def test_a_killed_driver_leaves_the_records_of_what_was_finished(seen: dict[str, Any]) -> None:
    assert sorted(seen["records_1"]) == QUICK
    assert seen["steps_1"] == dict.fromkeys(QUICK, 3) | dict.fromkeys(HELD, 2)


def test_workers_end_when_their_driver_is_killed(seen: dict[str, Any]) -> None:
    # That none was left afterwards is what the scene waited for.
    assert len(seen["workers"]) == 2


def test_a_second_driver_of_a_store_is_refused_with_one_message(seen: dict[str, Any]) -> None:
    assert "is in use by process" in seen["second_driver"]
    assert "\n" not in seen["second_driver"]


def test_launched_again_all_trials_are_there_once(seen: dict[str, Any]) -> None:
    values = {
        place: [(one["attempt"], one["state"], one["values"]["top1"]) for one in found]
        for place, found in seen["records"].items()
    }

    assert values == {
        place: [(1, "finished", 10.0 * int(place[0]) + int(place[2]))] for place in QUICK + HELD
    }


def test_finished_trials_are_not_repeated(seen: dict[str, Any]) -> None:
    steps = seen["steps"]

    assert {place: steps[place] for place in QUICK} == dict.fromkeys(QUICK, 3)
    # Two steps before the kill, two before the Ctrl-C, three to the end.
    assert {place: steps[place] for place in HELD} == dict.fromkeys(HELD, 7)
    assert len(seen["third"]["finished"]) == 2


def test_what_the_kill_left_running_in_mlflow_is_closed(seen: dict[str, Any]) -> None:
    assert "RUNNING" in seen["statuses_killed"]
    assert "RUNNING" not in seen["statuses_2"]
    assert "RUNNING" not in seen["statuses"]


def test_mlflow_has_each_trial_once_after_all_of_it(seen: dict[str, Any]) -> None:
    roles = [run["tags"]["sweeps.role"] for run in seen["runs"]]

    assert {role: roles.count(role) for role in set(roles)} == {"study": 1, "trial": 8, "cell": 4}
    [parent] = [run for run in seen["runs"] if run["tags"]["sweeps.role"] == "study"]
    assert parent["status"] == "FINISHED"
    assert parent["tags"]["mlflow.note.content"].count("drive.py") == 3


def test_ctrl_c_ends_cleanly_and_leaves_no_process(seen: dict[str, Any]) -> None:
    assert (seen["second_code"], seen["second_said"]) == (0, "")
    assert seen["second"]["interrupted"] is True
    assert len(seen["second"]["left"]) == 2
    assert (seen["second"]["failed"], seen["second"]["died"]) == ([], [])
    assert sorted(seen["records_2"]) == QUICK
    assert seen["processes_2"] == []


def test_nothing_is_left_of_the_dead(seen: dict[str, Any]) -> None:
    assert seen["processes_3"] == []
    assert [name for name in seen["left"] if name != "tracking.log"] == []
