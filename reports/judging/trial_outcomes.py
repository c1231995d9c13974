"""The record that counts for each planned trial, and why others do not.

The number of a trial is that of the attempt that counts (`sweeps.planning.attempts`): the newest with a
finite number of the study's metric. Earlier ones are listed. A record whose key is not
planned belongs to another configuration and counts nowhere.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Literal, NamedTuple

from reports.spec import CellInfo, CollapseFacts, Evidence, PlannedTrial, TrialFacts, facts_of
from sweeps.intervals import Interval, interval
from sweeps.planning import by_key, counting, has_number, numbered
from sweeps.record import TrialRecord


class Outcome(NamedTuple):
    """One planned trial with its records."""

    trial: PlannedTrial
    cell: CellInfo
    state: Literal["finished", "no number", "failed", "missing"]
    """No number: the trial finished, but its metric is missing or not finite (controls need none)."""
    record: TrialRecord | None
    """The record that counts (`sweeps.planning.attempts`)."""
    facts: TrialFacts
    """The facts of the record that counts; all unknown if there is none."""
    attempts: tuple[TrialRecord, ...]
    """All records of the trial, oldest first."""
    values: tuple[float, ...]
    """The metric of every attempt that gave a finite number, oldest first; the last one counts."""

    @property
    def value(self) -> float:
        """The number that counts; NaN if there is none."""
        return self.values[-1] if self.values else math.nan

    @property
    def mark(self) -> str:
        """Why the training run behind the number is suspect; empty if it is not.

        A mark changes no number and no control.
        """
        if not self.facts.collapsed:
            return ""
        found = self.facts.collapse or CollapseFacts()
        return (
            f"collapsed at step {'unknown' if found.step is None else found.step}: effective rank "
            f"{_decimals(found.effective_rank)}, loss {_decimals(found.loss)} of "
            f"{_decimals(found.collapsed_value)} nats"
        )

    @property
    def reason(self) -> str:
        """Why there is no number, in words; empty if there is one."""
        match self.state:
            case "finished":
                return ""
            case "no number":
                return "finished without a finite number"
            case "failed":
                return f"failed: {(self.record and self.record.error) or 'no error was recorded'}"
            case "missing":
                return self.trial.reason


Table = dict[str, dict[int, float]]
"""Cell -> seed -> the metric; finite numbers only."""


def outcomes(evidence: Evidence) -> tuple[Outcome, ...]:
    """One outcome for each planned trial, in the plan's order."""
    cells = {cell.name: cell for cell in evidence.cells}
    attempts = by_key(sorted(evidence.records, key=lambda record: record.attempt))
    return tuple(
        _outcome(trial, cells[trial.cell], attempts.get(trial.key, []), evidence.metric)
        for trial in evidence.planned
    )


def table(found: Sequence[Outcome]) -> Table:
    """The numbers that count, by cell and seed."""
    numbers: Table = defaultdict(dict)
    for outcome in found:
        if outcome.values:
            numbers[outcome.cell.name][outcome.trial.seed] = outcome.value
    return dict(numbers)


def cell_intervals(found: Sequence[Outcome]) -> dict[str, Interval]:
    """Cell -> mean and 95 % Student-t interval over its seeds; only cells with a number."""
    return {cell: interval(tuple(seeds.values())) for cell, seeds in table(found).items()}


def first_attempts(found: Sequence[Outcome], metric: str) -> tuple[Outcome, ...]:
    """The same trials with only their first attempts that could count."""
    once: list[Outcome] = []
    for outcome in found:
        could = [
            place
            for place, one in enumerate(outcome.attempts)
            if has_number(one, metric) or (outcome.cell.role, one.state) == ("control", "finished")
        ]
        until = list(outcome.attempts[: could[0] + 1]) if len(could) > 1 else None
        once.append(
            outcome if until is None else _outcome(outcome.trial, outcome.cell, until, metric)
        )
    return tuple(once)


def excluded(evidence: Evidence) -> tuple[TrialRecord, ...]:
    """Records that count nowhere, because no planned trial has their key."""
    planned = {trial.key for trial in evidence.planned}
    return tuple(record for record in evidence.records if record.key not in planned)


def _outcome(
    trial: PlannedTrial, cell: CellInfo, attempts: list[TrialRecord], metric: str
) -> Outcome:
    record = counting(attempts, metric)
    if record is None:
        state = "missing"
    elif record.state == "failed":
        state = "failed"
    else:
        state = "finished" if has_number(record, metric) or cell.role == "control" else "no number"
    return Outcome(
        trial=trial,
        cell=cell,
        state=state,
        record=record,
        facts=TrialFacts() if record is None else facts_of(record),
        attempts=tuple(attempts),
        values=tuple(one.values[metric] or 0.0 for one in numbered(attempts, metric)),
    )


def _decimals(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"
