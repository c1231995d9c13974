"""Errors that a user can fix: each mistake prints as one message, with its place and its fix."""


class AblationError(Exception):
    """The base of all errors of this package that a user can fix; `sentences` has one message each."""

    def __init__(self, *sentences: str) -> None:
        self.sentences = sentences
        super().__init__("\n".join(sentences))


class StudyError(AblationError):
    """A study file cannot be used as it is; one message for each of its mistakes."""


class UsageError(AblationError):
    """A command was given a request that it cannot fulfil; one message for each mistake."""
