"""Drivers in processes of their own, what is left of them, and what MLflow's database holds."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from heeding import heeding

ROOT = Path(__file__).parents[2]
DRIVE = Path(__file__).with_name("drive.py")
MARK = "SWEEPS_TEST_SCENE"
"""An environment variable that all descendants of a driver inherit."""


class Scene:
    """A store, and the drivers that run on it one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "store"
        self.home = folder / "home"
        self.home.mkdir(exist_ok=True)
        self.home.chmod(0o555)
        self.sessions = set[str]()
        self._drivers: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Whatever a test that failed left running is ended."""
        left = self.processes()
        for driver in self._drivers:
            driver.kill()
            driver.wait()
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def start(
        self, name: str, *, variables: dict[str, str] | None = None, **options: Any
    ) -> subprocess.Popen[bytes]:
        told = {
            "counter": str(self.folder / "counter"),
            "gate": str(self.folder / "gate"),
            "result": str(self.folder / f"{name}.json"),
            "seeds": [0, 1],
            **options,
        }
        environment = {
            **{name: text for name, text in os.environ.items() if not name.startswith("MLFLOW")},
            "HOME": str(self.home),
            MARK: str(self.folder),
            **(variables or {}),
        }
        with (self.folder / f"{name}.out").open("wb") as out:
            driver = subprocess.Popen(
                heeding(sys.executable, DRIVE, self.store, json.dumps(told)),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=ROOT,
                env=environment,
                start_new_session=True,
            )
        self._drivers.append(driver)
        return driver

    def run(self, name: str, **options: Any) -> dict[str, Any]:
        driver = self.start(name, **options)
        assert driver.wait(timeout=200) == 0, self.said(name)
        return self.result(name)

    def result(self, name: str) -> dict[str, Any]:
        return json.loads((self.folder / f"{name}.json").read_text())

    def said(self, name: str) -> str:
        return (self.folder / f"{name}.out").read_text(errors="replace")

    def steps(self) -> dict[str, int]:
        """`cell:seed` -> how many steps were done for it, over all drivers."""
        counted: dict[str, int] = {}
        with contextlib.suppress(FileNotFoundError):
            for line in (self.folder / "counter").read_text().splitlines():
                _, cell, seed, _ = line.split()
                counted[f"{cell}:{seed}"] = counted.get(f"{cell}:{seed}", 0) + 1
        return counted

    def records(self) -> dict[str, list[dict[str, Any]]]:
        """`cell:seed` -> its records, read without the engine."""
        found: dict[str, list[dict[str, Any]]] = {}
        for file in sorted(self.store.glob("trials/*/[0-9]*/record.json")):
            record = json.loads(file.read_text())
            found.setdefault(f"{record['cell']}:{record['seed']}", []).append(record)
        return found

    def heartbeats(self) -> dict[str, int]:
        """`cell:seed` -> process, of the trials that run."""
        found: dict[str, int] = {}
        for file in self.store.glob("running/*.json"):
            with contextlib.suppress(OSError, ValueError):
                note = json.loads(file.read_text())
                found[f"{note['cell']}:{note['seed']}"] = note["pid"]
        return found

    def ray(self, words: str) -> list[int]:
        """The processes of Ray and of trials, with `words` in their command, of this scene."""
        known = {*self.processes(words)}
        return [pid for pid in known if "drive.py" not in _text(Path(f"/proc/{pid}/cmdline"))]

    def processes(self, words: str = "") -> list[int]:
        """All living processes of this scene's drivers, those with `words` in their command.

        They have the mark in their environment, or, where a title was written over it, an open file
        in a folder that a driver noted as its session.
        """
        with contextlib.suppress(OSError, ValueError):
            self.sessions.add(json.loads((self.store / "lock").read_text())["session"])
        return [
            int(folder.name)
            for folder in Path("/proc").glob("[0-9]*")
            if self._is_ours(folder) and words in _text(folder / "cmdline")
        ]

    def _is_ours(self, folder: Path) -> bool:
        if f"{MARK}={self.folder}\0" in _text(folder / "environ"):
            return True
        with contextlib.suppress(OSError):
            links = [str(file.readlink()) for file in (folder / "fd").iterdir()]
            return any(link.startswith(tuple(self.sessions)) for link in links)
        return False

    def runs(self) -> list[dict[str, Any]]:
        """MLflow's runs by SQL: tags, parameters and latest metrics of each that is not deleted."""
        with contextlib.closing(sqlite3.connect(self.store / "mlflow.db")) as database:
            tables = {
                name: database.execute(f"SELECT run_uuid, key, value FROM {name}").fetchall()
                for name in ("tags", "params", "latest_metrics")
            }
            runs = database.execute(
                "SELECT run_uuid, status FROM runs WHERE lifecycle_stage = 'active'"
            ).fetchall()
        return [
            {
                "id": run,
                "status": status,
                **{
                    name: {key: value for of, key, value in rows if of == run}
                    for name, rows in tables.items()
                },
            }
            for run, status in runs
        ]

    def statuses(self) -> list[str]:
        """Of all runs, deleted ones too; empty while there is no database."""
        with contextlib.suppress(sqlite3.Error):
            # For writing: a tracker that was killed in the middle left a journal to be undone.
            uri = f"file:{self.store / 'mlflow.db'}?mode=rw"
            with contextlib.closing(sqlite3.connect(uri, uri=True)) as database:
                return [status for (status,) in database.execute("SELECT status FROM runs")]
        return []


def _text(file: Path) -> str:
    with contextlib.suppress(OSError):
        return file.read_bytes().decode(errors="replace")
    return ""


def wait_until(true: Callable[[], bool], what: str, seconds: float = 120.0) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, f"{what} did not come true in {seconds:g} s"
        time.sleep(0.05)
