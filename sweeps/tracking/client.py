"""Tracking: one process next to the driver logs a study to MLflow from its records.

Only that process writes, so that no trial, signal or import waits for MLflow. It needs only the store
and the plan: it finds the runs that exist and adds the missing ones. MLflow may therefore be slow,
unavailable or deleted; the next launch adds what is missing.
"""

import contextlib
import json
import os
import secrets
import select
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from sweeps.errors import TrackingError
from sweeps.intervals import Interval
from sweeps.jsonable import number
from sweeps.planning import Plan
from sweeps.processes import this_process
from sweeps.record import TrialRecord
from sweeps.storage import Store, launch_history, load_plan, studies
from sweeps.tracking.address import OWN, SCHEMES, address_of, artifact_root, own_uri
from sweeps.tracking.contract import TrackingResult
from sweeps.tracking.redaction import bare, shown
from sweeps.tracking.tracker_process import (
    PATIENCE,
    UPLOAD_TIMEOUT,
    FinalAnswer,
    failure,
    start,
)

FINDING = 60.0
"""Seconds without progress for finding a study, which may first create a database."""

UPLOADING = 1800.0
"""Seconds for a model, of which MLflow shows no progress: 350 MB at 2 Mbit/s."""


def brief_of(
    store: Store, plan: Plan, metric: str = "top1", files_of: str | None = None
) -> dict[str, Any]:
    """The description of a study for a tracker."""
    return {
        "driver": this_process()._asdict(),
        "store": str(store.path),
        "label": plan.label,
        "metric": metric,
        "files_of": files_of,
        "reopen": bool(plan.todo),
        "cells": [[cell.name, cell.role, cell.levels] for cell in plan.cells],
        "trials": [[trial.key, trial.cell] for trial in plan.trials],
        "todo": [trial.key for trial in plan.todo],
    }


class MlflowTracker:
    """The driver's end of the process that logs to MLflow."""

    schemes: ClassVar[tuple[str, ...]] = SCHEMES

    def __init__(
        self, store: Store, plan: Plan, uri: str, *, metric: str, files_of: str | None = None
    ) -> None:
        brief = {**brief_of(store, plan, metric, files_of), "uri": uri}
        self.uri = uri
        self._store = store
        self._file = _brief_file(store)
        self._trouble: str | None = None
        self._last: dict[str, Any] = {}
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._process = start(self._file, brief)
        except OSError as error:
            self._trouble = failure(uri, error)

    def record(self, record: TrialRecord) -> None:
        del record  # The tracker looks into the store.
        if self._process is not None and self._process.stdin is not None:
            # A full pipe holds wake-ups enough, and a broken one is reported at the end.
            with contextlib.suppress(OSError, ValueError):
                os.write(self._process.stdin.fileno(), b"{}\n")

    def settle(
        self,
        *,
        cells: Mapping[str, Interval] | None = None,
        verdicts: Mapping[str, str] | None = None,
        cell_verdicts: Mapping[str, str] | None = None,
        numbers: Mapping[str, float] | None = None,
        answer: str = "",
        note: str = "",
    ) -> None:
        self._last = {
            "cells": cells
            and {
                name: [number(value) for value in (cell.n, cell.mean, cell.low, cell.high)]
                for name, cell in cells.items()
            },
            "verdicts": dict(verdicts or {}),
            "cell_verdicts": dict(cell_verdicts or {}),
            "numbers": {name: number(value) for name, value in (numbers or {}).items()},
            "answer": answer,
            "note": note,
        }
        self._send({**self._last, "settle": True})

    def close(
        self,
        *,
        files: Iterable[Path] = (),
        interrupted: bool = False,
        timeout: float = PATIENCE,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> TrackingResult:
        began = time.monotonic()
        last = {**self._last, "close": True, "interrupted": interrupted}
        last["files"] = [str(path) for path in files]
        answer: dict[str, Any] = {"written": 0, "trouble": self._trouble, "messages": []}
        if self._process is not None:
            process, self._process = self._process, None
            try:
                answer = FinalAnswer(process, self.uri, timeout, on_progress).ask(last)
            finally:
                self._file.unlink(missing_ok=True)
        self._store.messages += answer["messages"]
        return TrackingResult(answer["written"], answer["trouble"], time.monotonic() - began)

    def _send(self, message: Mapping[str, Any]) -> None:
        """Sends a line in as many writes as the pipe needs; gives up if nothing reads it."""
        if self._process is None or self._process.stdin is None:
            return
        data = json.dumps(message).encode() + b"\n"
        pipe, until = self._process.stdin.fileno(), time.monotonic() + PATIENCE
        with contextlib.suppress(OSError, ValueError):
            while data and select.select([], [pipe], [], max(0.0, until - time.monotonic()))[1]:
                data = data[os.write(pipe, data[: select.PIPE_BUF]) :]


class RunLocation(NamedTuple):
    """Where a study's runs are found."""

    base: str
    """The address of the server; of the store's own database its URI."""
    backend: str
    """The address of the database or server, secrets included."""
    artifacts: str
    """The folder of the runs' files, as an address."""
    experiment: str
    """The number of the study's experiment."""
    run: str | None
    """The run of one trial, if one was requested."""
    own: bool = False
    """Whether it is the store's own database, which is named relative to the store."""

    @property
    def server(self) -> str:
        """The address for a server, whose working folder is the store's if the database is."""
        return f"sqlite:///{OWN}" if self.own else self.backend


def locate_runs(
    store: Store, key: str | None = None, uri: str | None = None, files_of: str | None = None
) -> RunLocation:
    """The place of the runs of the store's latest study, or the run of the trial with this key prefix.

    Studies that are missing from the store's own database are first added from the records, each run
    with the files of `files_of` (see `Tracker`).

    Raises:
        TrackingError: nothing was tracked there, or not exactly one trial matches.
    """
    address, (experiment, run) = _found(store, key, uri, {"files_of": files_of}, FINDING)
    server = address.startswith(("http:", "https:"))
    return RunLocation(
        base=bare(address) if server else shown(address),
        backend=address,
        artifacts=artifact_root(store).as_uri(),
        experiment=experiment,
        run=run,
        own=address == own_uri(store),
    )


class LoggedModel(NamedTuple):
    """A model in the run of a trial."""

    uri: str
    """For `load_model`."""
    run: str
    tracking: str
    """The address of the server or database, without secrets."""


def log_model(
    store: Store,
    key: str,
    attempt: int,
    folder: Path,
    *,
    name: str,
    sha256: str,
    uri: str | None = None,
    files_of: str | None = None,
) -> LoggedModel:
    """Logs a model that MLflow saved in a folder to the run of a trial's attempt.

    `sha256` identifies its content: a model of the same name and content in this run is not logged
    again. The run's status, times and numbers stay as they are. Studies that are missing are first
    added as by `locate_runs`.

    Raises:
        TrackingError: the trial has no run there, or one of another attempt, or MLflow fails.
    """
    model = {
        "folder": str(folder),
        "name": name,
        "sha256": sha256,
        "attempt": attempt,
        "timeout": os.environ.get("MLFLOW_HTTP_REQUEST_TIMEOUT", UPLOAD_TIMEOUT),
    }
    address, (found, run) = _found(
        store, key, uri, {"model": model, "files_of": files_of}, UPLOADING
    )
    return LoggedModel(found, run, shown(address))


def _found(
    store: Store, key: str | None, uri: str | None, more: Mapping[str, Any], patience: float
) -> tuple[str, tuple[str, str]]:
    """The address, and the answer of a process that finds runs there; `more` is added to its brief."""
    address = address_of(store, uri, SCHEMES)
    labels = sorted(studies(store), key=lambda label: _latest(store, label), reverse=True)
    if not labels:
        raise TrackingError(f"the store {store.path} has no studies yet; run one first")
    plans = [plan for label in labels if (plan := load_plan(store, label)) is not None]
    brief = {
        "driver": this_process()._asdict(),
        "store": str(store.path),
        "uri": address,
        "find": None if key is None else key.lower(),
        "labels": labels,
        "studies": [brief_of(store, plan, files_of=more.get("files_of")) for plan in plans],
        "model": more.get("model"),
    }
    file, model = _brief_file(store), "model" in more
    try:
        process = start(file, brief)
        answer = FinalAnswer(process, address, patience, None, model=model).ask({"close": True})
    except OSError as error:
        raise TrackingError(failure(address, error, model=model)) from error
    finally:
        file.unlink(missing_ok=True)
    store.messages += answer["messages"]
    if answer["trouble"] is not None:
        raise TrackingError(answer["trouble"])
    first, second = answer["found"]
    return address, (first, second)


def _brief_file(store: Store) -> Path:
    return store.running / f"{secrets.token_hex(4)}.tracking"


def _latest(store: Store, label: str) -> str:
    """When the latest launch of a study began; empty before the first."""
    return max((str(one.get("began", "")) for one in launch_history(store, label)), default="")
