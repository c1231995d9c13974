"""Tracking of a study: what MLflow is told beyond the records, namely the report's own numbers."""

import math
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from ablations.resolve import Composed
from reports.evidence import Evidence
from sweeps.plan import Plan
from sweeps.record import TrialRecord
from sweeps.store import Store
from sweeps.tracking import CellSummary, Closed, open_tracking


class Track:
    """The tracker of one launch. Whatever goes wrong with it is one sentence and stops nothing.

    A block that is left before `settle` closes the study's run as interrupted.
    """

    def __init__(self, store: Store, composed: Composed, plan: Plan, uri: str | None) -> None:
        self.question = composed.study.question
        self.tracking = open_tracking(store, plan, uri=uri, metric=composed.study.metric)
        self.closed: Closed | None = None
        self.settled = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.closed is None:
            self.closed = self.tracking.close(interrupted=not self.settled)

    def record(self, record: TrialRecord) -> None:
        """A record is in place."""
        self.tracking.record(record)

    def settle(self, told: Evidence) -> None:
        """Ends the study's run with the report's numbers, before any report is written."""
        note = f"{told.title}: {self.question}"
        self.tracking.settle(cells=summaries(told), note=note)
        self.settled = True

    def finish(self, files: Iterable[Path]) -> str | None:
        """Adds the reports that could be written; gives the sentence of any trouble."""
        self.closed = self.tracking.close(files=files)
        return self.closed.trouble


def summaries(told: Evidence) -> dict[str, CellSummary]:
    """Cell -> n, mean and 95 % interval as the report's tables give them; only cells with a number."""
    from reports.frame import summary, tidy

    def known(value: float) -> float | None:
        return None if math.isnan(value) else float(value)

    return {
        str(row["cell"]): CellSummary(
            int(row["n"]), float(row["mean"]), known(row["low"]), known(row["high"])
        )
        for row in summary(tidy(told)).to_dict("records")
        if row["n"]
    }
