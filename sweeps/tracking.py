"""Tracking: MLflow is told of a study from its records, by one process beside the driver.

The process writes alone, so that no trial, no signal and no import waits for MLflow. All it needs
are the store and the plan: it looks which runs are there and adds what is missing. So MLflow may be
slow, away, or deleted, and is caught up at the next launch.
"""

import contextlib
import json
import os
import secrets
import select
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from sweeps.errors import TrackingError
from sweeps.files import write_json
from sweeps.launches import launches, studies
from sweeps.nearest import did_you_mean
from sweeps.plan import Plan
from sweeps.processes import python_path
from sweeps.record import TrialRecord
from sweeps.store import Store

PATIENCE = 10.0
"""Seconds that a driver waits for its tracker at the end; then the next launch catches up."""

SCHEMES = ("http", "https", "sqlite", "postgresql", "mysql", "mssql", "databricks")
"""What MLflow's tracking takes; it refuses plain folders since version 3.13."""


class CellSummary(NamedTuple):
    """One cell over its seeds, in the unit of the metric."""

    n: int
    """Seeds."""
    mean: float
    low: float | None
    """Of the interval; None where there is none, as for one seed."""
    high: float | None


class Closed(NamedTuple):
    """What tracking came to."""

    written: int
    """Runs of trials that were added or renewed."""
    trouble: str | None
    """The sentence to tell the user; None if all is written."""
    seconds: float
    """How long the driver waited for it at the end."""


def tracking_uri(store: Store, uri: str | None = None) -> str:
    """Where runs go: as told, else MLFLOW_TRACKING_URI, else a database in the store.

    Raises TrackingError for an address that MLflow cannot take.
    """
    for told, source in ((uri, "--tracking"), (os.environ.get("MLFLOW_TRACKING_URI"), None)):
        if told == "" and source is not None:
            raise TrackingError(f"{source}: is empty; name a server, or leave it out")
        if told:
            _check(told, source or "MLFLOW_TRACKING_URI")
            return told
    return own_uri(store)


def own_uri(store: Store) -> str:
    """The database in the store."""
    return f"sqlite:///{own_database(store)}"


def own_database(store: Store) -> Path:
    """Its file."""
    return store.path / "mlflow.db"


def artifact_root(store: Store) -> Path:
    """Where the runs of the store's own database keep their files."""
    return store.path / "mlartifacts"


def shown(uri: str) -> str:
    """An address without the password that it may hold."""
    try:
        password = urlsplit(uri).password
    except ValueError:
        return uri
    return uri.replace(f":{password}@", ":...@") if password else uri


def open_tracking(
    store: Store,
    plan: Plan,
    *,
    uri: str | None = None,
    metric: str = "top1",
    interval: float = 0.95,
) -> "Tracking":
    """Starts the tracker of a launch and comes back at once; raises TrackingError for a wrong URI.

    `plan` says which trials count for the cells; a plan that runs nothing leaves the study's run
    closed. `metric` is the value that a handed-in CellSummary speaks of, `interval` the level of
    the intervals that the tracker computes itself.
    """
    place = tracking_uri(store, uri)
    store.prepare()
    about = {
        "store": str(store.path),
        "uri": place,
        "label": plan.label,
        "metric": metric,
        "interval": interval,
        "reopen": bool(plan.todo),
        "cells": [[cell.name, cell.role, cell.levels] for cell in plan.cells],
        "trials": [[trial.key, trial.cell] for trial in plan.trials],
    }
    return Tracking(store, place, about)


class Tracking:
    """The driver's end of the tracker. Nothing here raises: what went wrong is told by `close`."""

    def __init__(self, store: Store, uri: str, about: Mapping[str, Any]) -> None:
        self.uri = uri
        self._store = store
        self._brief = store.running / f"{secrets.token_hex(4)}.tracking"
        self._trouble: str | None = None
        self._last: dict[str, Any] = {}
        self._process: subprocess.Popen[bytes] | None = None
        try:
            write_json(self._brief, about)
            self._process = _start(self._brief, store.running / "tracking.log")
        except OSError as error:
            self._trouble = failure(uri, error)

    def record(self, record: TrialRecord) -> None:
        """Tells that a record is in place. To be handed to `execute` as `on_record`."""
        del record  # The tracker looks into the store; this only wakes it.
        if self._process is not None and self._process.stdin is not None:
            # A full pipe holds wake-ups enough, and a broken one is told of at the end.
            with contextlib.suppress(OSError, ValueError):
                os.write(self._process.stdin.fileno(), b"{}\n")

    def settle(self, *, cells: Mapping[str, CellSummary] | None = None, note: str = "") -> None:
        """The trials are over: the study's run ends with these numbers, whatever comes of `close`.

        `cells` are shown in place of what the tracker computes; the Markdown `note` is added to the
        study's run. Comes back at once; a driver that is killed from here on leaves a run that is
        finished.
        """
        self._last = {
            "cells": None if cells is None else {name: list(cell) for name, cell in cells.items()},
            "note": note,
        }
        self._send({**self._last, "settle": True})

    def close(
        self,
        *,
        files: Iterable[Path] = (),
        interrupted: bool = False,
        timeout: float = PATIENCE,
    ) -> Closed:
        """Brings everything up to date and closes the study's run, within `timeout` seconds.

        `files`, such as reports, are added to the study's run.
        """
        began = time.monotonic()
        last = {
            **self._last,
            "close": True,
            "files": [str(path) for path in files],
            "interrupted": interrupted,
        }
        answer: dict[str, Any] = {"written": 0, "trouble": self._trouble, "sentences": []}
        if self._process is not None:
            answer = _ask(self._process, last, self.uri, timeout)
            self._process = None
        self._brief.unlink(missing_ok=True)
        self._store.sentences += answer["sentences"]
        return Closed(answer["written"], answer["trouble"], time.monotonic() - began)

    def _send(self, message: Mapping[str, Any]) -> None:
        """A whole line, in as many writes as the pipe takes; one that is not emptied is given up."""
        if self._process is None or self._process.stdin is None:
            return
        data = json.dumps(message).encode() + b"\n"
        pipe, until = self._process.stdin.fileno(), time.monotonic() + PATIENCE
        with contextlib.suppress(OSError, ValueError):
            while data and select.select([], [pipe], [], max(0.0, until - time.monotonic()))[1]:
                data = data[os.write(pipe, data[: select.PIPE_BUF]) :]


class Places(NamedTuple):
    """Where a study's runs are found."""

    base: str
    """The address of the server; of the store's own database its URI."""
    backend: str
    artifacts: str
    experiment: str
    """The number of the study's experiment."""
    run: str | None
    """The run of one trial, if one was asked for."""


def places(store: Store, key: str | None = None, uri: str | None = None) -> Places:
    """Where the runs of the store's latest study are, or the run of the trial that `key` begins.

    Imports MLflow. Raises TrackingError if nothing was tracked there, or not one trial fits.
    """
    from sweeps.mlflow_runs import find_experiment, find_trial
    from sweeps.mlflow_store import open_client

    place = tracking_uri(store, uri)
    labels = _labels(store)
    if not labels:
        raise TrackingError(f"the store {store.path} has no study yet; run one first")
    try:
        client = open_client(place, store)
        if key is None:
            experiment, run = find_experiment(client, labels[0]), None
        else:
            experiment, run = find_trial(client, store, labels, key.lower())
    except TrackingError:
        raise
    except Exception as error:
        raise TrackingError(failure(place, error)) from error
    return Places(place.rstrip("/"), place, str(artifact_root(store)), experiment, run)


def _labels(store: Store) -> list[str]:
    """The studies of a store, the one that was launched last first."""

    def latest(label: str) -> str:
        return max((str(one.get("began", "")) for one in launches(store, label)), default="")

    return sorted(studies(store), key=latest, reverse=True)


def _check(uri: str, source: str) -> None:
    scheme = uri.partition(":")[0].partition("+")[0].lower()
    if ":" not in uri or scheme not in SCHEMES:
        near = did_you_mean(scheme, SCHEMES) if ":" in uri else ""
        raise TrackingError(
            f"{source}: {shown(uri)!r} is no address that MLflow takes; write one that begins with"
            f" http://, https:// or sqlite:///{near}"
        )
    try:
        _ = urlsplit(uri).port
    except ValueError as error:
        raise TrackingError(f"{source}: {uri!r} is no address ({error}); mend it") from error


def _start(brief: Path, log: Path) -> subprocess.Popen[bytes]:
    environment = {
        # Set by the user, these hold; without them a server that is away is asked for minutes.
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
        **os.environ,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "GIT_PYTHON_REFRESH": "quiet",
        "PYTHONPATH": python_path(),
    }
    with log.open("wb") as errors:
        process = subprocess.Popen(  # noqa: S603 - this very interpreter and module
            [sys.executable, "-m", "sweeps.tracker", str(brief)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
            # Ctrl-C is for the driver; the tracker ends when its input does.
            start_new_session=True,
        )
    assert process.stdin is not None
    os.set_blocking(process.stdin.fileno(), False)
    return process


def _ask(
    process: subprocess.Popen[bytes], last: Mapping[str, Any], uri: str, timeout: float
) -> dict[str, Any]:
    """The tracker's last word; a sentence about it if it does not give one in time."""
    trouble = failure(uri, f"no answer within {timeout:g} s")
    try:
        out, _ = process.communicate(json.dumps(last).encode() + b"\n", timeout=timeout)
        answer = json.loads(out or b"{}")
        if "written" in answer:
            return answer
        trouble = failure(uri, f"the tracker ended with code {process.returncode}")
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
    except (OSError, ValueError) as error:
        process.kill()
        process.wait()
        trouble = failure(uri, error)
    return {"written": 0, "trouble": trouble, "sentences": []}


def failure(uri: str, why: str | BaseException) -> str:
    """The sentence for a user whose tracking does not work."""
    if isinstance(why, BaseException):
        lines = str(why).strip().splitlines()
        why = lines[0][:200] if lines else type(why).__name__
    return (
        f"tracking at {shown(uri)} does not keep up ({why}); the records are complete, and the next"
        " launch catches up"
    )
