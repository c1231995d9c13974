"""The interface of a tracker, which logs a study and its trials for people to browse."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol

from sweeps.intervals import Interval
from sweeps.planning import Plan
from sweeps.record import TrialRecord
from sweeps.storage import Store
from sweeps.tracking.tracker_process import PATIENCE


class TrackingResult(NamedTuple):
    """The result of tracking."""

    written: int
    """Runs of trials that were added or renewed."""
    trouble: str | None
    """The message for the user; None if everything is written."""
    seconds: float
    """Seconds that the driver waited for it at the end."""


class Tracker(Protocol):
    """Logs one launch. Nothing here raises: `close` reports what went wrong.

    The records on disk are authoritative: a tracker may be slow, unavailable or deleted, and the next
    launch adds what it lacks.
    """

    schemes: ClassVar[tuple[str, ...]]
    """The schemes of the addresses that it accepts."""

    def __init__(
        self, store: Store, plan: Plan, uri: str, *, metric: str, files_of: str | None
    ) -> None:
        """Starts and returns at once.

        `plan` determines which trials count for the cells; if it runs nothing, the study's run stays
        closed. `metric` is that of the intervals passed in. `files_of` names a function, as
        `module:function`, that makes further files of a trial's run from its record: a mapping of
        plain names to texts. One that raises costs the run these files and nothing else.
        """

    def record(self, record: TrialRecord) -> None:
        """Logs a record that has been stored. To be passed to `execute`."""

    def settle(
        self,
        *,
        cells: Mapping[str, Interval] | None = None,
        verdicts: Mapping[str, str] | None = None,
        cell_verdicts: Mapping[str, str] | None = None,
        numbers: Mapping[str, float] | None = None,
        answer: str = "",
        note: str = "",
    ) -> None:
        """Ends the study's run with these numbers, no matter what happens before `close`.

        `cells` replace what the tracker computes. `verdicts`, claim -> words, `numbers`, such as
        means and differences, and the `note` are added to the study's run, `cell_verdicts`
        to the cells' runs. `answer` begins the descriptions of the run and of the
        experiment. Returns at once; a driver that is killed from here on leaves a finished run.
        """

    def close(
        self,
        *,
        files: Iterable[Path] = (),
        interrupted: bool = False,
        timeout: float = PATIENCE,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> TrackingResult:
        """Brings everything up to date and closes the study's run.

        It continues as long as runs are written, and ends `timeout` seconds after the last progress;
        when `interrupted`, `timeout` seconds after the call. `on_progress` gets the number of runs
        written and of those that were missing. `files`, such as reports, are added to the study's run.

        Raises:
            KeyboardInterrupt: after the study's run was closed.
        """
        ...
