"""The store's own MLflow database: created atomically, and rebuilt if it is damaged."""

import contextlib
import sqlite3
from pathlib import Path

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from sweeps.storage import Store, as_store_error, temporary_sibling
from sweeps.tracking.address import artifact_root, own_database, own_uri


def open_client(uri: str, store: Store) -> MlflowClient:
    """A client for an address; the store's own database is first created or rebuilt if necessary.

    MLflow creates a database in many steps and cannot continue with an incomplete one, so it is created
    under another name and then renamed. MLflow uses the text after `sqlite:///` once verbatim and once
    decoded, so a folder with a % or ? in its name would get a second database. The database is
    therefore named relative to the store, which must be the working folder.
    """
    if uri != own_uri(store):
        return MlflowClient(uri)
    file = own_database(store)
    if file.exists() and (why := _broken(file)) is not None:
        store.set_aside(file, f"is not a database that MLflow can use ({why})")
        _forget_journal(file)
    if file.exists():
        _relocate(file, artifact_root(store).as_uri())
    else:
        _make(file)
    return MlflowClient(f"sqlite:///{file.name}")


def _relocate(file: Path, artifacts: str) -> None:
    """Updates MLflow's absolute paths of files in a store that was moved or copied."""
    with contextlib.closing(sqlite3.connect(file, timeout=5.0)) as database, database:
        for number, old in database.execute(
            "SELECT experiment_id, artifact_location FROM experiments WHERE experiment_id != 0"
        ).fetchall():
            _, folder, name = str(old).rpartition(f"/{Path(artifacts).name}/")
            new = f"{artifacts}/{name}"
            if not folder or old == new:
                continue
            database.execute(
                "UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?",
                (new, number),
            )
            database.execute(
                "UPDATE runs SET artifact_uri = ? || substr(artifact_uri, length(?) + 1)"
                " WHERE experiment_id = ? AND substr(artifact_uri, 1, length(?) + 1) = ? || '/'",
                (new, old, number, old, old),
            )
            database.execute(
                "UPDATE logged_models SET artifact_location = ? || substr(artifact_location,"
                " length(?) + 1) WHERE experiment_id = ?"
                " AND substr(artifact_location, 1, length(?) + 1) = ? || '/'",
                (new, old, number, old, old),
            )


def _broken(file: Path) -> str | None:
    """Why a database cannot be used; None if it can. A locked one raises."""
    try:
        with contextlib.closing(sqlite3.connect(file, timeout=5.0)) as database:
            [(verdict,), *_] = database.execute("PRAGMA quick_check(1)").fetchall()
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise
        return str(error)
    except sqlite3.DatabaseError as error:
        return str(error)
    if verdict != "ok":
        return str(verdict)
    # MLflow caches connections by address: this one would stay in use for a file that was set aside.
    try:
        MlflowClient(f"sqlite:///./{file.name}").search_experiments(max_results=1)
    except MlflowException as error:
        return str(error).strip().partition(". ")[0]
    return None


def _forget_journal(file: Path) -> None:
    # A journal that outlived its database would be replayed into the new one.
    for suffix in ("-journal", "-wal", "-shm"):
        with contextlib.suppress(OSError):
            file.with_name(file.name + suffix).unlink(missing_ok=True)


def _make(file: Path) -> None:
    making = temporary_sibling(file)
    try:
        MlflowClient(f"sqlite:///{making.name}").search_experiments()
        with as_store_error(file):
            making.replace(file)
    finally:
        making.unlink(missing_ok=True)
        _forget_journal(making)
