"""A limit on the time of a launch: which trials may still begin.

It depends on durations alone, never on a trial's values. The first trial of a round of seeds begins only
if the whole round is expected to end in time: what is on record stays paired. Workers decide, each before
its next trial, from what trials of this launch took so far, compared with what was expected of them.
"""

import contextlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sweeps.base import Frozen
from sweeps.execution.heartbeat import hold_file, pace_file
from sweeps.planning import Trial
from sweeps.storage import read_json, write_json


class Budget(NamedTuple):
    """Seconds for a launch, from its start."""

    seconds: float
    expected: Mapping[str, float]
    """Key -> seconds that a trial is expected to take; unknown ones may begin while there is time."""


class Limit(Frozen):
    """What a worker needs to know of the budget for its trials."""

    ends: float
    """When the time is over, in seconds since the epoch."""

    needed: dict[str, float]
    """Key -> expected seconds that must be left for the trial to begin."""


def needed(
    todo: Sequence[Trial], expected: Mapping[str, float], processes: int
) -> dict[str, float]:
    """What must be left for each trial: its own time, for the first of a round that of the round."""
    by_seed: dict[int, list[float]] = {}
    for trial in todo:
        by_seed.setdefault(trial.seed, []).append(expected.get(trial.key, 0.0))
    found: dict[str, float] = {}
    begun = set[int]()
    for trial in todo:
        own, whole = expected.get(trial.key, 0.0), by_seed[trial.seed]
        first = trial.seed not in begun
        found[trial.key] = max(*whole, sum(whole) / processes, own) if first else own
        begun.add(trial.seed)
    return found


class Pace:
    """Writes for the workers how much longer trials of this launch take than was expected."""

    def __init__(self, budget: Budget, folder: Path, launch: str) -> None:
        self._expected, self._file = budget.expected, pace_file(folder, launch)
        self._took = self._should = 0.0

    def took(self, key: str, seconds: float) -> None:
        """Notes a trial that ended."""
        if key in self._expected:
            self._took += seconds
            self._should += self._expected[key]
            with contextlib.suppress(OSError):
                write_json(self._file, {"factor": self._took / self._should})


def may_begin(limit: Limit | None, key: str, folder: Path, launch: str) -> bool:
    """Whether a trial may begin now; after the first that may not, none of the launch may."""
    if limit is None:
        return True
    held = hold_file(folder, launch)
    if held.exists():
        return False
    note = read_json(pace_file(folder, launch))
    factor = float(note.get("factor", 1.0)) if isinstance(note, dict) else 1.0
    if time.time() + factor * limit.needed[key] <= limit.ends:
        return True
    with contextlib.suppress(OSError):
        held.touch()
    return False
