"""A table of a report as a LaTeX `tabular` with booktabs, to be read into a paper."""

import re

from reports.document import Cell, Column, Table
from reports.exports.values import MISSING, is_number

SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    # By its number: babel makes the sign itself a command in some languages.
    '"': r"\symbol{34}",
    # The report's own sign of a margin on both sides.
    "±": r"\ensuremath{\pm}",
}
"""Characters that LaTeX reads as commands, or prints as others or not at all in its old fonts."""

INTERVAL = re.compile(r"\[[+-]?\d+\.\d+, [+-]?\d+\.\d+\]", re.ASCII)

LONG = 40
"""Characters from which a column of texts is a paragraph of a fixed width."""


def latex_of(table: Table) -> str:
    """A `tabular` that needs the package booktabs; the caption is a comment above it.

    ASCII texts compile with pdfLaTeX, XeLaTeX and LuaLaTeX. Others stay as they are; the comment
    then names XeLaTeX and LuaLaTeX, which need a font with these characters.
    """
    heads = [escaped(column.name) for column in table.columns]
    lines = [
        [_shown(cell, column) for cell, column in zip(row, table.columns, strict=True)]
        for row in table.rows
    ]
    rows = [_row(line) for line in lines]
    body = [r"\toprule", _row(heads), r"\midrule", *rows, r"\bottomrule"]
    made = [f"\\begin{{tabular}}{{{''.join(_forms(table))}}}", *body, r"\end{tabular}", ""]
    text = "\n".join(made)
    engines = "pdfLaTeX, XeLaTeX or LuaLaTeX"
    if not text.isascii():
        engines = "XeLaTeX or LuaLaTeX with a font that has all its characters"
    comments = [
        " ".join(table.caption.split()),
        f"Needs \\usepackage{{booktabs}}; compiles with {engines}.",
    ]
    return "".join(f"% {comment}\n" for comment in comments) + text


def escaped(text: str) -> str:
    """The text as LaTeX source that prints it; blanks and line breaks become one blank.

    A number and its per cent sign are never on two lines.
    """
    text = "".join(SPECIAL.get(character, character) for character in " ".join(text.split()))
    text = re.sub(r"(?<=\d) (?=\\%)", "~", text)
    # Two hyphens would be printed as one dash.
    return re.sub(r"-(?=-)", r"-{}", text)


def _shown(cell: Cell, column: Column) -> str:
    if column.form == "number":
        if cell.text in MISSING:
            return ""
        signed = is_number(cell.text) and cell.text[0] in "+-"
        if signed or INTERVAL.fullmatch(cell.text):
            return f"${cell.text.replace(',', '{,}') if signed else cell.text}$"
    return escaped(cell.text)


def _row(cells: list[str]) -> str:
    # After a line break, LaTeX would read [ and * as an argument.
    guard = "{}" if cells and cells[0][:1] in ("[", "*") else ""
    return guard + " & ".join(cells) + r" \\"


def _forms(table: Table) -> list[str]:
    forms: list[str] = []
    for at, column in enumerate(table.columns):
        longest = max([len(column.name), *(len(row[at].text) for row in table.rows)])
        wide = column.form != "number" and longest > LONG
        forms.append("r" if column.form == "number" else r"p{0.3\linewidth}" if wide else "l")
    return forms
