"""Reports are written one by one, so that one failure does not affect the others."""

import traceback
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from ablations.commands.terminal import say
from ablations.study import Request
from reports.errors import ReportError
from reports.spec import Evidence
from sweeps.storage import Store

if TYPE_CHECKING:
    from rich.console import Console

    from reports.document import Document

T = TypeVar("T")

DONE, FAILED = 0, 1

_INTERRUPTIONS = (KeyboardInterrupt, SystemExit)


class Reports(NamedTuple):
    """The files that were written, and a message for each that was not."""

    files: tuple[Path, ...]
    missing: tuple[str, ...]
    folders: tuple[Path, ...] = ()
    """The folders with every table and every figure as files of their own."""
    drawings: tuple[Path, ...] = ()
    """Every figure that was written, as SVG; not what else lies in its folder."""


def show_written(out: "Console", written: Reports) -> int:
    """Prints which reports were written and which were not; returns the exit code."""
    for message in written.missing:
        say(message)
    for path in written.files:
        # Unwrapped: a path that is broken in two cannot be clicked or copied.
        out.print(f"report: {path}", soft_wrap=True)
    for path in written.folders:
        out.print(f"{path.name}: {path}", soft_wrap=True)
    return FAILED if written.missing else DONE


def write_all(evidence: Evidence, store: Store, request: Request) -> Reports:
    """Writes both reports, their tables and figures into the study's folder of the store."""
    from reports.document import document

    again = f"ablate report {replace(request, recompute=False).words()}"
    return write_document(lambda: document(evidence), store.study(evidence.label), again)


def write_document(make: "Callable[[], Document]", folder: Path, again: str) -> Reports:
    """Writes both forms of a document, its tables and figures into a folder.

    If one of them fails, the others are written; `again` is the command that writes them again.

    Raises only interruptions: the trials have finished by then, and a missing font or a full disk must
    not hide their results.
    """
    from reports.write import FOLDERS, REPORTS, write_folder, write_report

    missing: list[str] = []

    def attempt(name: str, make: Callable[[], T]) -> T | None:
        # A panic in the PDF compiler is not an Exception, hence BaseException.
        try:
            return make()
        except _INTERRUPTIONS:
            raise
        except BaseException as error:  # noqa: BLE001
            there = "file is" if (folder / name).is_file() else "files may be"
            old = f"; the existing {there} from an earlier run" if (folder / name).exists() else ""
            verb = "was" if name in REPORTS else "were"
            missing.append(
                f"{name} {verb} not written: {_reason(error)}{old}; the trials are saved; write it "
                f"again with: {again}"
            )
            return None

    made = attempt(" and ".join(REPORTS), make)
    if made is None:
        return Reports((), tuple(missing))
    files = [attempt(name, partial(write_report, made, name, folder)) for name in REPORTS]
    inside = {name: attempt(name, partial(write_folder, made, name, folder)) for name in FOLDERS}
    return Reports(
        tuple(filter(None, files)),
        tuple(missing),
        tuple(folder / name for name in FOLDERS if inside[name]),
        tuple(sorted(path for path in inside["figures"] or () if path.suffix == ".svg")),
    )


def _reason(error: BaseException) -> str:
    """The error in one line; for defects of the program, the traceback is printed as well."""
    lines = " ".join(str(error).split())
    if isinstance(error, ReportError):
        return lines
    if not isinstance(error, (OSError, MemoryError)):
        traceback.print_exception(error)
    return f"{type(error).__name__}: {lines}" if lines else type(error).__name__
