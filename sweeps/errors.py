"""Errors that a user can fix: each prints as one message with the rule, the value and the fix."""


class SweepError(Exception):
    """The base of the engine's errors that a user can fix; several mistakes are on separate lines."""

    def __init__(self, *sentences: str) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences

    def __reduce__(self) -> tuple[type["SweepError"], tuple[str, ...]]:
        return type(self), self.sentences


class PlanError(SweepError):
    """A sweep cannot be planned as it is written."""


class StoreError(SweepError):
    """The store cannot be read or written."""


class LaunchError(SweepError):
    """Every trial would fail in the same way.

    A trial function that raises it ends the launch; no trial is recorded as failed.
    """


class TrackingError(SweepError):
    """The tracking server cannot be used as requested."""


class NeedsRoom(Exception):  # noqa: N818 -- no failure: the trial runs again
    """Raised by a trial function: the other trials of its process leave it too little memory."""
