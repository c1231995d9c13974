"""What a user can repair: each prints as one sentence with the rule, the value and the way out."""


class SweepError(Exception):
    """The base of all errors of the engine that a user can repair.

    It may carry several mistakes at once, a sentence each; as text each has a line of its own.
    """

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
    """What stops every trial alike: a trial function that raises it ends the launch and fails nothing."""


class TrackingError(SweepError):
    """The tracking server does not do what was asked of it."""
