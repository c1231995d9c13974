"""Tracking told of addresses, and of servers that are not there."""

import fcntl
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest
from made_records import commit, dead_address
from mlflow import MlflowClient
from mlflow.entities import Run, RunData, RunInfo, RunTag
from mlflow.environment_variables import MLFLOW_HTTP_REQUEST_TIMEOUT
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository
from mlflow.store.entities import PagedList

from sweeps.errors import TrackingError
from sweeps.planning import Plan, Trial
from sweeps.storage import Store, save_plan
from sweeps.tracking import locate_runs, log_model, open_tracking, tracking_uri
from sweeps.tracking.logged_models import add_model
from sweeps.tracking.lookup import find_experiment, find_trial
from sweeps.tracking.new_run import Stopped, Watch
from sweeps.tracking.runs import Runs
from sweeps.tracking.tracker_process import failure

WRONG = ["runs", "file:///tmp/runs", "htp://host", "ftp://host", "/a/path"]


def test_runs_go_to_the_given_address_else_to_the_variable_else_to_the_store(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert tracking_uri(store) == f"sqlite:///{store.path}/mlflow.db"

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://variable")
    assert tracking_uri(store) == "http://variable"
    assert tracking_uri(store, "https://told") == "https://told"


@pytest.mark.parametrize("uri", WRONG)
def test_an_address_that_mlflow_cannot_take_is_one_message(
    store: Store, small_plan: Plan, uri: str
) -> None:
    with pytest.raises(TrackingError) as caught:
        open_tracking(store, small_plan, uri=uri)

    assert f"--tracking: {uri!r} is not an address that MLflow accepts" in str(caught.value)
    assert "http://, https:// or sqlite:///" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_variable_is_named(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "here")

    with pytest.raises(TrackingError, match="MLFLOW_TRACKING_URI: 'here'"):
        tracking_uri(store)


def test_without_a_study_there_is_no_place_to_show(store: Store) -> None:
    with pytest.raises(TrackingError, match="has no studies yet; run one first"):
        locate_runs(store)


DRIVER = """
import sys, time
from sweeps.planning import Plan
from sweeps.storage import Store
from sweeps.tracking import open_tracking
from sweeps.intervals import Interval
store = Store(sys.argv[1])
tracking = open_tracking(store, Plan.model_validate_json(sys.stdin.read()))
if sys.argv[2] == "settled":
    cell = Interval(41.5, 40.0, 43.0, 1.0, 3, 0.95)
    tracking.settle(cells={"a": cell}, note="a note")
print("told", flush=True)
time.sleep(600)
"""
"""Opens the tracking of a plan, tells the numbers or not, and hangs as if it wrote a report."""


def study_run(database: Path) -> list[tuple[str, str | None]]:
    """Status and note of the study's run, by SQL; none while there is none."""
    asked = """SELECT status, (SELECT value FROM tags t WHERE t.run_uuid = runs.run_uuid AND
               key = 'mlflow.note.content') FROM runs WHERE run_uuid IN
               (SELECT run_uuid FROM tags WHERE key LIKE '%role' AND value = 'study')"""
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            return list(connection.execute(asked))
    except sqlite3.Error:
        return []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("told", "status"),
    [("settled", "FINISHED"), pytest.param("not yet", "KILLED", marks=pytest.mark.proof)],
)
def test_a_driver_killed_after_its_numbers_are_settled_leaves_a_finished_study(
    store: Store, small_plan: Plan, told: str, status: str
) -> None:
    database = store.path / "mlflow.db"
    for trial in small_plan.trials:
        commit(store, trial)
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(store.path), told],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as driver:
        assert driver.stdin is not None
        assert driver.stdout is not None
        driver.stdin.write(small_plan.model_dump_json())
        driver.stdin.close()
        assert driver.stdout.readline() == "told\n"
        driver.kill()

    until = time.monotonic() + 120
    while time.monotonic() < until and [s for s, _ in study_run(database)] in ([], ["RUNNING"]):
        time.sleep(0.5)
    with (store.path / "tracking.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the tracker has ended
    ((found, note),) = study_run(database)
    assert found == status
    assert (note or "").startswith("a note" if told == "settled" else "")


@pytest.mark.slow
def test_a_server_that_hangs_is_waited_for_until_the_timeout(
    store: Store, small_plan: Plan
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        tracking = open_tracking(store, small_plan, uri=uri)
        began = time.monotonic()

        closed = tracking.close(timeout=1.0)

    assert time.monotonic() - began < 3.0
    assert closed.trouble == (
        f"tracking at {uri} cannot keep up (no answer within 1 s); the records are complete, and "
        "the next run logs what is missing"
    )
    assert closed.written == 0


def test_a_server_that_is_gone_is_named_by_what_the_system_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{closed.getsockname()[1]}"

    with pytest.raises(MlflowException) as raised:
        MlflowClient(uri).search_experiments()

    assert failure(uri, raised.value) == (
        f"tracking at {uri} cannot keep up (the server does not answer: connection refused); the "
        "records are complete, and the next run logs what is missing"
    )
    assert "(wrong state);" in failure(uri, MlflowException("wrong state"))


@pytest.mark.parametrize(
    "broken", ["no process", pytest.param("no server", marks=[pytest.mark.slow, pytest.mark.proof])]
)
def test_a_model_that_was_not_logged_is_not_promised_to_the_next_run(
    store: Store, small_plan: Plan, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    save_plan(store, small_plan)
    uri = dead_address()
    if broken == "no process":
        monkeypatch.setattr("sys.executable", "/nowhere/python")

    with pytest.raises(TrackingError) as raised:
        log_model(store, "ab", 1, store.path, name="encoder", sha256="ab", uri=uri)

    assert str(raised.value).startswith(f"tracking at {uri} cannot keep up (")
    assert str(raised.value).endswith(
        "); the model was not logged: repeat this command when MLflow answers"
    )


def test_a_process_that_ends_without_an_answer_has_logged_no_model(
    store: Store, small_plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_plan(store, small_plan)
    monkeypatch.setattr("sys.executable", "/bin/false")

    with pytest.raises(TrackingError, match=r"ended with code 1\); the model was not"):
        log_model(store, "ab", 1, store.path, name="encoder", sha256="ab", uri=dead_address())


@pytest.mark.parametrize(("chosen", "seconds"), [(None, 300), ("7", 7)])
def test_a_server_has_five_minutes_for_a_file_of_a_model_unless_the_user_says_otherwise(
    store: Store,
    small_plan: Plan,
    monkeypatch: pytest.MonkeyPatch,
    chosen: str | None,
    seconds: int,
) -> None:
    """The client of MLflow is a stand-in: what counts is the timeout that MLflow would read."""
    if chosen is not None:
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", chosen)
    save_plan(store, small_plan)
    briefs: list[dict[str, Any]] = []

    def start(_: Path, brief: dict[str, Any]) -> None:
        briefs.append(brief)
        raise OSError

    monkeypatch.setattr("sweeps.tracking.client.start", start)
    with pytest.raises(TrackingError):
        log_model(store, "ab", 1, store.path, name="encoder", sha256="ab", uri="http://host")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")  # as that process starts
    read: list[int] = []

    def upload(*_: str) -> None:
        read.append(MLFLOW_HTTP_REQUEST_TIMEOUT.get())

    client = create_autospec(MlflowClient, instance=True)
    client.get_run.return_value.data.tags = {"sweeps.attempt": "1"}
    client.search_logged_models.return_value = []
    client.log_model_artifacts.side_effect = upload
    add_model(client, "1", "a", briefs[0]["model"])

    assert read == [seconds]
    assert MLFLOW_HTTP_REQUEST_TIMEOUT.get() == 5  # for all other requests


def test_a_model_of_another_attempt_than_the_run_in_mlflow_is_not_logged() -> None:
    client = create_autospec(MlflowClient, instance=True)
    client.get_run.return_value.data.tags = {"sweeps.attempt": "1"}

    with pytest.raises(TrackingError) as caught:
        add_model(client, "1", "a", {"attempt": 2})

    assert str(caught.value) == (
        "the run in MLflow is of attempt 1, but these weights were measured in attempt 2; run the "
        "study again to log its newest attempt"
    )
    client.create_logged_model.assert_not_called()


def test_a_study_that_was_never_logged_is_one_message_with_the_way_out() -> None:
    client = create_autospec(MlflowClient, instance=True)
    client.get_experiment_by_name.return_value = None

    with pytest.raises(TrackingError) as caught:
        find_experiment(client, "toy@smoke")

    assert str(caught.value) == (
        "toy@smoke has not been logged to MLflow yet; run it again: recorded trials are not "
        "repeated, only logged"
    )


def run_of(trial: Trial, attempt: int) -> Run:
    """A trial's run as MLflow holds it."""
    about = {"role": "trial", "key": trial.key, "attempt": str(attempt)}
    tags = [RunTag(f"sweeps.{name}", text) for name, text in about.items()]
    info = RunInfo(trial.key, "1", "me", "FINISHED", 0, 1, "active")
    return Run(info, RunData(tags=tags))


def test_a_key_that_begins_two_runs_keys_is_one_message(store: Store, small_plan: Plan) -> None:
    store.prepare()
    client = create_autospec(MlflowClient, instance=True)
    client.search_runs.return_value = [run_of(trial, 1) for trial in small_plan.trials[:2]]

    with pytest.raises(TrackingError, match=r"^'' matches 2 keys; give more characters$"):
        find_trial(client, store, [small_plan.label], "")


@pytest.mark.parametrize(
    ("logged", "where"), [(False, "0 of 2 runs"), (True, "the runs of the cells")]
)
def test_a_tracker_that_is_stopped_says_what_it_had_reached(
    half_done: Store, small_plan: Plan, *, logged: bool, where: str
) -> None:
    """The client of MLflow is a stand-in, which has the trials' runs or none."""
    client = create_autospec(MlflowClient, instance=True)
    client.search_experiments.return_value = []
    client.search_runs.return_value = PagedList(
        [run_of(trial, 1) for trial in small_plan.trials[:2]] if logged else [], None
    )
    about = {
        "label": small_plan.label,
        "study": "toy",
        "scale": "smoke",
        "uri": "http://host",
        "reopen": True,
        "metric": "top1",
        "trials": [(trial.key, trial.cell) for trial in small_plan.trials],
        "cells": [(cell.name, cell.role, cell.levels) for cell in small_plan.cells],
    }
    runs = Runs(client, half_done, about, Watch(stop=lambda: True))

    with pytest.raises(Stopped) as caught:
        runs.update({})

    assert failure("http://host", caught.value) == (
        f"tracking at http://host cannot keep up (stopped at {where}); the records are complete, and "
        "the next run logs what is missing"
    )
    assert client.set_terminated.call_args.kwargs == {"status": "KILLED"}


def test_a_tracker_that_cannot_be_started_is_one_message(
    store: Store, small_plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")

    closed = open_tracking(store, small_plan).close()

    assert "No such file or directory" in str(closed.trouble)
    assert not list(Path(store.running).glob("*.tracking"))


class SlowServer(BaseHTTPRequestHandler):
    """Answers 1.5 s after it has a file, as one that passes files on to another store."""

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(1.5)
        self.send_response(200)
        self.end_headers()


@pytest.mark.slow
@pytest.mark.proof
def test_a_server_that_answers_later_than_other_requests_may_take_has_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    (tmp_path / "MLmodel").write_text("model_uuid: 1\n")
    about = {"folder": str(tmp_path), "name": "encoder", "sha256": "ab", "attempt": 1}
    client = create_autospec(MlflowClient, instance=True)
    client.get_run.return_value.data.tags = {"sweeps.attempt": "1"}
    client.search_logged_models.return_value = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), SlowServer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    uri = f"http://127.0.0.1:{server.server_port}/api/2.0/mlflow-artifacts/artifacts/m"
    repository = HttpArtifactRepository(uri)
    client.log_model_artifacts.side_effect = lambda _, folder: repository.log_artifacts(folder)
    try:
        with pytest.raises(MlflowException, match="timed out"):
            add_model(client, "1", "a", {**about, "timeout": "1"})
        add_model(client, "1", "a", {**about, "timeout": "300"})
    finally:
        server.shutdown()
        server.server_close()
