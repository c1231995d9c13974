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
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from sweeps.errors import TrackingError
from sweeps.planning import Plan
from sweeps.processes import this_process
from sweeps.record import TrialRecord
from sweeps.storage import Store, launch_history, load_plan, studies
from sweeps.suggest import did_you_mean
from sweeps.tracking.redaction import bare, shown
from sweeps.tracking.tracker_process import PATIENCE, FinalAnswer, failure, start

FINDING = 60.0
"""Seconds without progress for looking a study up, which may make a database first."""

OWN = "mlflow.db"
"""The database in a store."""

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


class TrackingResult(NamedTuple):
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
    path = str(own_database(store)).replace("%", "%25").replace("?", "%3F")
    return f"sqlite:///{path}"


def own_database(store: Store) -> Path:
    """Its file."""
    return store.path / OWN


def artifact_root(store: Store) -> Path:
    """Where the runs of the store's own database keep their files."""
    return store.path / "mlartifacts"


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
    about = brief_of(store, plan, metric) | {"uri": place, "interval": interval}
    return Tracking(store, place, about)


def brief_of(store: Store, plan: Plan, metric: str) -> dict[str, Any]:
    """What a tracker has to know of a study."""
    return {
        "driver": this_process()._asdict(),
        "store": str(store.path),
        "label": plan.label,
        "metric": metric,
        "reopen": bool(plan.todo),
        "cells": [[cell.name, cell.role, cell.levels] for cell in plan.cells],
        "trials": [[trial.key, trial.cell] for trial in plan.trials],
        "todo": [trial.key for trial in plan.todo],
    }


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
            self._process = start(self._brief, about)
        except OSError as error:
            self._trouble = failure(uri, error)

    def record(self, record: TrialRecord) -> None:
        """Tells that a record is in place. To be handed to `execute` as `on_record`."""
        del record  # The tracker looks into the store; this only wakes it.
        if self._process is not None and self._process.stdin is not None:
            # A full pipe holds wake-ups enough, and a broken one is told of at the end.
            with contextlib.suppress(OSError, ValueError):
                os.write(self._process.stdin.fileno(), b"{}\n")

    def settle(
        self,
        *,
        cells: Mapping[str, CellSummary] | None = None,
        verdicts: Mapping[str, str] | None = None,
        cell_verdicts: Mapping[str, str] | None = None,
        note: str = "",
    ) -> None:
        """The trials are over: the study's run ends with these numbers, whatever comes of `close`.

        `cells` are shown in place of what the tracker computes. `verdicts`, claim -> words, and the
        Markdown `note` are added to the study's run, `cell_verdicts` to the cells' runs. Comes back
        at once; a driver that is killed from here on leaves a run that is finished.
        """
        self._last = {
            "cells": None if cells is None else {name: list(cell) for name, cell in cells.items()},
            "verdicts": dict(verdicts or {}),
            "cell_verdicts": dict(cell_verdicts or {}),
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
        """Brings everything up to date and closes the study's run.

        It takes as long as runs are written, and ends `timeout` seconds after the last progress; when
        `interrupted`, `timeout` seconds after the call. `on_progress` gets the numbers of runs that are
        written and that were missing. `files`, such as reports, are added to the study's run.

        Raises:
            KeyboardInterrupt: as it came, after the study's run was closed.
        """
        began = time.monotonic()
        last = {
            **self._last,
            "close": True,
            "files": [str(path) for path in files],
            "interrupted": interrupted,
        }
        answer: dict[str, Any] = {"written": 0, "trouble": self._trouble, "messages": []}
        if self._process is not None:
            process, self._process = self._process, None
            try:
                answer = FinalAnswer(process, self.uri, timeout, on_progress).ask(last)
            finally:
                self._brief.unlink(missing_ok=True)
        self._store.messages += answer["messages"]
        return TrackingResult(answer["written"], answer["trouble"], time.monotonic() - began)

    def _send(self, message: Mapping[str, Any]) -> None:
        """A whole line, in as many writes as the pipe takes; one that is not emptied is given up."""
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
    """The address of the database or server, with all that it holds."""
    artifacts: str
    """The folder of the runs' files, as an address."""
    experiment: str
    """The number of the study's experiment."""
    run: str | None
    """The run of one trial, if one was asked for."""
    own: bool = False
    """Whether it is the store's own database, which is named relative to the store."""

    @property
    def server(self) -> str:
        """The address for a server, whose working folder is the store's if the database is."""
        return f"sqlite:///{OWN}" if self.own else self.backend


def locate_runs(
    store: Store, key: str | None = None, uri: str | None = None, *, metric: str = "top1"
) -> RunLocation:
    """Where the runs of the store's latest study are, or the run of the trial that `key` begins.

    Studies that the store's own database lacks are added to it from the records first.

    Raises TrackingError if nothing was tracked there, or not one trial fits.
    """
    place = tracking_uri(store, uri)
    labels = _labels(store)
    if not labels:
        raise TrackingError(f"the store {store.path} has no study yet; run one first")
    plans = [plan for label in labels if (plan := load_plan(store, label)) is not None]
    about = {
        "driver": this_process()._asdict(),
        "store": str(store.path),
        "uri": place,
        "find": None if key is None else key.lower(),
        "labels": labels,
        "studies": [brief_of(store, plan, metric) for plan in plans],
    }
    brief = store.running / f"{secrets.token_hex(4)}.tracking"
    try:
        process = start(brief, about)
    except OSError as error:
        raise TrackingError(failure(place, error)) from error
    try:
        answer = FinalAnswer(process, place, FINDING, None).ask({"close": True})
    finally:
        brief.unlink(missing_ok=True)
    store.messages += answer["messages"]
    if answer["trouble"] is not None:
        raise TrackingError(answer["trouble"])
    experiment, run = answer["found"]
    server = place.startswith(("http:", "https:"))
    return RunLocation(
        base=bare(place) if server else shown(place),
        backend=place,
        artifacts=artifact_root(store).as_uri(),
        experiment=experiment,
        run=run,
        own=place == own_uri(store),
    )


def _labels(store: Store) -> list[str]:
    """The studies of a store, the one that was launched last first."""

    def latest(label: str) -> str:
        return max((str(one.get("began", "")) for one in launch_history(store, label)), default="")

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
    except ValueError:
        # The parser's own words would show what stands there, which may be a password.
        raise TrackingError(
            f"{source}: {shown(uri)!r} is no address: what stands after the last colon is no port from"
            " 0 to 65535, or a bracket is missing; write it as scheme://user:password@host:port, with"
            " @, /, ? and # in the password percent-encoded"
        ) from None
