"""The thread that notifies the caller of a launch: of each record once, of progress each second."""

import threading
from collections.abc import Callable, Mapping
from typing import Self

from sweeps.execution.study_progress import Progress, progress
from sweeps.execution.trial_runner import TrialResult
from sweeps.planning import Plan
from sweeps.record import TrialRecord
from sweeps.storage import Store

OnProgress = Callable[[Progress], None]
OnRecord = Callable[[TrialRecord], None]


class Notifier:
    """Calls back from one thread while the block runs; an error of a callback is raised at its end."""

    def __init__(
        self,
        plan: Plan,
        store: Store,
        results: Mapping[str, TrialResult],
        *,
        launch: str,
        slots: int,
        on_progress: OnProgress | None,
        on_record: OnRecord | None,
    ) -> None:
        self._plan, self._store, self._results = plan, store, results
        self._launch, self._slots = launch, slots
        self._on_progress, self._on_record = on_progress, on_record
        self._notified = set[str]()
        self._over = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="notifier", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._over.set()
        self._thread.join()
        if self._error is not None and kind is None:
            raise self._error

    def _work(self) -> None:
        try:
            while not self._over.wait(1.0):
                self._notify()
            self._notify()
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
            self._error = error

    def _notify(self) -> None:
        for key, result in list(self._results.items()):
            if key in self._notified:
                continue
            self._notified.add(key)
            record = self._store.record(key, result.attempt)
            if record is not None:
                self._store.messages += record.notes
                if self._on_record is not None:
                    self._on_record(record)
        if self._on_progress is not None:
            self._on_progress(
                progress(self._store, self._plan, slots=self._slots, since=self._launch)
            )
