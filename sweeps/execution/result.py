"""The result of a launch, as returned to the caller."""

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
    """The result of a launch."""

    launch: str | None = None
    """Its name; None if there was nothing to do."""
    finished: tuple[str, ...] = ()
    """Keys of the trials that finished in this launch."""
    failed: tuple[UnfinishedTrial, ...] = ()
    """Keys of the trials that failed; they run again only on request."""
    died: tuple[UnfinishedTrial, ...] = ()
    """Trials whose process ended without a record; they run at the next launch."""
    left: tuple[str, ...] = ()
    """Keys of the trials that did not run because the launch was interrupted or stopped."""
    interrupted: bool = False
    held: bool = False
    """Whether trials were left because the budget's time was over."""
    stopped: str | None = None
    """The message that stopped the launch, such as a full disk."""
    seconds: float = 0.0
