"""The output of `compare`: the differences on the terminal, and the report."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ablations.commands.output import plain_table
from ablations.commands.sides_by_name import compared
from ablations.commands.terminal import console
from ablations.commands.write_reports import show_written, write_document
from ablations.errors import UsageError
from reports.comparing import LEVEL, CellDifference, Side, cell_differences
from reports.document import comparison_of, exploratory, warnings_of
from reports.judging import interval_of, percent
from reports.spec import difference_unit


def show_comparison(store: Path, names: Sequence[str]) -> int:
    """Prints the differences from the first side and writes the report; returns the exit code.

    Raises:
        UsageError: Fewer than two sides, or a name fits nothing or several.
    """
    if len(names) < 2:
        raise UsageError("compare: needs at least two of STUDY, VARIATION or STORE, got one")
    sides, folder = compared(store, names)
    differences = cell_differences(sides)
    out = console()
    for at, side in enumerate(sides):
        out.print(f"{'first' if at == 0 else 'other'}: {side.name}", soft_wrap=True)
    for warning in warnings_of(differences):
        out.print(warning, soft_wrap=True)
    out.print("")
    out.print(_table(sides, differences))
    for (side, text), cells in _pairings(differences).items():
        out.print(f"{', '.join(cells)}, {side}: {text}", soft_wrap=True)
    out.print(exploratory(), soft_wrap=True)
    out.print("")
    words = shlex.join([*names, *(["--store", str(store)] if store != Path("runs") else [])])
    written = write_document(lambda: comparison_of(sides), folder, f"ablate compare {words}")
    return show_written(out, written)


def _table(sides: Sequence[Side], differences: Sequence[CellDifference]) -> Any:
    several = ("other",) if len(sides) > 2 else ()
    difference = f"difference ({difference_unit(sides[0].evidence.unit)})"
    names = ("arm", *several, difference, percent(LEVEL), "n", "how")
    table = plain_table(*names, right=(difference, "n"))
    for one in differences:
        some = one.how.has_number
        shown = f"{one.shown.mean:+.1f}" if some else ""
        bounds = interval_of(one.shown) if some else ""
        side = (one.side,) if several else ()
        table.add_row(one.cell, *side, shown, bounds, one.n if some else "", one.how)
    return table


def _pairings(differences: Sequence[CellDifference]) -> dict[tuple[str, str], list[str]]:
    """What is to be said of the seeds of differences, with the arms."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in differences:
        if one.pairing:
            found.setdefault((one.side, one.pairing), []).append(one.cell)
    return found
