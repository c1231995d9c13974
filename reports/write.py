"""Writes both reports, each atomically."""

from pathlib import Path
from typing import Literal, NamedTuple

from reports.document import Document
from reports.errors import ReportError
from reports.spec import Evidence
from sweeps.storage import write_bytes

ReportName = Literal["report.html", "report.pdf"]

REPORTS: tuple[ReportName, ...] = ("report.html", "report.pdf")
"""In the order in which they are written: HTML is faster and has no missing glyphs."""


class Written(NamedTuple):
    """The paths of the reports."""

    html: Path
    pdf: Path


def write_reports(evidence: Evidence, folder: Path) -> Written:
    """Writes `report.html` and `report.pdf` into the folder, which is created if needed.

    Raises:
        ReportError: The folder cannot be written.
    """
    from reports.document import document

    made = document(evidence)
    return Written(*(write_report(made, name, folder) for name in REPORTS))


def write_report(document: Document, name: ReportName, folder: Path) -> Path:
    """Writes one of the two.

    Raises:
        ReportError: The report cannot be made, or the folder cannot be written.
    """
    from reports.document import html, pdf

    content = html(document).encode() if name == "report.html" else pdf(document)
    return _write(folder / name, content)


def _write(path: Path, content: bytes) -> Path:
    try:
        write_bytes(path, content)
    except OSError as error:
        raise ReportError(
            f"{path} could not be written ({error.strerror}); free some space, or name another store"
            " whose folder is writable"
        ) from error
    return path
