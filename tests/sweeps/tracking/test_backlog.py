"""MLflow's backlog: all of it is written while there is progress, and nothing stays open."""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from made_records import commit
from toy_trials import toy_plan, toy_sweep

from sweeps.planning import Plan
from sweeps.storage import Store, save_plan
from sweeps.tracking import locate_runs, log_model, open_tracking
from sweeps.tracking.address import own_uri

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

READ = """
import json, os, sys
from mlflow.tracking import MlflowClient
os.chdir(sys.argv[1])
client = MlflowClient("sqlite:///mlflow.db")
experiment = client.get_experiment_by_name("toy@smoke")
shown = {}
for run in client.search_runs([experiment.experiment_id], max_results=5000):
    number = run.info.run_id
    shown[run.info.run_name] = {
        "status": run.info.status,
        "times": [run.info.start_time, run.info.end_time],
        "params": run.data.params,
        "metrics": run.data.metrics,
        "tags": {k: v for k, v in run.data.tags.items() if "parent" not in k},
        "loss": [[m.step, m.timestamp, m.value] for m in client.get_metric_history(number, "loss")],
        "files": sorted(file.path for file in client.list_artifacts(number)),
        "data": [[d.dataset.name, d.dataset.digest, [t.value for t in d.tags]]
                 for d in run.inputs.dataset_inputs],
        "user": run.info.user_id,
        "place": run.info.artifact_uri.replace(number, "N"),
    }
print(json.dumps({"runs": shown, "tags": experiment.tags, "number": experiment.experiment_id}))
"""


def read(store: Store) -> dict[str, Any]:
    """What MLflow's own client says."""
    done = subprocess.run(
        [sys.executable, "-c", READ, str(store.path)], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def recorded(folder: Path, cells: int = 3) -> tuple[Store, Plan]:
    """A store with all records of a study, one of which failed."""
    store = Store(folder)
    store.prepare()
    sweep = toy_sweep(list(range(cells)))
    for at, trial in enumerate(toy_plan(sweep, store.known()).trials):
        changes: dict[str, Any] = {
            "facts": {"data": {"name": "toy", "fingerprint": "0123"}},
            "values": {"top1": float(at), "unknown": None},
            "curve": {"step": [0, 1, 2], "loss": [2.0, None, 1.0]},
        }
        if not at:
            changes |= {"state": "failed", "values": {}, "error": "ValueError: broken"}
        commit(store, trial, {"views.png": b"picture"} if at else None, **changes)
    return store, toy_plan(sweep, store.known())


def saved_model(folder: Path) -> Path:
    """A folder that MLflow takes for a model."""
    model = folder / "model"
    model.mkdir()
    (model / "MLmodel").write_text("model_uuid: 1\n")
    return model


def statuses(store: Store) -> list[str]:
    with contextlib.closing(sqlite3.connect(store.path / "mlflow.db", timeout=20)) as database:
        return [status for (status,) in database.execute("SELECT status FROM runs")]


@pytest.mark.proof
def test_many_at_once_leave_what_mlflows_own_interface_leaves(tmp_path: Path) -> None:
    store, plan = recorded(tmp_path / "store")
    other = Store(tmp_path / "other")
    shutil.copytree(store.path, other.path)

    makes = "run_files:made"
    figures = [one.study(plan.label) / "figures" / "a.svg" for one in (store, other)]
    for figure in figures:
        figure.parent.mkdir(parents=True)
        figure.write_text("<svg/>")

    many = open_tracking(store, plan, files_of=makes).close(timeout=120, files=figures[:1])
    # An address that is not the store's own: every run is written by MLflow's client.
    address = f"sqlite:///{other.path}/./mlflow.db"
    single = open_tracking(other, plan, uri=address, files_of=makes).close(
        timeout=120, files=[*figures[1:], tmp_path / "other" / "store.json"]
    )

    assert (many.written, many.trouble) == (single.written, single.trouble) == (6, None)
    found, expected = read(store), read(other)
    assert found["runs"].keys() == expected["runs"].keys()
    for name, run in expected["runs"].items():
        for field in ("status", "params", "metrics", "loss", "data", "user"):
            assert found["runs"][name][field] == run[field], (name, field)
        if name == "toy@smoke":  # a file of the study's folder is where that has it
            assert found["runs"][name]["files"] == ["figures"]
            assert run["files"] == ["figures", "store.json"]
        else:
            assert found["runs"][name]["files"] == run["files"]
        if ", seed" in name:
            failed = run["status"] == "FAILED"
            assert ("made.txt" in run["files"]) == (not failed)
            assert not {"hidden", "up"} & set(run["files"])
            assert found["runs"][name]["times"] == run["times"]
            left_out = {"mlflow.note.content"}
            for key in run["tags"].keys() - left_out:
                assert found["runs"][name]["tags"][key] == run["tags"][key]
    assert found["tags"] == expected["tags"]


@pytest.mark.proof
def test_a_backlog_is_written_while_there_is_progress_however_long_it_takes(
    tmp_path: Path,
) -> None:
    store, plan = recorded(tmp_path / "store", cells=120)
    tracking = open_tracking(store, plan)
    seen: list[tuple[int, int]] = []

    closed = tracking.close(timeout=120, on_progress=lambda done, of: seen.append((done, of)))

    assert (closed.written, closed.trouble) == (240, None)
    assert (240, 240) in seen
    assert sorted(seen) == sorted(seen, key=lambda one: one[0])
    assert statuses(store).count("RUNNING") == 0
    assert len(statuses(store)) == 1 + 240 + 120


@pytest.mark.proof
def test_what_an_interrupt_leaves_is_closed_and_the_next_launch_adds_the_rest(
    tmp_path: Path,
) -> None:
    store, plan = recorded(tmp_path / "store", cells=300)
    # As planned before the trials ran: the study's run is open until it is closed.
    before = toy_plan(toy_sweep(list(range(300))), Store("/nowhere").known())
    tracking = open_tracking(store, before)

    def interrupt(done: int, of: int) -> None:
        if 0 < done < of:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tracking.close(timeout=120, on_progress=interrupt)

    left = len(statuses(store))
    assert statuses(store).count("RUNNING") == 0
    assert left < 1 + 600
    closed = open_tracking(store, plan).close(timeout=120)
    assert closed.trouble is None
    assert len(statuses(store)) == 1 + 600 + 300


@pytest.mark.proof
def test_a_tracker_does_not_take_the_brief_of_another_launch(tmp_path: Path) -> None:
    store, plan = recorded(tmp_path / "store", cells=1)

    both = [open_tracking(store, plan), open_tracking(store, plan)]
    threads = [threading.Thread(target=one.close, kwargs={"timeout": 120}) for one in both[1:]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first = both[0].close(timeout=120)

    assert first.trouble is None
    assert statuses(store).count("RUNNING") == 0


@pytest.mark.proof
def test_a_brief_that_a_living_driver_wrote_is_left_alone(tmp_path: Path) -> None:
    store, plan = recorded(tmp_path / "store", cells=1)
    brief, torn = store.running / "other.tracking", store.running / "torn.tracking"
    from sweeps.processes import this_process

    brief.write_text(json.dumps({"driver": this_process()._asdict()}))
    torn.write_text("{")

    open_tracking(store, plan).close(timeout=120)

    assert brief.exists()
    assert not torn.exists()


def test_the_log_is_for_its_owner_alone_and_holds_no_password(tmp_path: Path) -> None:
    store, plan = recorded(tmp_path / "store", cells=1)
    log = store.running / "tracking.log"
    log.write_text("old")
    log.chmod(0o644)
    before = os.umask(0o022)
    try:
        tracking = open_tracking(store, plan, uri="postgresql://me:hunter2hunter2@127.0.0.1:1/db")
        briefs = list(store.running.glob("*.tracking"))
        modes = {stat.S_IMODE(path.stat().st_mode) for path in [log, *briefs]}
        closed = tracking.close(timeout=60)
    finally:
        os.umask(before)

    assert modes == {0o600}
    assert "Traceback" in log.read_text()
    everything = [path.read_bytes() for path in store.path.rglob("*") if path.is_file()]
    assert not any(b"hunter2" in data for data in everything)
    assert "hunter2" not in str(closed.trouble)
    assert "postgresql://...@127.0.0.1:1/db" in str(closed.trouble)


@pytest.mark.proof
@pytest.mark.parametrize("name", ["q?x %41#ü", "p%3Fq"])
def test_a_folder_of_any_name_has_its_database_inside(tmp_path: Path, name: str) -> None:
    store, plan = recorded(tmp_path / name / "store", cells=1)

    closed = open_tracking(store, plan).close(timeout=120)

    assert (closed.written, closed.trouble) == (2, None)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (store.path / "mlflow.db").is_file()
    assert unquote(own_uri(store)) == f"sqlite:///{store.path}/mlflow.db"
    found = read(store)
    assert found["runs"]["0, seed 1"]["files"] == [
        "config.json", "log.txt", "provenance.json", "views.png"
    ]  # fmt: skip


@pytest.mark.proof
def test_a_moved_store_keeps_its_view_and_a_lost_one_is_made_again(tmp_path: Path) -> None:
    store, plan = recorded(tmp_path / "store", cells=2)
    save_plan(store, plan)
    tracking = open_tracking(store, plan)
    tracking.settle(
        verdicts={"it helps": "shown"},
        cell_verdicts={"1": "it helps: shown"},
        numbers={"mean/0": 1.5, "mean/1": float("nan")},
        answer="Highest mean: 1",
    )
    tracking.close(timeout=120)
    before = read(store)
    store.path.rename(tmp_path / "moved")
    moved = Store(tmp_path / "moved")

    found = locate_runs(moved)
    after = read(moved)
    (moved.path / "mlflow.db").unlink()
    shutil.rmtree(moved.path / "mlartifacts")
    again = locate_runs(moved)
    rebuilt = read(moved)

    assert moved.messages == []
    assert found.experiment == before["number"] == after["number"]
    assert again.experiment == rebuilt["number"]
    for name, run in before["runs"].items():
        assert after["runs"][name]["files"] == run["files"]
        assert after["runs"][name]["place"].startswith(f"{moved.path.as_uri()}/mlartifacts/")
        assert rebuilt["runs"][name]["metrics"] == run["metrics"]
        assert rebuilt["runs"][name]["status"] == run["status"]
    parent = rebuilt["runs"]["toy@smoke"]
    assert (parent["tags"]["verdicts"], parent["status"]) == ("it helps: shown", "FAILED")
    assert parent["tags"]["mlflow.note.content"].startswith("**Highest mean: 1**")
    assert rebuilt["tags"]["mlflow.note.content"] == "Highest mean: 1"
    assert parent["metrics"] == {
        "mean/0": 1.5, "trials/finished": 3.0, "trials/failed": 1.0, "trials/missing": 0.0
    }  # fmt: skip
    assert rebuilt["runs"]["1 (all seeds)"]["tags"]["role"] == "arm"
    assert rebuilt["runs"]["1 (all seeds)"]["tags"]["verdicts"] == "it helps: shown"
    assert rebuilt["tags"]["mlflow.experimentKind"] == "custom_model_development"


@pytest.mark.proof
def test_a_lost_database_that_a_model_rebuilds_has_the_further_files_of_its_runs(
    tmp_path: Path,
) -> None:
    store, plan = recorded(tmp_path / "store", cells=2)
    save_plan(store, plan)
    makes = "run_files:made"
    open_tracking(store, plan, files_of=makes).close(timeout=120)
    before = read(store)
    (store.path / "mlflow.db").unlink()
    shutil.rmtree(store.path / "mlartifacts")

    log_model(
        store,
        plan.trials[-1].key,
        1,
        saved_model(tmp_path),
        name="encoder",
        sha256="ab",
        files_of=makes,
    )

    rebuilt = read(store)
    found = {name: run["files"] for name, run in rebuilt["runs"].items()}
    assert found == {name: run["files"] for name, run in before["runs"].items()}
    assert "made.txt" in found["1, seed 1"]


@pytest.mark.proof
def test_a_figure_that_left_the_report_leaves_the_run_and_no_other_file_does(
    tmp_path: Path,
) -> None:
    store, plan = recorded(tmp_path / "store", cells=1)
    figures = [store.study(plan.label) / "figures" / name for name in ("a.svg", "b.svg")]
    figures[0].parent.mkdir(parents=True)
    report = store.study(plan.label) / "report.html"
    for file in (report, *figures):
        file.write_text("<svg/>")

    def logged(*files: Path) -> list[str]:
        tracking = open_tracking(store, plan)
        tracking.settle(note="a note")
        assert tracking.close(timeout=120, files=files).trouble is None
        [run] = (path for path in store.path.glob("mlartifacts/*/*/artifacts/figures"))
        assert (run.parent / "report.html").is_file()
        return sorted(path.name for path in run.iterdir())

    assert logged(report, *figures) == ["a.svg", "b.svg"]
    [folder] = store.path.glob("mlartifacts/*/*/artifacts/figures")
    (folder / "mine.svg").write_text("logged by a user")
    assert logged(*figures[:1]) == ["a.svg", "mine.svg"]
    assert logged() == ["a.svg", "mine.svg"]


RESOLVE = """
import os, sys, mlflow
os.chdir(sys.argv[1])
mlflow.set_tracking_uri("sqlite:///mlflow.db")
client = mlflow.MlflowClient()
if sys.argv[3] == "register":
    mlflow.register_model(sys.argv[2], "mine")
else:
    [experiment] = [e for e in client.search_experiments() if e.name != "Default"]
    known = client.search_logged_models([experiment.experiment_id])
    print([model.model_uri for model in known])
"""


@pytest.mark.proof
@pytest.mark.parametrize("then", ["list", "register"])
def test_a_repeated_trial_says_what_became_of_its_model_and_keeps_a_registered_one(
    tmp_path: Path, then: str
) -> None:
    store, plan = recorded(tmp_path / "store", cells=1)
    save_plan(store, plan)
    trial = plan.trials[-1]
    open_tracking(store, plan).close(timeout=120)
    model = log_model(store, trial.key, 1, saved_model(tmp_path), name="encoder", sha256="ab")

    def resolve(what: str) -> str:
        words = [sys.executable, "-W", "ignore", "-c", RESOLVE, str(store.path), model.uri, what]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout

    resolve(then)
    commit(store, trial, values={"top1": 51.0}, attempt=2)
    store.messages.clear()

    assert open_tracking(store, plan).close(timeout=120).trouble is None

    became = (
        "stays in MLflow without its run, as a version of it is registered"
        if then == "register"
        else "was removed from MLflow with its run"
    )
    [message] = store.messages
    assert message == (
        f"trial {trial.key} was repeated, so the model {model.uri} of attempt 1 {became}; `ablate "
        f"export {trial.key} --mlflow` logs the new one"
    )
    assert (model.uri in resolve("list")) == (then == "register")


def test_a_tracker_that_makes_no_progress_is_ended(tmp_path: Path) -> None:
    store, plan = recorded(tmp_path / "store", cells=1)
    tracking = open_tracking(store, plan)
    process = tracking._process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    began = time.monotonic()

    closed = tracking.close(timeout=2.0)

    assert time.monotonic() - began < 20
    assert "no answer within 2 s" in str(closed.trouble)
    assert process.poll() is not None
