"""Evidence as a tidy frame: one row for each planned trial, one column for each variable.

Declared columns: cell, role, published (NaN where it is not to be compared), seed, state, value (NaN
without a number), the cell's mean, low and high (95 %, Student-t), floor (the mean of its random
encoder), and one column `axis:NAME` for each axis of the study.
"""

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from reports.judging import Outcome, cell_intervals, outcomes
from reports.spec import Evidence
from sweeps.intervals import interval

AXIS = "axis:"
"""The prefix of an axis's column, so that no axis can replace a declared column."""

COLUMNS = (
    *("cell", "role", "published", "seed", "state", "value"),
    *("mean", "low", "high", "floor"),
)


def tidy(evidence: Evidence, found: Sequence[Outcome] | None = None) -> pd.DataFrame:
    """All planned trials in the plan's order; cells without a planned trial have no row."""
    found = outcomes(evidence) if found is None else found
    axes = dict.fromkeys(axis for cell in evidence.cells for axis in cell.levels)
    cells, unknown = cell_intervals(found), interval(())
    rows: list[tuple[object, ...]] = []
    for outcome in found:
        cell, seed = outcome.cell, outcome.trial.seed
        own = cells.get(cell.name, unknown)
        floor = cells.get(cell.floor or "", unknown)
        published = cell.published if evidence.comparable else None
        trial = (cell.name, cell.role, published, seed, outcome.state, outcome.value)
        levels = (cell.levels.get(axis) for axis in axes)
        rows.append((*trial, own.mean, own.low, own.high, floor.mean, *levels))
    frame = pd.DataFrame(rows, columns=[*COLUMNS, *(f"{AXIS}{axis}" for axis in axes)])
    return frame.astype({"published": float, "value": float, "seed": int})


def frame_of(numbers: Mapping[str, float], levels: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """One number for each cell as such a frame, without intervals: for numbers of a publication.

    `numbers`: cell -> number; `levels`: cell -> axis -> label, all cells on the same axes.
    """
    unknown = dict.fromkeys(("published", "low", "high", "floor"), math.nan)
    rows = [
        {"cell": cell, "role": "arm", "seed": 0, "state": "finished", "value": number}
        | {"mean": number, **unknown}
        | {f"{AXIS}{axis}": label for axis, label in levels[cell].items()}
        for cell, number in numbers.items()
    ]
    return pd.DataFrame(rows)
