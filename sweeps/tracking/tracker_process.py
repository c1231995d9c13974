"""The driver's side of the tracker's process: starts it, waits for its final answer, ends it."""

import contextlib
import json
import os
import select
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sweeps.processes import python_path
from sweeps.tracking.redaction import redacted, shown

PATIENCE = 10.0
"""Seconds without progress after which a driver stops its tracker; the next launch adds what is missing."""

UPLOAD_TIMEOUT = "300"
"""Seconds for the server to take one file of a model, unless the user chose another request timeout.

It answers when it has passed the file on to its own store. Other requests end after five seconds, so
that a server that hangs is reported soon.
"""

CLOSING = 5.0
"""Seconds for a tracker to close the study's run when it is stopped."""


def start(brief: Path, about: Mapping[str, Any]) -> subprocess.Popen[bytes]:
    """Starts a tracker that reads its brief from this file in `running/`; raises OSError."""
    environment = {
        # Defaults that the user may override; without them an unreachable server is tried for minutes.
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
        **os.environ,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "GIT_PYTHON_REFRESH": "quiet",
        "PYTHONPATH": python_path(),
    }
    log = _private_log(brief.with_name("tracking.log"))
    try:
        # An address may hold a password: no one else may read the brief, not for a moment.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(brief, flags, 0o600), "w", encoding="utf-8") as file:
            json.dump(about, file)
        process = subprocess.Popen(  # noqa: S603 - this very interpreter and module
            [sys.executable, "-m", "sweeps.tracking.tracker_main", str(brief)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
            # Ctrl-C is for the driver; the tracker ends when its input does.
            start_new_session=True,
        )
    except OSError:
        brief.unlink(missing_ok=True)
        raise
    finally:
        os.close(log)
    assert process.stdin is not None
    os.set_blocking(process.stdin.fileno(), False)
    return process


def _private_log(path: Path) -> int:
    """The log, readable by its owner only; one that others may read is replaced."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            path.unlink()
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


class FinalAnswer:
    """Waits for a tracker's final answer while there is progress, and ends it if there is none."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        uri: str,
        patience: float,
        on_progress: Callable[[int, int], None] | None,
        *,
        model: bool = False,
    ) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process, self._input, self._output = process, process.stdin, process.stdout
        self._uri, self._patience, self._on_progress = uri, patience, on_progress
        self._model, self._rest = model, b""

    def ask(self, last: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to the last message; one with a `trouble` if none comes."""
        try:
            # A pipe that no one empties must not hold the driver.
            threading.Thread(target=self._send, args=(last,), daemon=True).start()
            answer = self._answer(self._patience, renewed=not last.get("interrupted"))
            if answer is not None:
                return answer
            why = f"no answer within {self._patience:g} s"
            return self._give_up(why, min(CLOSING, self._patience))
        except EOFError:
            return self._trouble(f"the tracker ended with code {self._process.wait()}")
        except KeyboardInterrupt:
            self._give_up("interrupted", CLOSING)
            raise
        finally:
            for pipe in (self._input, self._output):
                with contextlib.suppress(OSError, ValueError):
                    pipe.close()

    def _send(self, last: Mapping[str, Any]) -> None:
        with contextlib.suppress(OSError, ValueError):
            os.set_blocking(self._input.fileno(), True)
            self._input.write(json.dumps(last).encode() + b"\n")
            self._input.close()

    def _answer(self, seconds: float, *, renewed: bool) -> dict[str, Any] | None:
        """The answer if it comes within these seconds, which progress renews; else None.

        Raises:
            EOFError: the tracker ended without one.
        """
        out, until = self._output.fileno(), time.monotonic() + seconds
        while select.select([out], [], [], max(0.0, until - time.monotonic()))[0]:
            data = os.read(out, 2**16)
            if not data:
                raise EOFError
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                with contextlib.suppress(ValueError):
                    message = json.loads(line)
                    if "written" in message:
                        with contextlib.suppress(subprocess.TimeoutExpired):
                            self._process.wait(CLOSING)
                        self._end()
                        return message
                    if self._on_progress is not None and message["of"]:
                        self._on_progress(message["done"], message["of"])
            if renewed:
                until = time.monotonic() + seconds
        return None

    def _give_up(self, why: str, seconds: float) -> dict[str, Any]:
        """Lets the tracker close open runs, then ends it."""
        self._on_progress = None
        self._process.terminate()
        answer = None
        try:
            with contextlib.suppress(EOFError):
                answer = self._answer(seconds, renewed=False)
        finally:  # a second Ctrl-C waits no longer
            self._end()
        return answer or self._trouble(why)

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()

    def _trouble(self, why: str) -> dict[str, Any]:
        trouble = failure(self._uri, why, model=self._model)
        return {"written": 0, "trouble": trouble, "messages": [], "found": None}


def failure(uri: str, why: str | BaseException, *, model: bool = False) -> str:
    """The message for the user if tracking does not work, or if a model was to be logged."""
    if isinstance(why, BaseException) and (lost := _lost_connection(why)) is not None:
        why = f"the server does not answer: {lost}"
    elif isinstance(why, BaseException):
        lines = str(why).strip().splitlines()
        why = redacted(lines[0], [uri])[:200] if lines else type(why).__name__
    if model:  # no run logs one
        return (
            f"tracking at {shown(uri)} cannot keep up ({why}); the model was not logged: repeat this "
            "command when MLflow answers"
        )
    return (
        f"tracking at {shown(uri)} cannot keep up ({why}); the records are complete, and the next "
        "run logs what is missing"
    )


def _lost_connection(error: BaseException) -> str | None:
    """What the system said of a connection, in the causes of an error of MLflow; else None.

    Above it are the retries of three libraries, with an address that is cut off.
    """
    seen: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in seen:
        if isinstance(one, ConnectionError | TimeoutError | socket.gaierror):
            return (one.strerror or str(one)).lower()
        seen.append(one)
        one = one.__cause__ or one.__context__
    return None
