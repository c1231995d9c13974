"""A document as a tagged PDF: PDF/UA-1, enforced by typst, which rejects figures without alt text.

The fonts are built into the compiler and there is no date, so the bytes do not depend on the machine. A
character without a glyph becomes a white square, and the last line of the PDF says so.
"""

import json
import re
from pathlib import Path
from typing import Any

from reports.document.blocks import AnyBlock, Document, Drawing, Table
from reports.document.formatting import unparted
from reports.errors import ReportError

TEMPLATE = Path(__file__).parents[1] / "templates" / "page.typ"

FULL_WIDTH = 640.0
"""Width in points of a figure that fills the page; narrower figures are scaled in proportion."""

SHORT = 16
"""Characters up to which a column of words is not wrapped."""

MOST_ROWS = 400
"""Rows of one table in the PDF: a tagged table of 10,000 rows took typst 64 s and 2.9 GB. The HTML
page has all rows."""

NO_GLYPH = re.compile(r"the text `\"(.+?)\"` could not be displayed")
ESCAPE = re.compile(r"\\u\{([0-9a-f]+)\}")
"""The warning of typst about characters that its fonts lack, one cluster at a time."""

SQUARE = "\u25a1"


def pdf(document: Document) -> bytes:
    """The PDF's bytes, the same for the same document.

    Raises:
        ReportError: typst cannot compile the document.
    """
    return _compile(document)[0]


def without_glyph(text: str) -> str:
    """The characters of a text that have no glyph in the PDF's fonts, each once, in order."""
    document = Document(title="t", subtitle="", question=text, sections=())
    _, lacking = _compile(document)
    return "".join(character for character in dict.fromkeys(text) if character in lacking)


def _compile(document: Document) -> tuple[bytes, set[str]]:
    """The PDF's bytes, and the characters that its fonts lack."""
    import typst  # here, not above: without the compiler there is still the HTML report

    value, lacking = _value(document), set[str]()
    while True:
        text = json.dumps(value | {"lacking": bool(lacking)}, ensure_ascii=False)
        try:
            made = typst.compile(
                TEMPLATE.read_bytes(),
                sys_inputs={"document": text.translate(dict.fromkeys(map(ord, lacking), SQUARE))},
                ignore_system_fonts=True,
                pdf_standards=["ua-1"],
            )
        except typst.TypstError as error:
            more = _named(str(error.diagnostic)) - lacking
            if not more:
                raise ReportError(f"the PDF could not be typeset: {error}") from error
            lacking |= more
        else:
            return made, lacking


def _named(diagnostic: str) -> set[str]:
    """The characters that typst reports as missing from its fonts; escapes follow typst's strings."""
    clusters = NO_GLYPH.findall(diagnostic)
    plain = [ESCAPE.sub(lambda found: chr(int(found[1], 16)), one) for one in clusters]
    return {character for one in plain for character in one if not character.isascii()}


def _value(document: Document) -> dict[str, Any]:
    short = tuple(
        section.model_copy(update={"blocks": tuple(_shortened(block) for block in section.blocks)})
        for section in document.sections
    )
    document = document.model_copy(update={"sections": short})
    value = _unparted(document.model_dump(mode="json"))
    value["footer"] = document.subtitle
    for section, shown in zip(document.sections, value["sections"], strict=True):
        for block, fields in zip(section.blocks, shown["blocks"], strict=True):
            if isinstance(block, Drawing):
                fields["svg"] = block.standalone
                width = re.search(r'width="([\d.]+)pt"', block.svg)
                fields["share"] = float(width[1]) / FULL_WIDTH if width else 1.0
            elif isinstance(block, Table):
                fields["widths"] = _widths(block)
    return value


def _unparted(value: Any) -> Any:
    """All texts in a JSON value with their units."""
    if isinstance(value, dict):
        return {name: _unparted(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_unparted(one) for one in value]
    return unparted(value) if isinstance(value, str) else value


def _shortened(block: AnyBlock) -> AnyBlock:
    """A table of at most MOST_ROWS rows, coloured rows first, with a caption that says so."""
    if not isinstance(block, Table):
        return block
    block = block.model_copy(update={"rows": block.rows[: block.shown]})
    if len(block.rows) <= MOST_ROWS:
        return block
    toned = [at for at, row in enumerate(block.rows) if any(cell.tone != "plain" for cell in row)]
    marked = set(toned)
    others = (at for at in range(len(block.rows)) if at not in marked)
    chosen = sorted([*toned, *others][:MOST_ROWS])
    caption = (
        f"{block.caption} {MOST_ROWS} of {len(block.rows):,} rows"
        f"{', those that need attention first' if toned else ''}; report.html lists them all."
    )
    return block.model_copy(
        update={"caption": caption, "rows": tuple(block.rows[at] for at in chosen)}
    )


def _widths(table: Table) -> list[int]:
    """Shares of the page width for columns of long texts; 0: the column is as wide as its content."""
    shares: list[int] = []
    for at, column in enumerate(table.columns):
        longest = max([len(column.name), *(len(row[at].text) for row in table.rows)])
        short = column.form == "number" or longest <= SHORT
        shares.append(0 if short else min(longest, 60))
    return shares
