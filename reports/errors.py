"""What a user can repair: each prints as one sentence with the rule, the value and the way out."""


class ReportError(Exception):
    """The base of all errors of the reports that a user can repair."""
