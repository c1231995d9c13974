"""Errors that a user can fix: each prints as one message with the rule, the value and the fix."""


class ReportError(Exception):
    """The base of all errors of the reports that a user can fix."""
