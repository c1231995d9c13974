"""Errors that a user can fix: each prints as one message with rule, value and fix."""


class SimclrError(Exception):
    """The base of all errors of the trainer that a user can fix."""


class ConfigurationError(SimclrError):
    """A configuration breaks a rule; the text names every broken field."""


class DataError(SimclrError):
    """A data set cannot be read; the text names the file and the fix."""


class DataMissing(DataError):  # noqa: N818 -- a state of the world, planned around, before it is an error
    """A data set is named but not available; trials that need it are planned as "data missing"."""


class Diverged(SimclrError):  # noqa: N818 -- the word of the trade
    """A loss, weight or feature is no longer finite; the text names the step."""


class PartError(SimclrError):
    """A custom component failed or breaks its contract; the text names file and line."""
