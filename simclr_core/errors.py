"""What a user can repair: each prints as one sentence with the rule, the value and the way out."""


class SimclrError(Exception):
    """The base of all errors of the trainer that a user can repair."""


class ConfigurationError(SimclrError):
    """A configuration breaks a rule; the text names every broken field."""


class DataError(SimclrError):
    """A data set cannot be read as it stands; the text names the file and the way out."""


class DataMissing(DataError):  # noqa: N818 -- a state of the world, planned around, before it is an error
    """A data set is named but not at hand; trials that need it are planned as "data missing"."""


class Diverged(SimclrError):  # noqa: N818 -- the word of the trade
    """The loss is no longer a number; the text names the step."""


class PartError(SimclrError):
    """A part of the user's own failed, or is not what its family needs; the text names file and line."""
