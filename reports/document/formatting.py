"""Formats numbers as text and table cells, in the same way in every section."""

import math
import re
from collections.abc import Container, Iterable, Sequence
from typing import Literal

from reports.document.blocks import Cell, ClaimTable, Column, Table, TableName, Tone
from reports.judging import Decision
from reports.spec import Deviation, Evidence
from sweeps.intervals import Interval
from sweeps.record import TrialRecord

TONES: dict[Decision, Tone] = {
    **dict.fromkeys((Decision.REPRODUCED, Decision.SHOWN), "good"),
    **dict.fromkeys((Decision.CONTRADICTED, Decision.NOT_SHOWN, Decision.WITHHELD), "bad"),
    **dict.fromkeys((Decision.NOT_JUDGED, Decision.EXPLORATORY), "quiet"),
}
"""How decisions are coloured; all others are open."""

FORMS: dict[str, Literal["number", "code"]] = {
    **dict.fromkeys(("seed", "attempt", "attempts", "n"), "number"),
    **dict.fromkeys(("key", "command", "field"), "code"),
}
"""Columns whose form depends on their name; all others are words."""


UNIT = re.compile(
    r"(?<=\d) (?=%|(?:(?:percentage )?points?|s|seconds?|min|h|hours|days|MB|GB|px|W|kWh|[A-Z]?FLOP)\b)"
)
"""The blank between a number and its unit."""


def table(
    ident: TableName | ClaimTable,
    caption: str,
    names: Sequence[str],
    rows: Iterable[Sequence[Cell | str]],
    *,
    numeric: Container[str] = (),
) -> Table:
    """A table of cells and texts; columns in `numeric` are numbers."""
    return Table(
        ident=ident,
        caption=caption,
        columns=tuple(
            Column(name=name, form="number" if name in numeric else FORMS.get(name, "words"))
            for name in names
        ),
        rows=tuple(
            tuple(cell if isinstance(cell, Cell) else Cell(text=cell) for cell in row)
            for row in rows
        ),
    )


def count(value: int) -> Cell:
    return Cell(text=str(value), order=value)


def number(value: float | None, *, sign: bool = False) -> Cell:
    if value is None or math.isnan(value):
        return Cell(text="")
    return Cell(text=f"{value:+.1f}" if sign else f"{value:.1f}", order=value)


def signed(shown: Interval) -> str:
    return "none yet" if math.isnan(shown.mean) else f"{shown.mean:+.1f}"


def value_text(record: TrialRecord | None, evidence: Evidence) -> str:
    value = None if record is None else record.values.get(evidence.metric)
    return "" if value is None else f"{value:.2f}"


def seed_list(seeds: Sequence[int]) -> str:
    if seeds == tuple(range(len(seeds))) and len(seeds) > 2:
        return f"0 to {seeds[-1]}"
    return ", ".join(map(str, seeds)) or "none"


def common_to(each: Sequence[Sequence[Deviation]]) -> tuple[Deviation, ...]:
    return tuple(d for d in each[0] if all(d in other for other in each)) if each else ()


def some_of(names: Sequence[str], most: int = 6) -> str:
    """The first names of a list, and how many more there are."""
    more = [f"{len(names) - most} more"] if len(names) > most else []
    return ", ".join([*names[:most], *more])


def plural(number: int, noun: str) -> str:
    """A number with its noun, such as "1 trial" or "3 trials"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def unparted(text: str) -> str:
    """The text with no line break between a number and its unit, for pages; files have plain blanks.

    A command stays as it is, since a shell takes such a blank for a part of a word.
    """
    return text if text.startswith("ablate ") else UNIT.sub("\u00a0", text)


def rounded(value: float) -> str:
    """Three digits, in full: 5,100,000 and 0.00035, without an exponent."""
    short = float(f"{value:.3g}")
    return f"{short:,.0f}" if short >= 100 else f"{short:.10f}".rstrip("0").rstrip(".") or "0"
