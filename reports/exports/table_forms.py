"""Each table of a report as CSV, LaTeX and JSON, with the numbers that the report shows.

CSV and JSON hold numbers at full precision; rounded to the report's decimals they are the report's.
LaTeX holds them as the report shows them. Missing values are empty, in JSON null.
"""

import json
import re
from collections.abc import Callable
from itertools import chain

from reports.document import TABLE_FILES, Document, Table, TableName
from reports.exports.latex import latex_of
from reports.exports.values import Value, is_number, value_of

TABLES = re.compile(
    rf"(?:{'|'.join(TableName.__args__)}|claim\d+-(?:seeds|deviations))\.(?:{'|'.join(TABLE_FILES)})"
)
"""The names of all files that a report may have in its folder `tables`."""

FORMULA = "=+-@\uff1d\uff0b\uff0d\uff20"
"""A text that begins with one of these, or with one after blanks, is a formula to a spreadsheet."""


def table_files(document: Document) -> dict[str, bytes]:
    """File name -> content, such as `cells.csv`, for every table of the report.

    The same document gives the same bytes. All files are UTF-8 with line feeds.
    """
    blocks = chain.from_iterable(section.blocks for section in document.sections)
    return {
        f"{block.ident}.{ending}": WRITERS[ending](block).encode()
        for block in blocks
        if isinstance(block, Table)
        for ending in TABLE_FILES
    }


def csv_of(table: Table) -> str:
    """A header, then one line for each row; texts are quoted, numbers are not.

    A text that a spreadsheet would execute as a formula gets an apostrophe before it.
    """
    lines = [[_quoted(column.name) for column in table.columns]]
    lines += [[_csv(value) for value in row] for row in _values(table)]
    return "".join(f"{','.join(line)}\n" for line in lines)


def json_of(table: Table) -> str:
    """An object with `name`, `caption`, `columns` and `rows`: lists of numbers, texts and nulls.

    `pandas.DataFrame(found["rows"], columns=found["columns"])` reads it.
    """
    head = {
        "name": table.ident,
        "caption": table.caption,
        "columns": [column.name for column in table.columns],
    }
    rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in _values(table))
    fields = [f"{json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in head.items()]
    return "{" + ",\n".join([*fields, f'"rows": [\n{rows}\n]']) + "}\n"


WRITERS: dict[str, Callable[[Table], str]] = {"csv": csv_of, "tex": latex_of, "json": json_of}


def _values(table: Table) -> list[list[Value]]:
    return [
        [value_of(cell, column) for cell, column in zip(row, table.columns, strict=True)]
        for row in table.rows
    ]


def _csv(value: Value) -> str:
    if value is None:
        return ""
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    # Always in quotes: a spreadsheet that separates at semicolons must not see a cell inside a text.
    return f'"{_no_formula(text)}"'


def _no_formula(text: str) -> str:
    risky = text[:1] in ("\t", "\n") or text.lstrip()[:1] in tuple(FORMULA)
    return ("'" if risky and not is_number(text) else "") + text.replace('"', '""')
