"""The output of `show --resolved`: each cell's complete configuration, with the source of each value."""

import json
from typing import TYPE_CHECKING, Any

from ablations.commands.output import plain_table, print_json
from ablations.commands.terminal import console

if TYPE_CHECKING:
    from ablations.compose import Origin
    from ablations.study import Request

MOST_SHOWN = 60
"""Characters of a value that the terminal shows; the JSON output is complete."""


def show_resolved(request: "Request", *, as_json: bool) -> None:
    """The configurations of the requested cells, with controls and baselines; runs nothing."""
    from ablations.compose import compose, origins_of
    from sweeps.planning import Known, plan

    composed, _ = compose(request)
    found = plan(composed.sweep(), composed.resolve, Known())
    cells = {cell.name: origins_of(composed, cell) for cell in found.cells}
    roles = {cell.name: cell.role for cell in found.cells}
    if as_json:
        listed = [
            {
                "name": name,
                "role": roles[name],
                "config": {one.field: one.value for one in origins},
                "from": {one.field: one.place for one in origins},
            }
            for name, origins in cells.items()
        ]
        print_json({"study": found.study, "scale": found.scale, "cells": listed})
        return
    arms = [origins for name, origins in cells.items() if roles[name] == "arm"]
    shared = set.intersection(*(set(map(_row, origins)) for origins in arms))
    out = console()
    out.print(f"{found.label}: {composed.study.question}")
    out.print(_table("in all arms", [one for one in arms[0] if _row(one) in shared]))
    for name, origins in cells.items():
        own = [one for one in origins if _row(one) not in shared]
        out.print(_table(f"{roles[name]} {name}", own))


def _row(origin: "Origin") -> tuple[str, str, str]:
    text = json.dumps(origin.value, ensure_ascii=False)
    short = text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 3]}..."
    return origin.field, short, origin.place


def _table(title: str, origins: "list[Origin]") -> Any:
    table = plain_table(title, "value", "from")
    for one in origins:
        table.add_row(*_row(one))
    return table
