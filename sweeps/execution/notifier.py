"""The thread that notifies the caller of a launch: of each record once, of progress each second."""

import contextlib
import threading
from collections.abc import Callable, Generator, Mapping

from sweeps.execution.study_progress import Progress, progress
from sweeps.execution.trial_runner import TrialResult
from sweeps.planning import Plan
from sweeps.record import TrialRecord
from sweeps.storage import Store

OnProgress = Callable[[Progress], None]
OnRecord = Callable[[TrialRecord], None]


@contextlib.contextmanager
def notifying(
    plan: Plan,
    store: Store,
    results: Mapping[str, TrialResult],
    *,
    launch: str,
    processes: int,
    on_progress: OnProgress | None,
    on_record: OnRecord | None,
) -> Generator[None]:
    """Calls back from one thread while the block runs; an error of a callback is raised at its end."""
    notified = set[str]()
    errors: list[BaseException] = []
    over = threading.Event()

    def notify() -> None:
        for key in [key for key in list(results) if key not in notified]:
            notified.add(key)
            record = store.record(key, results[key].attempt)
            if record is not None:
                store.messages += record.notes
                if on_record is not None:
                    on_record(record)
        if on_progress is not None:
            on_progress(progress(store, plan, processes=processes, since=launch))

    def work() -> None:
        try:
            while not over.wait(1.0):
                notify()
            notify()
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
            errors.append(error)

    thread = threading.Thread(target=work, name="notifier", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if errors:
        raise errors[0]
