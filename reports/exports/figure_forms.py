"""Each figure of a report as SVG and PDF, in its size in points and on a transparent ground."""

import json
import re
from html import escape
from itertools import chain
from pathlib import Path
from typing import Any

from reports.document import Document, Drawing
from reports.errors import ReportError

TEMPLATE = Path(__file__).parents[1] / "templates" / "figure.typ"

FIGURES = re.compile(r"(?:figure\d+|claim\d+|curve-[a-z-]+|gallery\d+|differences)\.(?:svg|pdf)")
"""The names of all files that a report may have in its folder `figures`."""


def figure_files(document: Document) -> dict[str, bytes]:
    """File name -> content, such as `figure1.svg`, for every figure of the report.

    The same document gives the same bytes. Title and alternative text are in both forms; the PDF is
    tagged (PDF/UA-1). All text is drawn as paths, so no font is needed.

    Raises:
        ReportError: typst cannot compile a figure.
    """
    blocks = chain.from_iterable(section.blocks for section in document.sections)
    drawings = [block for block in blocks if isinstance(block, Drawing)]
    return {
        name: content
        for drawing in drawings
        for name, content in (
            (f"{drawing.ident}.svg", svg_of(drawing).encode()),
            (f"{drawing.ident}.pdf", pdf_of(drawing)),
        )
    }


def svg_of(drawing: Drawing) -> str:
    """The figure as an SVG file with its title and alternative text."""
    words = f"<title>{escape(drawing.title)}</title>\n<desc>{escape(drawing.alt)}</desc>\n"
    head, end, rest = drawing.standalone.partition(">")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{head}{end}\n{words}{rest}\n'


def pdf_of(drawing: Drawing) -> bytes:
    """The figure as a PDF of one page, as large as the figure.

    Raises:
        ReportError: typst cannot compile it.
    """
    return _compiled(drawing, format="pdf", pdf_standards=["ua-1"])


def png_of(drawing: Drawing, ppi: float) -> bytes:
    """The figure as an image on white, with `ppi` pixels to the inch.

    Raises:
        ReportError: typst cannot compile it.
    """
    return _compiled(drawing, format="png", ppi=ppi)


def _compiled(drawing: Drawing, **form: Any) -> bytes:
    import typst  # here, not above: without the compiler there is still the SVG

    value = {"title": drawing.title, "alt": drawing.alt, "svg": drawing.standalone}
    try:
        return typst.compile(
            TEMPLATE.read_bytes(),
            sys_inputs={"drawing": json.dumps(value, ensure_ascii=False)},
            ignore_system_fonts=True,
            **form,
        )
    except typst.TypstError as error:
        kind = form["format"].upper()
        raise ReportError(f"the {kind} of {drawing.ident} could not be made: {error}") from error
