"""The process of a tracker, as its driver sees it: started, asked for its last word, ended."""

import contextlib
import json
import os
import select
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
"""Seconds without progress after which a driver gives up its tracker; the next launch catches up."""

CLOSING = 5.0
"""Seconds that a tracker has for closing the study's run when it is given up."""


def start(brief: Path, about: Mapping[str, Any]) -> subprocess.Popen[bytes]:
    """Starts a tracker that reads its brief from this file in `running/`; raises OSError."""
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
    log = _private_log(brief.with_name("tracking.log"))
    try:
        # An address may hold a password: nobody else may read the brief, not for a moment.
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
    """The log, which only its owner may read; one that others may read is begun anew."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            path.unlink()
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


class FinalAnswer:
    """Waits for a tracker's last word as long as there is progress, and ends it if there is none."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        uri: str,
        patience: float,
        on_progress: Callable[[int, int], None] | None,
    ) -> None:
        self.process, self.uri, self.patience = process, uri, patience
        self.on_progress = on_progress
        self._rest = b""
        self._ended = False

    def ask(self, last: Mapping[str, Any]) -> dict[str, Any]:
        """The last word; a sentence if none comes."""
        try:
            return self._ask(last)
        except KeyboardInterrupt:
            self._give_up("interrupted", CLOSING)
            raise
        finally:
            for pipe in (self.process.stdin, self.process.stdout):
                with contextlib.suppress(OSError, ValueError):
                    if pipe is not None:
                        pipe.close()

    def _ask(self, last: Mapping[str, Any]) -> dict[str, Any]:
        # A pipe that nobody empties must not hold the driver.
        threading.Thread(target=self._send, args=(last,), daemon=True).start()
        answer = self._answer(self.patience, renewed=not last.get("interrupted"))
        if answer is None and self._ended:
            return self._trouble(f"the tracker ended with code {self.process.wait()}")
        if answer is None:
            why = f"no answer within {self.patience:g} s"
            return self._give_up(why, min(CLOSING, self.patience))
        return answer

    def _send(self, last: Mapping[str, Any]) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            os.set_blocking(self.process.stdin.fileno(), True)
            self.process.stdin.write(json.dumps(last).encode() + b"\n")
            self.process.stdin.close()

    def _answer(self, seconds: float, *, renewed: bool) -> dict[str, Any] | None:
        """The last word if it comes within these seconds, which progress renews; else None."""
        assert self.process.stdout is not None
        out, until = self.process.stdout.fileno(), time.monotonic() + seconds
        while select.select([out], [], [], max(0.0, until - time.monotonic()))[0]:
            data = os.read(out, 2**16)
            if not data:
                self._ended = True
                return None
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                with contextlib.suppress(ValueError):
                    word = json.loads(line)
                    if "written" in word:
                        self._wait()
                        return word
                    if self.on_progress is not None and word["of"]:
                        self.on_progress(word["done"], word["of"])
            if renewed:
                until = time.monotonic() + seconds
        return None

    def _give_up(self, why: str, seconds: float) -> dict[str, Any]:
        """Lets it close what is open, then ends it."""
        self.on_progress = None
        self.process.terminate()
        try:
            answer = self._answer(seconds, renewed=False)
        finally:  # a second Ctrl-C waits no longer
            self.process.kill()
            self.process.wait()
        return self._trouble(why) if answer is None else answer

    def _wait(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(CLOSING)
        self.process.kill()
        self.process.wait()

    def _trouble(self, why: str) -> dict[str, Any]:
        return {"written": 0, "trouble": failure(self.uri, why), "messages": [], "found": None}


def failure(uri: str, why: str | BaseException) -> str:
    """The sentence for a user whose tracking does not work."""
    if isinstance(why, BaseException):
        lines = str(why).strip().splitlines()
        why = redacted(lines[0], [uri])[:200] if lines else type(why).__name__
    return (
        f"tracking at {shown(uri)} does not keep up ({why}); the records are complete, and the next"
        " launch catches up"
    )
