"""The record of a trial, written once; reports read nothing else."""

from pathlib import PurePosixPath
from typing import Any, Literal

from pydantic import Field

from sweeps.base import Frozen
from sweeps.history_label import label_of

FORMAT = 3
"""Raised when a field changes its meaning; `sweeps.storage.record_file` migrates older formats.

2: records are sealed. 3: the stage and the configuration field of evaluation are named `evaluation`.
"""

State = Literal["finished", "failed"]


class Stage(Frozen):
    """One link of a trial's chain."""

    name: str
    """Such as `encoder`; the store has its artifacts under `<name>s`."""

    key: str
    """Covers its identity and all stages before it."""


class Summary(Frozen):
    """The part of a record that planning and live tables need: no curve, facts or provenance."""

    key: str
    study: str
    scale: str | None
    cell: str
    role: Literal["arm", "floor", "reference", "control"]
    levels: dict[str, str]
    seed: int

    config: dict[str, Any]
    """The resolved configuration."""

    stages: tuple[Stage, ...]
    state: State

    values: dict[str, float | None]
    """Final values; None is unknown (not a number, or not measured)."""

    error: str | None
    """The error that ended it, in one line."""

    started: str
    """ISO 8601, UTC."""

    seconds: float
    """Elapsed time in seconds from its start to its end, plus `earlier_seconds`; other trials of its
    process may have run meanwhile. What a person waited for it."""

    own_seconds: float | None = None
    """Of `seconds`, those of its own turns. They add up to the time of a process, whatever the company.
    None in records of earlier versions."""

    attempt: int = Field(ge=1)
    """1 for the first record under this key; later ones are next to it."""

    launch: str
    """The launch that ran it."""

    reused: tuple[str, ...] = ()
    """The stages whose artifacts it reused from the store."""

    peak_memory: int | None = None
    """Bytes of resident memory that its process held at most while it ran; None if unknown, as with
    several trials in one process, or on a system other than Linux."""

    variation: str = ""
    """The variation of the study that ran it. Its key decides for which studies it counts."""

    @property
    def cost_seconds(self) -> float:
        """The seconds of a process that it took, for sums and estimates; `seconds` if not recorded."""
        return self.seconds if self.own_seconds is None else self.own_seconds

    @property
    def label(self) -> str:
        """Of the study that ran it; see `label_of`."""
        return label_of(self.study, self.scale, self.variation)


class TrialRecord(Summary):
    """The complete record of a trial: `record.json` in its folder, next to `log.txt`."""

    format: Literal[3] = FORMAT

    earlier_seconds: float = 0.0
    """Of `seconds`: those of interrupted launches, up to the checkpoints from which it resumed."""

    facts: dict[str, Any]
    """Facts that the trial function reports beyond numbers (choices, hashes, counts), as JSON."""

    curve: dict[str, list[float | None]]
    """Metrics by step as columns of equal length, including `step`; None for missing values."""

    log: str
    """The log, relative to the store."""

    files: tuple[str, ...] = ()
    """Names of further files of the trial, in the folder `files`."""

    notes: tuple[str, ...] = ()
    """For the user: a message for each artifact that was set aside."""

    chain: tuple[tuple[str, dict[str, Any]], ...] = ()
    """(stage, identity), from which the stages' keys come; empty where the trial gave none."""

    seal: str | None = None
    """The checksum of all other fields; None in records of format 1, which cannot be checked."""

    provenance: dict[str, Any]
    """Code, packages, machine, load, threads, slots."""

    def is_of_trial(self, other: "TrialRecord") -> bool:
        """Whether another record, perhaps in another store, is of the same run of the same trial."""
        own, others = (
            # Without what depends on its place in a store.
            one.model_copy(update={"attempt": 1, "log": "", "seal": None})
            for one in (self, other)
        )
        return own == others

    def summary(self) -> Summary:
        """The record without its heavy parts."""
        return Summary.trusted({name: getattr(self, name) for name in Summary.model_fields})


def is_plain_name(name: str) -> bool:
    """Whether a file of a record may have this name: no path, not hidden, and not empty."""
    return (
        bool(name)
        and PurePosixPath(name).name == name
        and not name.startswith(".")
        and "\0" not in name
    )
