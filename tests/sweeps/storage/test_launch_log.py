"""Real launches on Ray: one with trials that fail and die, one that mends them, MLflow beside them.

The scene is played once; each test looks at what it left.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from launching import ROOT, Scene
from made_records import dead_address
from toy_trials import toy_plan, toy_sweep

from sweeps.execution import RunSettings, run_here
from sweeps.storage import Store
from sweeps.tracking import open_tracking

pytestmark = [pytest.mark.proof, pytest.mark.timeout(600)]

LEVELS = [1, 2, 3, 4]
EVERY = [f"{cell}:{seed}" for cell in LEVELS for seed in (0, 1)]

TREE = """
import json, sys
from mlflow.tracking import MlflowClient
from sweeps.storage import Store
from sweeps.tracking import locate_runs
store = Store(sys.argv[1])
client = MlflowClient(f"sqlite:///{store.path}/mlflow.db")
experiment = client.get_experiment_by_name("toy@smoke")
runs = client.search_runs([experiment.experiment_id])
[parent] = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
below = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
[one] = [run for run in below if run.info.run_name == "4, seed 1"]
print(json.dumps({
    "parent": parent.info.run_name,
    "below": sorted(run.info.run_name for run in below),
    "loss": [m.value for m in client.get_metric_history(one.info.run_id, "loss")],
    "files": sorted(file.path for file in client.list_artifacts(one.info.run_id)),
    "data": [(d.dataset.name, d.dataset.digest) for d in one.inputs.dataset_inputs],
    "best": [run.info.run_name for run in client.search_runs(
        [experiment.experiment_id], order_by=["metrics.`cell/top1` DESC"], max_results=1)],
    "study": locate_runs(store)._asdict(),
    "trial": locate_runs(store, sys.argv[2])._asdict(),
}))
"""


def _play(folder: Path) -> dict[str, Any]:
    scene = Scene(folder)
    seen: dict[str, Any] = {}
    seen["first"] = scene.run(
        "first",
        levels=LEVELS,
        by_cell={"2": {"fail": True}, "3": {"kill_at": 1}},
        threads=3,
        tracking=None,
    )
    seen["records_1"], seen["steps_1"] = scene.records(), scene.steps()
    seen["runs_1"] = scene.runs()
    seen["second"] = scene.run(
        "second", levels=LEVELS, how={"failed": True}, tracking=dead_address()
    )
    seen["records_2"], seen["steps_2"] = scene.records(), scene.steps()
    seen["runs_2"] = scene.runs()
    seen["processes"] = scene.processes()
    seen["caught_up"] = _sync(scene)
    seen["runs_3"] = scene.runs()
    seen["idle"] = _sync(scene)
    seen["runs_4"] = scene.runs()
    _run_again(scene)
    _break(scene)
    seen["rebuilt"] = _sync(scene)
    seen["runs_5"] = scene.runs()
    seen["aside"] = [path.name for path in (scene.store / "set-aside").iterdir()]
    seen["records_5"] = scene.records()
    seen["tree"] = _tree(scene, seen["records_5"]["4:1"][0]["key"][:8])
    return seen


def _sync(scene: Scene) -> dict[str, Any]:
    store = Store(scene.store)
    plan = toy_plan(toy_sweep(LEVELS), store.known())
    closed = open_tracking(store, plan, uri=f"sqlite:///{store.path}/mlflow.db").close(timeout=120)
    return {**closed._asdict(), "todo": len(plan.todo), "messages": store.messages}


def _run_again(scene: Scene) -> None:
    store = Store(scene.store)
    plan = toy_plan(toy_sweep(LEVELS), store.known(), again=True)
    settings = RunSettings(payload={"counter": str(scene.folder / "counter")})
    run_here(plan.trials[0], plan, store, "toy_trials:toy_trial", settings)


def _break(scene: Scene) -> None:
    """Overwrites the middle of the database, as a failing disk would."""
    file = scene.store / "mlflow.db"
    data = bytearray(file.read_bytes())
    data[4096 : len(data) // 2] = b"\x55" * (len(data) // 2 - 4096)
    file.write_bytes(data)


def _tree(scene: Scene, key: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", TREE, str(scene.store), key],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("scene")
    return {**_play(folder), "folder": folder}


def by_role(runs: list[dict[str, Any]], role: str) -> list[dict[str, Any]]:
    return [run for run in runs if run["tags"].get("sweeps.role") == role]


def trials(runs: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    found = by_role(runs, "trial")
    named = {f"{run['params']['cell']}:{run['params']['seed']}": run for run in found}
    assert len(named) == len(found)
    return named


def cells(runs: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    return {run["params"]["cell"]: run["latest_metrics"] for run in by_role(runs, "cell")}


def test_every_trial_that_can_run_has_its_record(seen: dict[str, Any]) -> None:
    states = {place: [one["state"] for one in found] for place, found in seen["records_1"].items()}

    assert states == {
        place: ["failed"] if place[0] == "2" else ["finished"] for place in EVERY if place[0] != "3"
    }


def test_a_trial_whose_worker_died_is_no_failure_and_leaves_no_record(seen: dict[str, Any]) -> None:
    died = {(one["cell"], one["seed"]) for one in seen["first"]["died"]}

    assert died == {("3", 0), ("3", 1)}
    assert {one["why"] for one in seen["first"]["died"]} == {
        "the worker process died without reporting a result (killed, or out of memory)"
    }
    assert seen["first"]["left"] == []


def test_failed_trials_are_reported_with_their_reason_and_their_log(seen: dict[str, Any]) -> None:
    failed = seen["first"]["failed"]

    assert {(one["cell"], one["seed"]) for one in failed} == {("2", 0), ("2", 1)}
    assert {one["why"] for one in failed} == {"ValueError: this trial"}
    assert all("Traceback" in Path(one["log"]).read_text() for one in failed)


def test_workers_are_warm_one_a_slot_with_their_threads(seen: dict[str, Any]) -> None:
    facts = [found[0]["facts"] for found in seen["records_1"].values() if found[0]["facts"]]

    # Two slots, and one new worker for each of the two that died.
    assert len({fact["pid"] for fact in facts}) <= 4
    assert {fact["omp"] for fact in facts} == {"3"}


def test_what_a_workers_first_trial_imported_is_no_longer_searched_for_garbage(
    seen: dict[str, Any],
) -> None:
    facts = [found[0]["facts"] for found in seen["records_1"].values() if found[0]["facts"]]
    first = [fact["pid"] for fact in facts if not fact["frozen"]]
    later = {fact["frozen"] for fact in facts if fact["frozen"]}

    assert len(first) == len(set(first))
    assert later
    assert min(later) > 10_000


def test_what_a_trial_prints_stands_in_its_log_and_not_on_the_terminal(
    seen: dict[str, Any],
) -> None:
    folder = Path(seen["folder"])

    log = folder / "store" / seen["records_1"]["1:0"][0]["log"]
    for words in ("a print to stdout", "a print to stderr", "a write past Python"):
        assert words in log.read_text()
        assert words not in (folder / "first.out").read_text()


def test_ray_is_silent_and_writes_nothing_home(seen: dict[str, Any]) -> None:
    folder = Path(seen["folder"])

    assert (folder / "first.out").read_text() == ""
    assert list((folder / "home").iterdir()) == []


def test_with_failed_only_what_is_missing_or_failed_runs(seen: dict[str, Any]) -> None:
    assert seen["steps_1"] == dict.fromkeys(["1:0", "1:1", "4:0", "4:1"], 3) | {"3:0": 2, "3:1": 2}
    assert len(seen["second"]["finished"]) == 4
    assert seen["steps_2"] == seen["steps_1"] | {"2:0": 3, "2:1": 3, "3:0": 5, "3:1": 5}


def test_after_the_second_launch_every_trial_is_there(seen: dict[str, Any]) -> None:
    last = {place: found[-1]["values"]["top1"] for place, found in seen["records_2"].items()}

    assert last == {place: 10.0 * int(place[0]) + int(place[2]) for place in EVERY}
    assert {place: len(found) for place, found in seen["records_2"].items()} == {
        place: 2 if place[0] == "2" else 1 for place in EVERY
    }


def test_no_process_outlives_its_driver(seen: dict[str, Any]) -> None:
    assert seen["processes"] == []


def test_a_dead_server_stops_no_trial_and_is_not_waited_for(seen: dict[str, Any]) -> None:
    tracking = seen["second"]["tracking"]

    assert tracking["seconds"] < 10.0
    assert tracking["trouble"].startswith("tracking at http://127.0.0.1:")
    assert tracking["trouble"].endswith(
        "; the records are complete, and the next run logs what is missing"
    )
    assert seen["runs_2"] == seen["runs_1"]


def test_mlflow_has_one_run_for_the_study_with_its_trials_and_cells_below(
    seen: dict[str, Any],
) -> None:
    runs = seen["runs_1"]
    [parent] = by_role(runs, "study")

    assert seen["first"]["tracking"]["trouble"] is None
    assert set(trials(runs)) == {"1:0", "1:1", "2:0", "2:1", "4:0", "4:1"}
    assert set(cells(runs)) == {"1", "2", "4"}
    assert cells(runs)["2"] == {"cell/failed": 2.0}
    assert parent["status"] == "FAILED"
    assert parent["tags"]["trials"] == "4 of 8 finished, 2 failed"
    below = [run for run in runs if run is not parent]
    assert {run["tags"]["mlflow.parentRunId"] for run in below} == {parent["id"]}
    assert seen["first"]["launch"] in parent["tags"]["mlflow.note.content"]


def test_mlflow_has_the_numbers_of_the_records(seen: dict[str, Any]) -> None:
    runs = trials(seen["runs_1"])

    finals = {place: run["latest_metrics"].get("final/top1") for place, run in runs.items()}
    expected = {"1:0": 10, "1:1": 11, "4:0": 40, "4:1": 41, "2:0": None, "2:1": None}
    assert finals == expected
    assert runs["4:1"]["params"] == {"cell": "4", "role": "arm", "x": "4", "seed": "1"}
    assert {place: run["status"] for place, run in runs.items()} == {
        place: "FAILED" if place[0] == "2" else "FINISHED" for place in expected
    }


def test_a_cells_run_has_mean_number_and_the_t_interval_of_its_seeds(seen: dict[str, Any]) -> None:
    cell = cells(seen["runs_1"])["4"]

    # Of 40 and 41: a standard error of 1/2 and, from a table, t = 12.7062 at one degree of freedom
    assert (cell["cell/top1"], cell["cell/n"]) == (40.5, 2.0)
    assert cell["cell/top1_low"] == pytest.approx(40.5 - 12.7062 / 2, abs=1e-4)
    assert cell["cell/top1_high"] == pytest.approx(40.5 + 12.7062 / 2, abs=1e-4)


def test_mlflows_own_client_reads_the_same_tree(seen: dict[str, Any]) -> None:
    tree = seen["tree"]

    assert tree["parent"] == "toy@smoke"
    assert tree["below"] == sorted(
        [
            *(f"{cell}, seed {seed}" for cell in LEVELS for seed in (0, 1)),
            *(f"{cell} (all seeds)" for cell in LEVELS),
        ]
    )
    assert tree["loss"] == pytest.approx([1, 1 / 2, 1 / 3])
    assert tree["files"] == ["config.json", "log.txt", "provenance.json"]
    assert tree["data"] == [["toy", "0123abcd"]]
    assert tree["best"] == ["4 (all seeds)"]


@pytest.mark.parametrize("when", ["runs_1", "runs_3", "runs_4", "runs_5"])
def test_nothing_stays_running(seen: dict[str, Any], when: str) -> None:
    assert [run["tags"] for run in seen[when] if run["status"] == "RUNNING"] == []


def test_the_next_launch_catches_up_with_what_tracking_missed(seen: dict[str, Any]) -> None:
    assert (seen["caught_up"]["todo"], seen["caught_up"]["trouble"]) == (0, None)
    assert seen["caught_up"]["written"] == 4
    runs = seen["runs_3"]
    finals = {place: run["latest_metrics"]["final/top1"] for place, run in trials(runs).items()}
    assert finals == {place: 10.0 * int(place[0]) + int(place[2]) for place in EVERY}
    assert {place: run["status"] for place, run in trials(runs).items()} == dict.fromkeys(
        EVERY, "FINISHED"
    )
    assert {cell: of["cell/n"] for cell, of in cells(runs).items()} == dict.fromkeys("1234", 2.0)


def test_a_launch_that_trains_nothing_adds_no_run(seen: dict[str, Any]) -> None:
    assert seen["idle"]["written"] == 0
    assert {run["id"] for run in seen["runs_4"]} == {run["id"] for run in seen["runs_3"]}


def test_a_broken_database_is_set_aside_and_rebuilt_from_the_records(
    seen: dict[str, Any],
) -> None:
    assert (seen["rebuilt"]["written"], seen["rebuilt"]["trouble"]) == (8, None)
    [sentence] = seen["rebuilt"]["messages"]
    assert "mlflow.db is not a database that MLflow can use" in sentence
    assert "it was moved to" in sentence
    assert any("mlflow.db" in name for name in seen["aside"])
    assert set(trials(seen["runs_5"])) == set(EVERY)
    assert cells(seen["runs_5"])["4"]["cell/top1"] == 40.5


def test_a_trial_that_ran_again_keeps_both_records_and_one_run(seen: dict[str, Any]) -> None:
    assert [one["attempt"] for one in seen["records_5"]["1:0"]] == [1, 2]
    run = trials(seen["runs_5"])["1:0"]
    assert run["tags"]["sweeps.attempt"] == "2"
    assert "Other attempts are in the store: 1." in run["tags"]["mlflow.note.content"]


def test_the_addresses_of_a_study_and_of_a_trial_are_found(seen: dict[str, Any]) -> None:
    study, trial = seen["tree"]["study"], seen["tree"]["trial"]

    assert study["backend"] == f"sqlite:///{seen['folder']}/store/mlflow.db"
    assert study["experiment"] == trial["experiment"]
    assert (study["run"], trial["run"]) == (None, trials(seen["runs_5"])["4:1"]["id"])
