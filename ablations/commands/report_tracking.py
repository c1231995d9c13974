"""Tracking of a study: the report's numbers for MLflow, in addition to the records."""

import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

from ablations.compose import ResolvedStudy
from ablations.run_files import FILES_OF
from reports.judging import Board, Decision, board, cell_intervals, outcomes, unit_of, verdicts
from reports.spec import Evidence, RanksLike
from sweeps.intervals import Interval
from sweeps.planning import Plan
from sweeps.record import TrialRecord
from sweeps.storage import Store
from sweeps.tracking import TrackingResult, open_tracking


class Track:
    """The tracker of one launch. If it fails, it prints one message and stops nothing.

    Leaving the block before `settle` closes the study's run as interrupted.
    """

    def __init__(self, store: Store, composed: ResolvedStudy, plan: Plan, uri: str | None) -> None:
        self.question = composed.study.question
        self.tracking = open_tracking(
            store, plan, uri=uri, metric=composed.study.metric, files_of=FILES_OF
        )
        self.closed: TrackingResult | None = None
        self.settled = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.closed is None:
            self.closed = self.tracking.close(interrupted=not self.settled)

    def record(self, record: TrialRecord) -> None:
        """Logs a record that was written."""
        self.tracking.record(record)

    def settle(self, evidence: Evidence) -> None:
        """Finishes the study's run with the report's numbers, before any report is written."""
        found, shown = outcomes(evidence), board(evidence)
        means = cell_intervals(found)
        self.tracking.settle(
            cells=means,
            verdicts={row.claim: row.words for row in shown.rows},
            cell_verdicts=cell_verdicts(evidence),
            numbers=numbers_of(evidence, means),
            answer=answer_of(evidence, shown, means),
            note=f"{evidence.title}: {self.question}",
        )
        self.settled = True

    def finish(self, files: Iterable[Path]) -> None:
        """Adds the reports that were written."""
        with Progress() as progress:
            self.closed = self.tracking.close(files=files, on_progress=progress.show)

    @property
    def trouble(self) -> str | None:
        """The message if tracking failed, known after the block."""
        return None if self.closed is None else self.closed.trouble


class Progress:
    """Progress of the MLflow upload on stderr: one line on a terminal, else one every ten seconds.

    Without a terminal, the last line says how much was done in the end, if there is any line.
    """

    EVERY = 10.0

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._next = time.monotonic() + 1.0
        self._latest = self._printed = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._terminal:
            sys.stderr.write("\r\x1b[K")
        elif self._printed != self._latest and self._printed:
            sys.stderr.write(f"{self._latest}\n")
            sys.stderr.flush()

    def show(self, done: int, of: int) -> None:
        """Shows the progress, if enough time has passed."""
        text = self._latest = f"MLflow: {done:,} of {of:,} runs"
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + (0.5 if self._terminal else self.EVERY)
        self._printed = text
        sys.stderr.write(f"\r\x1b[K{text}" if self._terminal else f"{text}\n")
        sys.stderr.flush()


def cell_verdicts(evidence: Evidence) -> dict[str, str]:
    """Cell -> the verdicts of the claims that refer to it, in one line."""
    found: dict[str, list[str]] = {}
    for verdict in verdicts(evidence):
        for cell in verdict.cells:
            text = f"{verdict.claim.name}: {verdict.words}"
            judged = verdict.decision is not Decision.NOT_JUDGED
            if judged and verdict.shown.n and not isinstance(verdict.claim, RanksLike):
                text += f" ({verdict.shown.mean:+.1f} {unit_of(verdict.claim, evidence)})"
            found.setdefault(cell, []).append(text)
    return {cell: "; ".join(words) for cell, words in found.items()}


def answer_of(evidence: Evidence, shown: Board, means: Mapping[str, Interval]) -> str:
    """Which arms have the highest means, whether a trial failed, and what each claim found."""
    arms = [cell.name for cell in evidence.cells if cell.role == "arm" and cell.name in means]
    best = sorted(arms, key=lambda arm: -means[arm].mean)[:2]
    texts = [f"{arm}, {means[arm].mean:.1f} {evidence.unit} (n = {means[arm].n})" for arm in best]
    of_all = f" of {len(arms)} arms" if len(arms) > 1 else ""
    # Pages cut a long description off: the claims, of which there may be many, come last.
    sentences = [f"Highest mean{of_all}: {', next: '.join(texts)}"] if texts else []
    sentences.append(shown.summary)
    for row in shown.rows:
        measured = " ".join(filter(None, (row.estimate, row.interval)))
        sentences.append(f"{row.claim}: {row.words}" + (f" ({measured})" if measured else ""))
    return ". ".join(sentences) + "."


def numbers_of(evidence: Evidence, means: Mapping[str, Interval]) -> dict[str, float]:
    """The mean of each cell and the estimate of each judged claim, with their intervals."""
    named = {f"mean/{cell.name}": means[cell.name] for cell in evidence.cells if cell.name in means}
    for verdict in verdicts(evidence):
        if verdict.decision is Decision.NOT_JUDGED:
            continue
        kind = "tau-b" if isinstance(verdict.claim, RanksLike) else "difference"
        named[f"{kind}/{verdict.claim.name}"] = verdict.shown
    found: dict[str, float] = {}
    for name, one in named.items():
        found |= {name: one.mean, f"{name}_low": one.low, f"{name}_high": one.high}
    return found
