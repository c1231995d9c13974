"""The verdict board in the terminal."""

import math
from typing import TYPE_CHECKING, Any

from ablations.commands.output import plain_table
from reports.judging import BoardRow, board, outcomes, table
from reports.spec import Evidence
from sweeps.intervals import interval

if TYPE_CHECKING:
    from rich.console import Console

WIDE = 100
"""Terminal width from which the board is a table; below, each claim is a paragraph."""


def show_board(evidence: Evidence, out: "Console") -> None:
    """Means by cell, then every claim with its verdict, then the controls."""
    shown = board(evidence)
    out.print()
    out.print(f"{evidence.title}: {evidence.question}", style="bold")
    out.print(f"{evidence.label}, {evidence.data_name}; {shown.summary}")
    out.print()
    out.print(_means(evidence))
    out.print()
    out.print(shown.title, style="bold")
    if shown.remark:
        out.print(shown.remark)
    for warning in shown.warnings:
        out.print(f"changed or unknown: {warning}")
    if out.width >= WIDE:
        out.print(_table(shown.rows))
    else:
        for row in shown.rows:
            out.print(f"- {row.claim}: {row.words}")
            for detail in filter(None, (_numbers(row), row.note, *row.changes)):
                out.print(f"  {detail}")
    for control in shown.controls:
        out.print(f"control {control.name}: {control.state}; {control.detail}")
    out.print()


def _means(evidence: Evidence) -> Any:
    numbers = table(outcomes(evidence))
    unit = f"mean {evidence.unit}"
    compared = evidence.comparable and evidence.publishes
    paper = ("paper",) if compared else ()
    shown = plain_table("cell", unit, "95 %", "n", *paper, right=(unit, "n", "paper"))
    for cell in evidence.cells:
        values = [numbers[cell.name][seed] for seed in sorted(numbers.get(cell.name, {}))]
        if cell.role != "control":
            found = interval(values)
            mean = f"{found.mean:.1f}" if values else "none yet"
            bounds = "" if math.isnan(found.low) else f"{found.low:.1f} to {found.high:.1f}"
            if cell.role == "reference" and values:
                bounds = "run once"
            paper = "" if cell.published is None else f"{cell.published:.1f}"
            row = (cell.name, mean, bounds, str(found.n))
            shown.add_row(*row, *([paper] if compared else []))
    return shown


def _table(rows: tuple[BoardRow, ...]) -> Any:
    table = plain_table("claim", "verdict", "estimate", "margin", "interval", "seeds", "paper")
    for row in rows:
        interval = f"{row.interval} ({row.level})" if row.level else row.interval
        words = "\n".join(filter(None, (row.words, row.note, *row.changes)))
        cells = (row.estimate, row.margin, interval, str(row.n), row.published)
        table.add_row(row.claim, words, *cells)
    return table


def _numbers(row: BoardRow) -> str:
    interval = f"{row.interval} ({row.level})" if row.level else row.interval
    seeds = "1 seed" if row.n == 1 else f"{row.n} seeds"
    parts = [
        row.estimate,
        row.margin and f"margin {row.margin}",
        interval,
        seeds if row.n else "",
        row.published and f"paper {row.published}",
    ]
    return ", ".join(filter(None, parts))
