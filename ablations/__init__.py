"""The paper's studies as data, and the command line that composes trainer, engine and reports.

Use it through `ablate`; nothing here is meant to be imported by other code.
"""

__all__: list[str] = []
