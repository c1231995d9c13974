"""Writes the reports and their tables and figures, each file atomically."""

from pathlib import Path
from typing import Literal, NamedTuple

from reports.document import Document
from reports.errors import ReportError
from reports.spec import Evidence
from sweeps.storage import write_bytes

ReportName = Literal["report.html", "report.pdf"]

REPORTS: tuple[ReportName, ...] = ("report.html", "report.pdf")
"""In the order in which they are written: HTML is faster and has no missing glyphs."""

FolderName = Literal["tables", "figures"]

FOLDERS: tuple[FolderName, ...] = ("tables", "figures")
"""Next to the reports: every table as CSV, LaTeX and JSON, every figure as SVG and PDF."""


class Written(NamedTuple):
    """The paths of the reports and of the files next to them."""

    html: Path
    pdf: Path
    tables: tuple[Path, ...]
    figures: tuple[Path, ...]


def write_reports(evidence: Evidence, folder: Path) -> Written:
    """Writes `report.html`, `report.pdf`, `tables/` and `figures/` into the folder.

    The folder is created if needed.

    Raises:
        ReportError: The folder cannot be written.
    """
    from reports.document import document

    made = document(evidence)
    html, pdf = (write_report(made, name, folder) for name in REPORTS)
    tables, figures = (write_folder(made, name, folder) for name in FOLDERS)
    return Written(html, pdf, tables, figures)


def write_report(
    document: Document, name: ReportName, folder: Path, *, reload: int | None = None
) -> Path:
    """Writes one of the two; the page may reload itself after so many seconds.

    Raises:
        ReportError: The report cannot be made, or the folder cannot be written.
    """
    from reports.document import html, pdf

    linked = name == "report.html"
    content = html(document, linked=linked, reload=reload).encode() if linked else pdf(document)
    return _write(folder / name, content)


def write_folder(document: Document, name: FolderName, folder: Path) -> tuple[Path, ...]:
    """Writes the tables or the figures of a report into the folder of that name.

    Files of an earlier report whose table or figure no longer exists are deleted, other files stay.

    Raises:
        ReportError: A figure cannot be made, or the folder cannot be written.
    """
    from reports.exports import FIGURES, TABLES, figure_files, table_files

    place = folder / name
    files = table_files(document) if name == "tables" else figure_files(document)
    written = tuple(_write(place / file, content) for file, content in files.items())
    for path in sorted(place.iterdir()) if place.is_dir() else ():
        ours = TABLES if name == "tables" else FIGURES
        if ours.fullmatch(path.name) and path.name not in files:
            path.unlink(missing_ok=True)
    return written


def _write(path: Path, content: bytes) -> Path:
    try:
        write_bytes(path, content)
    except OSError as error:
        raise ReportError(
            f"{path} could not be written ({error.strerror}); free some space, or name another store"
            " whose folder is writable"
        ) from error
    return path
