"""The cells of a table as values: numbers at full precision, texts, and None for missing values."""

import re

from reports.document import Cell, Column

Value = str | int | float | None

MISSING = ("", "none yet", "none")
"""Texts of cells that stand for no number; only in columns of numbers."""

NUMBER = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.(?P<decimals>\d+))?", re.ASCII)


def is_number(text: str) -> bool:
    """Whether a cell's text is a number as reports write it, such as `+1,234.5`."""
    return NUMBER.fullmatch(text) is not None


def value_of(cell: Cell, column: Column) -> Value:
    """The number behind a cell of a column of numbers, else its text; None for a missing value.

    The number is the exact one where the cell has it, which the cell shows rounded.
    """
    text = cell.text
    if column.form != "number":
        return text or None
    if text in MISSING:
        return None
    if not (found := NUMBER.fullmatch(text)):
        return text
    shown, decimals = float(text.replace(",", "")), len(found["decimals"] or "")
    exact = cell.order
    # A cell's sort key may also be another number, such as a bound of its interval.
    known = exact is not None and float(f"{exact:.{decimals}f}") == shown
    number = exact if known and exact is not None else shown
    return int(number) if not decimals and number.is_integer() else number
