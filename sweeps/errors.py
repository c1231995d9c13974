"""Errors that a user can fix: each prints as one message with the rule, the value and the fix."""


class SweepError(Exception):
    """The base of the engine's errors that a user can fix; several mistakes have a line each."""

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
    """Every trial would fail alike: a trial function that raises it ends the launch and fails nothing."""


class TrackingError(SweepError):
    """The tracking server cannot be used as requested."""
