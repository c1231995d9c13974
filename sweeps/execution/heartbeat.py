"""The heartbeat of a running trial: a small file with its progress, and a watch on the driver.

A thread writes the file at most every two seconds and kills the process when the driver is gone:
records are written atomically, so there is nothing to save.
"""

import contextlib
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any, Self

from sweeps.planning import Trial
from sweeps.processes import ProcessMark, now, this_process
from sweeps.storage import Spent, read_json, write_json

WATCH_SECONDS = 0.5
WRITE_SECONDS = 2.0


class Heartbeat:
    """Written while the block runs, removed at its end."""

    def __init__(
        self, folder: Path, trial: Trial, *, study: str, launch: str, driver: ProcessMark | None
    ) -> None:
        self.file = folder / f"{trial.key}.json"
        self.stop = threading.Event()
        """Set when the launch is interrupted: when its stop file appears."""
        self.done: float | None = None
        self.total: float | None = None
        self.metrics: dict[str, float | None] = {}
        self.earlier = Spent(0.0, 0.0)
        """Spent in interrupted launches, up to the checkpoints from which the trial resumed."""
        self.waited = 0.0
        """Seconds of this launch in which other trials of the process ran."""
        self._driver = driver
        self._stop_file = stop_file(folder, launch)
        self._about: dict[str, Any] = {
            "key": trial.key,
            "study": study,
            "cell": trial.cell,
            "seed": trial.seed,
            "launch": launch,
            "started": now(),
            **this_process()._asdict(),
        }
        self._began = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._write()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        with contextlib.suppress(OSError):
            self.file.unlink(missing_ok=True)

    def _beat(self) -> None:
        written, last = self._state(), time.monotonic()
        while not self._over.wait(WATCH_SECONDS):
            if self._driver is not None and not self._driver.alive():
                os.kill(os.getpid(), signal.SIGKILL)
            if self._stop_file.exists():
                self.stop.set()
            state = self._state()
            if state != written and time.monotonic() - last >= WRITE_SECONDS:
                self._write()
                written, last = state, time.monotonic()

    def _state(self) -> dict[str, Any]:
        return {"done": self.done, "total": self.total, "metrics": self.metrics}

    def _write(self) -> None:
        here, (earlier, own) = time.monotonic() - self._began, self.earlier
        times = {
            "seconds": round(here + earlier, 2),
            "own_seconds": None if own is None else round(here - self.waited + own, 2),
        }
        # A disk that refuses a heartbeat will refuse the record too, which is where it is reported.
        with contextlib.suppress(OSError):
            write_json(self.file, {**self._about, **self._state(), **times})


def stop_file(folder: Path, launch: str) -> Path:
    """The file that stops the trials of a launch once it exists."""
    return folder / f"{launch}.stop"


def hold_file(folder: Path, launch: str) -> Path:
    """The file that lets no further trial of a launch begin once it exists."""
    return folder / f"{launch}.hold"


def pace_file(folder: Path, launch: str) -> Path:
    """How much longer the trials of a launch take than was expected, for its workers."""
    return folder / f"{launch}.pace"


def heartbeats(folder: Path) -> list[dict[str, Any]]:
    """The heartbeats in a store's `running` folder, including those of dead processes."""
    notes = [read_json(file) for file in sorted(folder.glob("*.json"))]
    return [note for note in notes if isinstance(note, dict) and "key" in note]
