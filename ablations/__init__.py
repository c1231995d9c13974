"""The paper's studies as data, the command line `ablate`, and the same from Python.

`import ablations as ab` imports nothing heavy; each name imports what it needs at its first use. See
ablations/notebook/README.md.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ablations.notebook import (
        ReportFiles,
        RunResult,
        compare,
        curves,
        report,
        results,
        run,
        verdicts,
    )

__all__ = [
    "ReportFiles",
    "RunResult",
    "compare",
    "curves",
    "report",
    "results",
    "run",
    "verdicts",
]


def __getattr__(name: str) -> Any:
    """A public name, imported at its first use."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = globals()[name] = getattr(import_module("ablations.notebook"), name)
    return found


def __dir__() -> list[str]:
    """With the names that are not imported yet."""
    return sorted({*globals(), *__all__})
