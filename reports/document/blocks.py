"""A report as a tree of sections and blocks, independent of the format and with its final text.

`html_page` and `pdf_file` walk the same tree, so they cannot differ in a number or a word.
"""

import math
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from sweeps.base import Frozen
from sweeps.plain_text import printable

Shown = Annotated[str, AfterValidator(printable)]
"""Text for readers; names from users' files may contain control characters, which are made printable."""

Tone = Literal["plain", "good", "bad", "open", "quiet"]
"""The colour of a text; it only repeats what the words say."""


TableName = Literal[
    "scorecard",
    "scope",
    "cells",
    "marginal-means",
    "balanced",
    "classes",
    "confusions",
    "claims",
    "seeds",
    "deviations-of-all",
    "deviations-of-some",
    "controls",
    "excluded-cells",
    "without-result",
    "collapsed",
    "not-counted",
    "attempts",
    "changes",
    "cost",
    "trials",
    "settings",
    "origins",
    "differences",
    "verdicts",
    "trouble",
    "sides",
]
"""The tables of a report and of a comparison; the names of their files."""

ClaimTable = Annotated[str, StringConstraints(pattern=r"^claim\d+-(seeds|deviations)$")]
"""The tables of a claim's page."""

TABLE_FILES = ("csv", "tex", "json")
"""The endings of a table's files, in the folder `tables` next to the page."""

FIGURE_FILES = ("svg", "pdf")
"""The endings of a figure's files, in the folder `figures` next to the page."""


SVG = '<svg xmlns="http://www.w3.org/2000/svg" '
"""The namespace that `reports.figures.svg` removes because HTML does not need it."""


def _known(order: float | None) -> float | None:
    return None if order is None or not math.isfinite(order) else order


class Text(Frozen):
    """One paragraph."""

    kind: Literal["text"] = "text"
    text: Shown
    tone: Tone = "plain"


class Cell(Frozen):
    """One cell of a table."""

    text: Shown
    order: Annotated[float | None, AfterValidator(_known)] = None
    """The sort key; None: the text. Unknown numbers are None."""
    tone: Tone = "plain"


class Column(Frozen):
    """The heading of one column."""

    name: Shown
    form: Literal["words", "number", "code"] = "words"


class Table(Frozen):
    """A table with column headings; the HTML page lets a reader sort it."""

    kind: Literal["table"] = "table"
    ident: TableName | ClaimTable
    caption: Shown
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    shown: int | None = None
    """How many of the rows page and PDF show; the table's files have all. None: all of them."""

    @model_validator(mode="after")
    def _rectangular(self) -> Self:
        assert all(len(row) == len(self.columns) for row in self.rows), self.caption
        return self


class Drawing(Frozen):
    """One figure with its title, caption and alternative text."""

    kind: Literal["drawing"] = "drawing"
    ident: str
    title: Shown
    caption: Shown
    alt: Shown
    svg: str
    """Without namespaces, for a page."""

    @property
    def standalone(self) -> str:
        """The SVG with its namespace, as other programs need it."""
        return self.svg.replace("<svg ", SVG, 1)


class VerdictCard(Frozen):
    """One claim with its verdict."""

    kind: Literal["card"] = "card"
    claim: Shown
    statement: Shown
    words: Shown
    tone: Tone
    facts: tuple[tuple[Shown, Shown], ...]
    """Name and value, such as "estimate" and "+49.4 %"."""
    note: Shown


class Facts(Frozen):
    """Names and their values."""

    kind: Literal["facts"] = "facts"
    title: Shown = ""
    facts: tuple[tuple[Shown, Shown], ...]


AnyBlock = Annotated[Text | Table | Drawing | VerdictCard | Facts, Field(discriminator="kind")]


class Section(Frozen):
    """One section: a heading and its blocks."""

    ident: str
    title: Shown
    blocks: tuple[AnyBlock, ...]
    page: bool = False
    """Whether it begins a new page in print."""


class Document(Frozen):
    """A whole report."""

    title: Shown
    subtitle: Shown
    question: Shown
    sections: tuple[Section, ...]
