"""A run of MLflow as one value, and two ways to write it: MLflow's interface, or many at once.

A tracking server needs several requests for a run and accepts at most a dozen runs per second. The
store's own database accepts a hundred in one transaction, which is necessary to rebuild 10,000. The
statements match the tables of the installed MLflow; if they do not fit, the interface is used. A test
checks that both give the same result.
"""

import contextlib
import math
import shutil
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.tracking import MlflowClient
from mlflow.utils.file_utils import local_file_uri_to_path

TOGETHER = 100
"""Runs in one transaction of the store's own database."""

BATCH = 900
"""Metrics in one request to MLflow, which allows 1,000 entries with parameters and tags."""

_DATA_CONTEXT, _CONTEXT = "mlflow.data.context", "training"
_LARGEST = 1.7976931348623157e308


class Stopped(Exception):  # noqa: N818 -- on request
    """Writing was stopped before everything was written."""


class Watch(NamedTuple):
    """Callbacks of a writer to MLflow."""

    step: Callable[[int, int], None] = lambda _done, _of: None
    """Called at each request with the number of runs written and of those that were missing."""
    stop: Callable[[], bool] = lambda: False
    """Called before each write; returns whether to stop."""


class NewRun(NamedTuple):
    """A run that has ended."""

    name: str
    began: int
    """Milliseconds since 1970, as all times here."""
    ended: int
    status: str
    tags: dict[str, str]
    mark: dict[str, str]
    """Tags written last: a run that lacks them was cut off."""
    params: dict[str, str]
    metrics: tuple[Metric, ...]
    dataset: Dataset | None = None
    texts: tuple[tuple[str, str], ...] = ()
    """Files as name and text."""
    files: tuple[Path, ...] = ()
    """Files to copy."""


class RunWriter:
    """Writes runs into one experiment, in the fastest way that its database allows."""

    def __init__(
        self, client: MlflowClient, experiment: str, location: str, file: Path | None, watch: Watch
    ) -> None:
        """`location` is the experiment's for files, `file` the store's own database if it is used."""
        self.client, self.watch = client, watch
        self._experiment, self._location, self._file = experiment, location, file

    @property
    def own(self) -> bool:
        """Whether runs are written into the store's own database, many at once."""
        return self._file is not None

    def write(
        self, new: list[NewRun], state: tuple[int, int], begun: Sequence[str | None] = ()
    ) -> list[str]:
        """Writes runs and returns their numbers.

        `state` is the number of runs written and of those that were missing, `begun` the number of
        each run that was cut off, or None.
        """
        if self._file is not None:
            try:
                return write_runs(self._file, self._experiment, self._location, new)
            except OtherTables:
                self._file = None
        return [
            write_run(self.client, self._experiment, one, run, lambda: self.watch.step(*state))
            for one, run in zip(new, begun or [None] * len(new), strict=True)
        ]


def write_run(
    client: MlflowClient,
    experiment: str,
    new: NewRun,
    begun: str | None,
    step: Callable[[], None],
) -> str:
    """Writes a run through MLflow's interface and returns its number; calls `step` at each request.

    A run that was begun and cut off is completed: writing twice changes nothing.
    """
    run = begun
    if run is None:
        created = client.create_run(
            experiment, start_time=new.began, run_name=new.name, tags=new.tags
        )
        run = created.info.run_id
        step()
    if new.dataset is not None:
        context = InputTag(_DATA_CONTEXT, _CONTEXT)
        client.log_inputs(run, [DatasetInput(new.dataset, [context])])
        step()
    for name, text in new.texts:
        client.log_text(run, text, name)
        step()
    for file in new.files:
        client.log_artifact(run, str(file))
        step()
    metrics = list(new.metrics)
    for first in range(0, len(metrics), BATCH):
        client.log_batch(run, metrics=metrics[first : first + BATCH])
        step()
    client.set_terminated(run, status=new.status, end_time=new.ended)
    step()
    client.log_batch(
        run,
        params=[Param(name, text) for name, text in new.params.items()],
        tags=[RunTag(name, text) for name, text in new.mark.items()],
    )
    step()
    return run


class OtherTables(Exception):  # noqa: N818 -- no failure: the interface is used then
    """The database does not have the tables that the statements here expect."""


def write_runs(file: Path, experiment: str, location: str, runs: Sequence[NewRun]) -> list[str]:
    """Writes runs into MLflow's SQLite database in one transaction; returns their numbers.

    `location` is the experiment's, a folder on this machine.

    Raises:
        OtherTables: nothing was written, since this database is of another version.
    """
    numbers = [uuid.uuid4().hex for _ in runs]
    place = Path(local_file_uri_to_path(location))
    for number, new in zip(numbers, runs, strict=True):
        _write_files(place / number / "artifacts", new)
    with contextlib.closing(sqlite3.connect(file, timeout=20.0)) as database:
        try:
            with database:
                database.execute("BEGIN IMMEDIATE")
                for number, new in zip(numbers, runs, strict=True):
                    _insert(database, int(experiment), location, number, new)
        except sqlite3.Error as error:
            for number in numbers:
                shutil.rmtree(place / number, ignore_errors=True)
            missing = str(error).startswith(("no such", "table "))
            if missing or isinstance(error, sqlite3.IntegrityError):
                raise OtherTables(str(error)) from error
            raise
    return numbers


def _write_files(folder: Path, new: NewRun) -> None:
    if new.texts or new.files:
        folder.mkdir(parents=True, exist_ok=True)
    for name, text in new.texts:
        (folder / name).write_text(text, encoding="utf-8")
    for file in new.files:
        shutil.copyfile(file, folder / file.name)


def _insert(
    database: sqlite3.Connection, experiment: int, location: str, run: str, new: NewRun
) -> None:
    _add(
        database,
        "runs",
        "run_uuid name status start_time end_time artifact_uri experiment_id"
        " source_type source_name entry_point_name user_id source_version lifecycle_stage",
        [
            (
                *(run, new.name, new.status, new.began, new.ended),
                *(f"{location}/{run}/artifacts", experiment),
                *("UNKNOWN", "", "", "unknown", "", "active"),
            )
        ],
    )
    tags = {**new.tags, **new.mark, "mlflow.runName": new.name}
    _add(database, "tags", "key value run_uuid", [(*tag, run) for tag in tags.items()])
    _add(database, "params", "key value run_uuid", [(*one, run) for one in new.params.items()])
    rows = dict.fromkeys(_rows(new.metrics))
    latest = {row[0]: row for row in sorted(rows, key=lambda row: (row[3], row[2], row[1]))}
    columns = "key value timestamp step is_nan run_uuid"
    _add(database, "metrics", columns, [(*row, run) for row in rows])
    _add(database, "latest_metrics", columns, [(*row, run) for row in latest.values()])
    if new.dataset is not None:
        _insert_data(database, experiment, run, new.dataset)


def _rows(metrics: Iterable[Metric]) -> list[tuple[str, float, int, int, bool]]:
    """Numbers as MLflow stores them: NaN is a zero with a mark, infinity is the largest number."""
    rows: list[tuple[str, float, int, int, bool]] = []
    for one in metrics:
        value = float(one.value)
        stored = 0.0 if math.isnan(value) else max(-_LARGEST, min(_LARGEST, value))
        rows.append((one.key, stored, one.timestamp, one.step, math.isnan(value)))
    return rows


def _insert_data(database: sqlite3.Connection, experiment: int, run: str, data: Dataset) -> None:
    known = database.execute(
        "SELECT dataset_uuid FROM datasets WHERE experiment_id = ? AND name = ? AND digest = ?",
        (experiment, data.name, data.digest),
    ).fetchone()
    number = known[0] if known else uuid.uuid4().hex
    if known is None:
        columns = "dataset_uuid experiment_id name digest dataset_source_type dataset_source"
        row = (number, experiment, data.name, data.digest, data.source_type, data.source)
        _add(database, "datasets", columns, [row])
    edge = uuid.uuid4().hex
    columns = "input_uuid source_type source_id destination_type destination_id"
    _add(database, "inputs", columns, [(edge, "DATASET", number, "RUN", run)])
    _add(database, "input_tags", "input_uuid name value", [(edge, _DATA_CONTEXT, _CONTEXT)])


def _add(
    database: sqlite3.Connection, table: str, columns: str, rows: Sequence[tuple[object, ...]]
) -> None:
    """Inserts rows; `columns` names what each holds, with blanks between the names."""
    names = columns.split()
    marks = ", ".join("?" * len(names))
    statement = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608 - names from here
    database.executemany(statement, rows)
