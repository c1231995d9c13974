"""The tracker: the one process that writes to MLflow, started by `sweeps.tracking.client`.

Its input is a file that says what to track, then a line for each new record, one that settles the
study's run when the trials are over, and one that closes. When the input ends without the last,
the driver has died: a run that was not settled is closed as killed.
"""

import contextlib
import io
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from filelock import FileLock, Timeout

from sweeps.errors import TrackingError
from sweeps.processes import mark_of
from sweeps.storage import Store, read_json
from sweeps.tracking.address import own_uri
from sweeps.tracking.redaction import redacted
from sweeps.tracking.tracker_process import PATIENCE, failure

if TYPE_CHECKING:
    from sweeps.tracking.runs import Runs

WRITE_SECONDS = 3.0
"""Seconds between two writes while trials run."""

RETRY_SECONDS = 30.0
"""Seconds before a failed server is tried again."""

ALONE = 60.0
"""Seconds for a tracker whose driver died to write what it knows and close the study's run."""

_GONE: dict[str, Any] = {"close": True, "gone": True, "interrupted": True}
"""The message that stands for the end of the input."""


class Tracker:
    """Writes when there is news, not too often, and once at the end."""

    def __init__(self, brief: dict[str, Any], answers: TextIO) -> None:
        self.brief = brief
        self._answers = answers
        self.store = Store(brief["store"])
        self.written = 0
        self.trouble: str | None = None
        self._inbox: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._runs: Runs | None = None
        self._not_before = 0.0
        self._last_message: float | None = None
        self._stop = threading.Event()

    def work(self) -> dict[str, Any]:
        """Runs until the closing message; returns the final answer."""
        signal.signal(signal.SIGTERM, lambda _number, _frame: self._stop.set())
        threading.Thread(target=self._listen, daemon=True).start()
        with _only_writer(self.store.path / "tracking.lock", self._waited_enough) as alone:
            if not alone:
                self.trouble = failure(self.brief["uri"], "another process writes to it")
                return self._answer()
            _clear_leftovers(self.store.path)
            self._write({})
            while True:
                last = self._next()
                self._not_before = 0.0 if last.get("close") else self._not_before
                self._write(last)
                if last.get("close"):
                    return self._answer()

    def _listen(self) -> None:
        message: dict[str, Any] = {}
        settled = False
        for line in sys.stdin:
            with contextlib.suppress(ValueError):
                message = json.loads(line)
                settled = settled or bool(message.get("settle"))
                if message.get("close"):
                    self._last_message = time.monotonic()
                self._inbox.put(message)
        if not message.get("close"):
            # The driver died. No one waits for a backlog, nor for a server that hangs; but settled
            # numbers are still written.
            self._last_message = time.monotonic()
            if not settled:
                self._stop.set()
            threading.Timer(ALONE, os._exit, (1,)).start()
            self._inbox.put(_GONE)

    def _waited_enough(self) -> bool:
        """Whether to release the lock: not while trials run, nor soon after."""
        last = self._last_message
        return self._stop.is_set() or (last is not None and time.monotonic() > last + PATIENCE - 1)

    def _step(self, done: int, of: int) -> None:
        if self._last_message is not None:  # before, no one reads
            self.say({"done": done, "of": of})

    def say(self, message: dict[str, Any]) -> None:
        """One line for the driver."""
        with contextlib.suppress(OSError):
            print(json.dumps(message), file=self._answers, flush=True)

    def _next(self) -> dict[str, Any]:
        """The next message, merged with those of the following seconds."""
        message = self._inbox.get()
        until = max(time.monotonic() + WRITE_SECONDS, self._not_before)
        while (
            not (message.get("close") or message.get("settle"))
            and (left := until - time.monotonic()) > 0
        ):
            with contextlib.suppress(queue.Empty):
                message = self._inbox.get(timeout=left)
        return message

    def _write(self, last: dict[str, Any]) -> None:
        try:
            if self._runs is None:
                from sweeps.tracking.database import open_client
                from sweeps.tracking.new_run import Watch
                from sweeps.tracking.runs import Runs

                client = open_client(self.brief["uri"], self.store)
                watch = Watch(self._step, self._stop.is_set)
                self._runs = Runs(client, self.store, self.brief, watch)
            self.written += self._runs.update(last)
            self.trouble = None
        except Exception as error:  # noqa: BLE001 - whatever MLflow raises stops no trial
            traceback.print_exc()
            self.trouble = failure(self.brief["uri"], error)
            self._runs = None
            self._not_before = time.monotonic() + RETRY_SECONDS

    def _answer(self) -> dict[str, Any]:
        about = {"written": self.written, "trouble": self.trouble}
        return about | {"messages": self.store.messages}


def find(brief: dict[str, Any], say: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """The experiment and run of a study or a trial; of a model to log, its address and run.

    First adds missing studies.
    """
    from sweeps.tracking.database import open_client
    from sweeps.tracking.logged_models import add_model
    from sweeps.tracking.lookup import add_missing, find_experiment, find_trial
    from sweeps.tracking.new_run import Watch

    def step(done: int, of: int) -> None:
        say({"done": done, "of": of})

    store, until = Store(brief["store"]), time.monotonic() + PATIENCE
    answer: dict[str, Any] = {"written": 0, "trouble": None, "found": None, "messages": []}
    lock = store.path / "tracking.lock"
    try:
        with _only_writer(lock, lambda: time.monotonic() > until) as alone:
            client = open_client(brief["uri"], store)
            if alone:
                _clear_leftovers(store.path)
                watch = Watch(step)
                answer["written"] = add_missing(client, store, brief, watch)
            if brief["find"] is None:
                answer["found"] = [find_experiment(client, brief["labels"][0]), None]
            else:
                experiment, run = find_trial(client, store, brief["labels"], brief["find"])
                model = brief.get("model")
                answer["found"] = (
                    (experiment, run)
                    if model is None
                    else add_model(client, experiment, run, model)
                )
    except TrackingError as error:
        answer["trouble"] = redacted(str(error), [brief["uri"]])
    except Exception as error:  # noqa: BLE001 - whatever MLflow raises is one message
        traceback.print_exc()
        about_model = brief.get("model") is not None
        answer["trouble"] = failure(brief["uri"], error, model=about_model)
    return answer | {"messages": store.messages}


def _clear_leftovers(store: Path) -> None:
    """Removes the files that killed trackers and drivers left behind; others are still in use."""
    for path in (store / "running").glob("*.tracking"):
        about = read_json(path)
        if not isinstance(about, dict) or not mark_of(about.get("driver")).alive():
            path.unlink(missing_ok=True)
    for path in store.glob(".mlflow.db.*"):
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _only_writer(lock: Path, enough: Callable[[], bool]) -> Generator[bool]:
    """Whether this is the store's only tracker; waits for another one until `enough`."""
    held = FileLock(lock, mode=0o644, fallback_to_soft=False)
    try:
        held.acquire(poll_interval=0.1, cancel_check=enough)
    except Timeout:
        yield False
        return
    try:
        with contextlib.suppress(OSError):
            os.ftruncate(2, 0)  # the log is that of one tracker
        yield True
    finally:
        held.release()


class _Redacted(io.TextIOBase):
    """The redacted log: the output of MLflow and its database tools may contain a password."""

    def __init__(self, log: TextIO, address: str) -> None:
        self._log, self._address, self._line = log, address, ""

    def write(self, text: str) -> int:
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            self._log.write(redacted(line, [self._address]) + "\n")
        self._log.flush()
        return len(text)

    def flush(self) -> None:
        self._log.flush()


def main() -> None:
    """Entered by `python -m sweeps.tracking.tracker_main BRIEF`."""
    answers, file = sys.stdout, Path(sys.argv[1])
    brief = read_json(file)
    file.unlink(missing_ok=True)
    assert isinstance(brief, dict), "the instructions file is gone"
    # MLflow and its database tool print; the standard output is for the answers alone.
    sys.stdout = sys.stderr = _Redacted(sys.stderr, brief["uri"])
    if brief["uri"] == own_uri(Store(brief["store"])):
        # An address cannot hold every name of a folder, so it is relative to the store.
        os.chdir(brief["store"])
    tracker = Tracker(brief, answers)
    tracker.say(find(brief, tracker.say) if "find" in brief else tracker.work())
    # Threads that MLflow left behind are not waited for.
    os._exit(0)


if __name__ == "__main__":
    main()
