"""The thread that tells the caller of a launch about it: each record once, the progress often."""

import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from sweeps.execution.study_progress import Progress, progress
from sweeps.execution.trial_runner import TrialResult
from sweeps.planning import Plan
from sweeps.record import TrialRecord
from sweeps.storage import Store

OnProgress = Callable[[Progress], None]
OnRecord = Callable[[TrialRecord], None]


class Notifier:
    """Calls back while the block runs, from one thread; what a callback raises is raised at its end."""

    def __init__(
        self,
        plan: Plan,
        store: Store,
        ran: Mapping[str, TrialResult],
        *,
        launch: str,
        slots: int,
        on_progress: OnProgress | None,
        on_record: OnRecord | None,
    ) -> None:
        self._plan, self._store, self._ran = plan, store, ran
        self._launch, self._slots = launch, slots
        self._on_progress, self._on_record = on_progress, on_record
        self._told = set[str]()
        self._over = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="notifier", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        del kind, traceback
        self._over.set()
        self._thread.join()
        if self._error is not None and error is None:
            raise self._error

    def _work(self) -> None:
        try:
            while not self._over.wait(1.0):
                self._tell()
            self._tell()
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
            self._error = error

    def _tell(self) -> None:
        for key, ran in list(self._ran.items()):
            if key not in self._told:
                record = self._store.record(key, ran.attempt)
                if record is not None:
                    self._store.messages += record.notes
                    if self._on_record is not None:
                        self._on_record(record)
            self._told.add(key)
        if self._on_progress is not None:
            self._on_progress(
                progress(self._store, self._plan, slots=self._slots, since=self._launch)
            )
