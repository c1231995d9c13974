"""The paper's studies as data, and the command line that composes trainer, engine and reports.

Everything here is used through `ablate`; nothing is meant to be imported from elsewhere.
"""

__all__: list[str] = []
