"""Rounds of jobs on a private Ray, in a process of its own whose every wait is watched."""

import contextlib
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sweeps.errors import SweepError
from sweeps.execution.heartbeat import heartbeats
from sweeps.execution.ray_session import end_processes
from sweeps.execution.ray_settings import ray_environment
from sweeps.execution.trial_runner import RunSettings
from sweeps.processes import ProcessMark, began, mark_of, this_process
from sweeps.storage import Store, as_store_error

WATCH_SECONDS = 0.25
"""Between two looks at Ray's processes."""

START_SECONDS = 180.0
"""Ray has this long to start."""

LISTEN_SECONDS = 5.0
"""Until the last line of a Ray that has ended is read."""

QUIET_SECONDS = 180.0
"""A round in which no trial runs and none ends for this long is stuck."""

OnEnded = Callable[[list[Any]], None]


class RayLostError(SweepError):
    """A process of Ray ended or no longer answers; another Ray may go on."""


class RayRefusedError(SweepError):
    """Ray did not start, or did not take the work."""


class RayRounds:
    """A Ray that runs rounds of jobs until the block ends."""

    def __init__(self, session: Path, store: Store, settings: RunSettings) -> None:
        self._session, self._store = session, store
        self._log = ray_log(store)
        self._inbox: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._servers: list[tuple[str, ProcessMark]] = []
        brief = session / "brief.json"
        with as_store_error(session):
            brief.write_text(
                json.dumps(
                    {"session": str(session), "slots": settings.slots, "gpus": settings.gpus}
                ),
                encoding="utf-8",
            )
        with as_store_error(self._log):
            log = self._log.open("ab")
        with log:
            self._process = subprocess.Popen(  # noqa: S603 - this very interpreter and module
                [sys.executable, "-m", "sweeps.execution.ray_process", str(brief)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=ray_environment(session, settings),
                # Signals of the terminal are for the driver, which asks the trials to stop.
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        self._listener = threading.Thread(target=self._listen, name="ray", daemon=True)
        self._listener.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        del kind, error, traceback
        self._process.kill()
        end_processes(self._session)
        self._process.wait()
        self._listener.join(LISTEN_SECONDS)
        with contextlib.suppress(OSError):  # what was still to be written has no reader
            if self._process.stdin is not None:
                self._process.stdin.close()
        if self._process.stdout is not None and not self._listener.is_alive():
            self._process.stdout.close()

    def start(self) -> None:
        """Waits until Ray has started."""
        until = time.monotonic() + START_SECONDS
        while "ready" not in (said := self._next()):
            if time.monotonic() > until:
                raise RayRefusedError(f"it did not start within {START_SECONDS:g} s")
        host = this_process().host
        self._servers = [
            (name, ProcessMark(pid, began(pid) or "", host)) for name, pid in said["ready"]
        ]

    def run(
        self,
        number: int,
        files: list[str],
        *,
        launch: str,
        on_ended: OnEnded,
        enough: Callable[[], bool],
    ) -> None:
        """Runs a round of jobs to its end, or until it is enough."""
        self._ask({"round": number, "files": files})
        heard = time.monotonic()
        while not enough():
            said = self._next()
            if "over" in said:
                # Workers that ended with Ray have not died by themselves.
                self._look()
                return
            if "ended" in said:
                on_ended(said["ended"])
            if said or self._runs(launch):
                heard = time.monotonic()
            elif time.monotonic() - heard > QUIET_SECONDS:
                raise RayLostError(f"no trial has started for {QUIET_SECONDS:g} s")

    def _runs(self, launch: str) -> bool:
        return any(
            note.get("launch") == launch and mark_of(note).alive()
            for note in heartbeats(self._store.running)
        )

    def _ask(self, request: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        # A process that is gone shows in its output.
        with contextlib.suppress(OSError):
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with contextlib.suppress(ValueError):
                self._inbox.put(json.loads(line))
        self._inbox.put(None)

    def _look(self) -> None:
        for name, server in self._servers:
            if not server.alive():
                raise RayLostError(f"its {name} ended")

    def _next(self) -> dict[str, Any]:
        """The next line, or nothing for a moment; raises if a process that is needed is gone."""
        try:
            said = self._inbox.get(timeout=WATCH_SECONDS)
        except queue.Empty:
            self._look()
            return {}
        if said is None:
            raise RayLostError("the process that calls it ended")
        if "refused" in said:
            raise RayRefusedError(said["refused"])
        return said


def ray_log(store: Store) -> Path:
    """Where what Ray and its processes print is kept until a launch has ended well."""
    return store.running / "ray.log"
