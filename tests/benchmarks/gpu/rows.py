"""What sections find: one row a number, and the table and the JSON file that hold them."""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

FORMAT = 1


class Row(NamedTuple):
    """One number, or one thing in words."""

    section: str
    what: str
    value: float | str | None
    """None where it could not be measured: the note says why."""
    unit: str = ""
    n: int | None = None
    """How many measurements the value is the median of, or how many cases it is about."""
    note: str = ""


class Ended(NamedTuple):
    """How a section ended."""

    state: str
    """done, failed, timed out or skipped."""
    seconds: float
    error: str | None = None


def shown(value: float | str | None) -> str:
    """A value with as many digits as a reader wants."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def table(rows: Iterable[Row], ended: dict[str, Ended]) -> str:
    """One line a row below the name of its section; a section that did not end well says so."""
    lines: list[str] = []
    found = list(rows)
    for name, how in ended.items():
        lines += ["", f"{name}: {how.state}, {how.seconds:.1f} s"]
        if how.error is not None:
            lines.append(f"  {how.error}")
        for row in found:
            if row.section == name:
                n = "" if row.n is None else f"n = {row.n}"
                line = f"  {row.what:54} {shown(row.value):>16} {row.unit:8} {n:9} {row.note}"
                lines.append(line.rstrip())
    return "\n".join(lines[1:])


def document(rows: Iterable[Row], ended: dict[str, Ended], facts: dict[str, Any]) -> dict[str, Any]:
    """All of it as JSON's types; numbers that JSON lacks are texts."""
    return {
        "format": FORMAT,
        **facts,
        "sections": {name: how._asdict() for name, how in ended.items()},
        "rows": [{**row._asdict(), "value": _plain(row.value)} for row in rows],
    }


def _plain(value: float | str | None) -> float | str | None:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
