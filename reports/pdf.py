"""A document as a tagged PDF: PDF/UA-1, enforced by typst, which refuses a figure without a text.

Fonts are the compiler's own, so that the bytes do not depend on the machine; the page carries no
date.
"""

import json
import re
from pathlib import Path
from typing import Any

import typst

from reports.document import Document, Drawing, Table
from reports.errors import ReportError

TEMPLATE = Path(__file__).parent / "templates" / "page.typ"

SVG = '<svg xmlns="http://www.w3.org/2000/svg" '
"""The namespace that `reports.pictures` left out for the sake of HTML."""

FULL_WIDTH = 640.0
"""Points of a figure that fill the width of a page; smaller ones keep their proportion."""

SHORT = 16
"""Characters up to which a column of words is not wrapped."""


def pdf(document: Document) -> bytes:
    """The PDF's bytes, the same for the same document."""
    return _compile(document, pdf_standards=["ua-1"])


def pages(document: Document, resolution: float = 80.0) -> list[bytes]:
    """The pages as PNG pictures, to be looked at."""
    found = _compile(document, format="png", ppi=resolution)
    return found if isinstance(found, list) else [found]


def _compile(document: Document, **options: Any) -> Any:
    try:
        return typst.compile(
            TEMPLATE.read_bytes(),
            sys_inputs={"document": json.dumps(_value(document), ensure_ascii=False)},
            ignore_system_fonts=True,
            **options,
        )
    except typst.TypstError as error:
        raise ReportError(f"the PDF could not be set: {error}") from error


def _value(document: Document) -> dict[str, Any]:
    value = document.model_dump(mode="json")
    value["footer"] = f"{document.subtitle}"
    for section, shown in zip(document.sections, value["sections"], strict=True):
        for block, told in zip(section.blocks, shown["blocks"], strict=True):
            if isinstance(block, Drawing):
                told["svg"] = block.svg.replace("<svg ", SVG, 1)
                width = re.search(r'width="([\d.]+)pt"', block.svg)
                told["share"] = float(width[1]) / FULL_WIDTH if width else 1.0
            elif isinstance(block, Table):
                told["widths"] = _widths(block)
    return value


def _widths(table: Table) -> list[int]:
    """Shares of the page for columns of long words; others take what they need (0)."""
    shares: list[int] = []
    for at, column in enumerate(table.columns):
        longest = max([len(column.name), *(len(row[at].text) for row in table.rows)])
        short = column.form == "number" or longest <= SHORT
        shares.append(0 if short else min(longest, 60))
    return shares
