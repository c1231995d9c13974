"""Reports are written one by one, so that one failure does not affect the others."""

import traceback
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ablations.commands.terminal import say
from ablations.study import Request
from reports.errors import ReportError
from reports.spec import Evidence
from sweeps.storage import Store

if TYPE_CHECKING:
    from rich.console import Console

DONE, FAILED = 0, 1

_INTERRUPTIONS = (KeyboardInterrupt, SystemExit)


class Reports(NamedTuple):
    """The files that were written, and a message for each that was not."""

    files: tuple[Path, ...]
    missing: tuple[str, ...]


def show_written(out: "Console", written: Reports) -> int:
    """Prints which reports were written and which were not; returns the exit code."""
    for message in written.missing:
        say(message)
    for path in written.files:
        # Unwrapped: a path that is broken in two cannot be clicked or copied.
        out.print(f"report: {path}", soft_wrap=True)
    return FAILED if written.missing else DONE


def write_all(evidence: Evidence, store: Store, request: Request) -> Reports:
    """Writes both reports into the study's folder of the store, or only one if the other fails.

    Raises only interruptions: the trials have finished by then, and a missing font or a full disk must
    not hide their results.
    """
    from reports.document import document
    from reports.write import REPORTS, write_report

    folder = store.study(evidence.label)
    again = f"ablate report {replace(request, recompute=False).words()}"
    files: list[Path] = []
    missing: list[str] = []

    def note(name: str, error: BaseException) -> None:
        old = "; the existing file is from an earlier run" if (folder / name).is_file() else ""
        missing.append(
            f"{name} was not written: {_reason(error)}{old}; the trials are saved; write it again "
            f"with: {again}"
        )

    # A panic in the PDF compiler is not an Exception, hence BaseException.
    try:
        made = document(evidence)
    except _INTERRUPTIONS:
        raise
    except BaseException as error:  # noqa: BLE001
        note(" and ".join(REPORTS), error)
        return Reports((), tuple(missing))
    for name in REPORTS:
        try:
            files.append(write_report(made, name, folder))
        except _INTERRUPTIONS:
            raise
        except BaseException as error:  # noqa: BLE001
            note(name, error)
    return Reports(tuple(files), tuple(missing))


def _reason(error: BaseException) -> str:
    """The error in one line; for defects of the program, the traceback is printed as well."""
    lines = " ".join(str(error).split())
    if isinstance(error, ReportError):
        return lines
    if not isinstance(error, (OSError, MemoryError)):
        traceback.print_exception(error)
    return f"{type(error).__name__}: {lines}" if lines else type(error).__name__
