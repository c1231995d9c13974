"""What a user can repair: each prints as one sentence a mistake, with the place and the way out."""


class AblationError(Exception):
    """The base of all errors of this package that a user can repair; `sentences` has one a mistake."""

    def __init__(self, *sentences: str) -> None:
        self.sentences = sentences
        super().__init__("\n".join(sentences))


class StudyError(AblationError):
    """A study file cannot be used as it stands; one sentence for each of its mistakes."""


class UsageError(AblationError):
    """A command was given something that it cannot do; one sentence for each mistake."""
