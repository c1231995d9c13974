"""The tracker: the one process that writes to MLflow, started and told by `sweeps.tracking`.

Its input is a file that says what to track, then a line for each new record, one that settles the
study's run when the trials are over, then one that closes. When the input ends without the last,
the driver has died: a run that was not settled is closed as killed.
"""

import contextlib
import fcntl
import json
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeps.files import read_json
from sweeps.store import Store
from sweeps.tracking import PATIENCE, failure

if TYPE_CHECKING:
    from sweeps.mlflow_runs import Runs

WRITE_SECONDS = 3.0
"""Between two writes while trials run."""

RETRY_SECONDS = 30.0
"""Before a server that failed is asked again."""

_GONE: dict[str, Any] = {"close": True, "gone": True, "interrupted": True}
"""What the end of the input means."""


class Tracker:
    """Writes when it is woken, not too often, and once more at the end."""

    def __init__(self, brief: dict[str, Any]) -> None:
        self.brief = brief
        self.store = Store(brief["store"])
        self.written = 0
        self.trouble: str | None = None
        self._inbox: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._runs: Runs | None = None
        self._not_before = 0.0

    def work(self) -> dict[str, Any]:
        """Until it is told to close; gives the last word."""
        threading.Thread(target=self._listen, daemon=True).start()
        with _only_writer(self.store.path / "tracking.lock") as alone:
            if not alone:
                self.trouble = failure(self.brief["uri"], "another process writes to it")
                return self._answer()
            self._clear_leftovers()
            self._write({})
            while True:
                last = self._next()
                if not last.get("close"):
                    self._write(last)
                    continue
                if last.get("gone"):
                    # Nobody is there to wait for a server that hangs.
                    threading.Timer(PATIENCE, os._exit, (1,)).start()
                self._not_before = 0.0
                self._write(last)
                return self._answer()

    def _listen(self) -> None:
        for line in sys.stdin:
            with contextlib.suppress(ValueError):
                self._inbox.put(json.loads(line))
        self._inbox.put(_GONE)

    def _next(self) -> dict[str, Any]:
        """The next message, those of the following seconds taken together."""
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
                from sweeps.mlflow_runs import Runs
                from sweeps.mlflow_store import open_client

                client = open_client(self.brief["uri"], self.store)
                self._runs = Runs(client, self.store, self.brief)
            self.written += self._runs.update(last)
            self.trouble = None
        except Exception as error:  # noqa: BLE001 - whatever MLflow raises stops no trial
            traceback.print_exc()
            self.trouble = failure(self.brief["uri"], error)
            self._runs = None
            self._not_before = time.monotonic() + RETRY_SECONDS

    def _clear_leftovers(self) -> None:
        """Removes what trackers that were killed left behind."""
        for pattern in ("running/*.tracking", ".mlflow.db.*"):
            for path in self.store.path.glob(pattern):
                path.unlink(missing_ok=True)

    def _answer(self) -> dict[str, Any]:
        return {
            "written": self.written,
            "trouble": self.trouble,
            "sentences": self.store.sentences,
        }


@contextlib.contextmanager
def _only_writer(lock: Path) -> Generator[bool]:
    """Whether this is the store's only tracker; that of a driver that died may need a moment."""
    with lock.open("a") as file:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    yield False
                    return
                time.sleep(0.1)
            else:
                yield True
                return


def main() -> None:
    """Entered by `python -m sweeps.tracker BRIEF`."""
    # MLflow and its database tool print; the answer has the standard output for itself.
    answer, sys.stdout = sys.stdout, sys.stderr
    brief = read_json(Path(sys.argv[1]))
    word = Tracker(brief).work() if isinstance(brief, dict) else {}
    print(json.dumps(word), file=answer, flush=True)
    # Threads that MLflow left behind are not waited for.
    os._exit(0)


if __name__ == "__main__":
    main()
