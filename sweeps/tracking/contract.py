"""What a tracker is: where a study and its trials are logged for people to browse."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol

from sweeps.intervals import Interval
from sweeps.planning import Plan
from sweeps.record import TrialRecord
from sweeps.storage import Store
from sweeps.tracking.tracker_process import PATIENCE


class TrackingResult(NamedTuple):
    """What tracking achieved."""

    written: int
    """Runs of trials that were added or renewed."""
    trouble: str | None
    """The message for the user; None if everything is written."""
    seconds: float
    """How long the driver waited for it at the end."""


class Tracker(Protocol):
    """Logs one launch. Nothing here raises: `close` reports what went wrong.

    Records on disk are the truth: a tracker may be slow, away or deleted, and adds what it lacks at
    the next launch.
    """

    schemes: ClassVar[tuple[str, ...]]
    """The schemes of the addresses that it takes."""

    def __init__(self, store: Store, plan: Plan, uri: str, *, metric: str) -> None:
        """Starts and returns at once.

        `plan` says which trials count for the cells; a plan that runs nothing leaves the study's run
        closed. `metric` is that of the intervals passed in.
        """

    def record(self, record: TrialRecord) -> None:
        """A record is in place. To be passed to `execute`."""

    def settle(
        self,
        *,
        cells: Mapping[str, Interval] | None = None,
        verdicts: Mapping[str, str] | None = None,
        cell_verdicts: Mapping[str, str] | None = None,
        note: str = "",
    ) -> None:
        """Ends the study's run with these numbers, whatever happens until `close`.

        `cells` replace what the tracker computes. `verdicts`, claim -> words, and the Markdown
        `note` are added to the study's run, `cell_verdicts` to the cells' runs. Returns at once; a
        driver that is killed from here on leaves a finished run.
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

        It takes as long as runs are written, and ends `timeout` seconds after the last progress;
        when `interrupted`, `timeout` seconds after the call. `on_progress` gets the number of runs
        written and of those that were missing. `files`, such as reports, are added to the study's run.

        Raises:
            KeyboardInterrupt: after the study's run was closed.
        """
        ...
