"""Rounds of jobs on a private Ray in a separate process, with a time limit for every wait."""

import contextlib
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from sweeps.errors import SweepError
from sweeps.execution.heartbeat import heartbeats
from sweeps.execution.ray_session import end_processes
from sweeps.execution.ray_settings import ray_environment
from sweeps.execution.trial_runner import RunSettings
from sweeps.processes import ProcessMark, began, mark_of, this_process
from sweeps.storage import Store, as_store_error

WATCH_SECONDS = 0.25
"""Seconds between two checks of Ray's processes."""

START_SECONDS = 180.0
"""Seconds within which Ray must start."""

LISTEN_SECONDS = 5.0
"""Seconds for reading the last line of a Ray that has ended."""

QUIET_SECONDS = 180.0
"""A round is stuck if no trial runs or ends for this many seconds."""


class RayLostError(SweepError):
    """A process of Ray ended or does not answer; a new Ray may replace it."""


class RayRefusedError(SweepError):
    """Ray did not start, or did not accept the jobs."""


class RayRounds:
    """A Ray that runs rounds of jobs until the block ends."""

    def __init__(self, session: Path, store: Store, settings: RunSettings) -> None:
        self._session, self._store = session, store
        self._inbox: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._servers: list[tuple[str, ProcessMark]] = []
        brief = {"session": str(session), "workers": len(settings.shares()), "gpus": settings.gpus}
        with as_store_error(session):
            (session / "brief.json").write_text(json.dumps(brief), encoding="utf-8")
        with as_store_error(ray_log(store)):
            log = ray_log(store).open("ab")
        with log:
            self._process = subprocess.Popen(  # noqa: S603 - this very interpreter and module
                [sys.executable, "-m", "sweeps.execution.ray_process", session / "brief.json"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=ray_environment(session, settings),
                # Signals of the terminal are for the driver, which asks the trials to stop.
                start_new_session=True,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout

    def __enter__(self) -> Self:
        self._listener = threading.Thread(target=self._listen, name="ray", daemon=True)
        self._listener.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        end_processes(self._session)
        self._process.wait()
        self._listener.join(LISTEN_SECONDS)
        with contextlib.suppress(OSError):  # what was still to be written has no reader
            self._input.close()
        if not self._listener.is_alive():
            self._output.close()

    def start(self) -> None:
        """Waits until Ray has started."""
        until = time.monotonic() + START_SECONDS
        while "ready" not in (message := self._next()):
            if time.monotonic() > until:
                raise RayRefusedError(f"it did not start within {START_SECONDS:g} s")
        host = this_process().host
        self._servers = [
            (name, ProcessMark(pid, began(pid) or "", host)) for name, pid in message["ready"]
        ]

    def run(
        self,
        number: int,
        files: list[str],
        *,
        launch: str,
        on_ended: Callable[[list[Any]], None],
        enough: Callable[[], bool],
    ) -> None:
        """Runs a round of jobs to its end, or until it should stop."""
        # A process that is gone shows in its output.
        with contextlib.suppress(OSError):
            self._input.write(json.dumps({"round": number, "files": files}).encode() + b"\n")
            self._input.flush()
        last = time.monotonic()
        while not enough():
            message = self._next()
            if "over" in message:
                # Workers that ended with Ray have not died by themselves.
                self._check_servers()
                return
            if "ended" in message:
                on_ended(message["ended"])
            if message or self._runs(launch):
                last = time.monotonic()
            elif time.monotonic() - last > QUIET_SECONDS:
                raise RayLostError(f"no trial has started for {QUIET_SECONDS:g} s")

    def _runs(self, launch: str) -> bool:
        return any(
            note.get("launch") == launch and mark_of(note).alive()
            for note in heartbeats(self._store.running)
        )

    def _listen(self) -> None:
        for line in self._output:
            with contextlib.suppress(ValueError):
                self._inbox.put(json.loads(line))
        self._inbox.put(None)

    def _check_servers(self) -> None:
        for name, server in self._servers:
            if not server.alive():
                raise RayLostError(f"its {name} exited")

    def _next(self) -> dict[str, Any]:
        """The next message, or an empty one after a moment; raises if a process is gone."""
        try:
            message = self._inbox.get(timeout=WATCH_SECONDS)
        except queue.Empty:
            self._check_servers()
            return {}
        if message is None:
            raise RayLostError("the process that calls it ended")
        if "refused" in message:
            raise RayRefusedError(message["refused"])
        return message


def ray_log(store: Store) -> Path:
    """The file for the output of Ray and its processes, removed after a successful launch."""
    return store.running / "ray.log"
