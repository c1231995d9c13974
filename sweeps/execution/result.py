"""What a launch did, as it is told to the caller."""

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

    launch: str | None
    """None if there was nothing to do."""
    finished: tuple[str, ...]
    """Keys of the trials that finished in this launch."""
    failed: tuple[UnfinishedTrial, ...]
    """UnfinishedTrial by their own error; they run again only when failed ones are asked for."""
    died: tuple[UnfinishedTrial, ...]
    """Their process ended without a record; they are missing and run at the next launch."""
    left: tuple[str, ...]
    """Keys of the trials that were not run: the launch was interrupted or stopped before."""
    interrupted: bool
    stopped: str | None
    """The sentence that stopped the launch, such as a full disk."""
    seconds: float
