"""The result of a launch, as the caller gets it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class UnfinishedTrial:
    """A trial that did not finish: why, and where its log is."""

    key: str
    cell: str
    seed: int
    why: str
    log: Path


@dataclass(frozen=True, slots=True)
class Execution:
    """What a launch did."""

    launch: str | None = None
    """Its name; None if there was nothing to do."""
    finished: tuple[str, ...] = ()
    """Keys of the trials that finished in this launch."""
    failed: tuple[UnfinishedTrial, ...] = ()
    """Ended by their own error; they run again only on request."""
    died: tuple[UnfinishedTrial, ...] = ()
    """Their process ended without a record; they are missing and run at the next launch."""
    left: tuple[str, ...] = ()
    """Keys of the trials that did not run: the launch was interrupted or stopped before."""
    interrupted: bool = False
    stopped: str | None = None
    """The message that stopped the launch, such as a full disk."""
    seconds: float = 0.0
