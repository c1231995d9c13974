"""Evidence as a tidy frame: one row a planned trial, one column a thing.

Declared columns: cell, role, floor, published (NaN where it is not to be compared), seed, key, state,
value (NaN without a number), and one column `axis:NAME` for each axis of the study.
"""

from collections.abc import Sequence

import pandas as pd

from reports.judging import Outcome, outcomes
from reports.spec import Evidence
from sweeps.intervals import interval

AXIS = "axis:"
"""Goes before an axis's name, so that no axis can take a declared column's place."""

COLUMNS = ("cell", "role", "floor", "published", "seed", "key", "state", "value")


def tidy(evidence: Evidence, found: Sequence[Outcome] | None = None) -> pd.DataFrame:
    """All planned trials in the plan's order; cells without a planned trial have no row."""
    axes = dict.fromkeys(axis for cell in evidence.cells for axis in cell.levels)
    rows = [
        (
            outcome.cell.name,
            outcome.cell.role,
            outcome.cell.floor,
            outcome.cell.published if evidence.comparable else None,
            outcome.trial.seed,
            outcome.trial.key,
            outcome.state,
            outcome.value,
            *(outcome.cell.levels.get(axis) for axis in axes),
        )
        for outcome in (outcomes(evidence) if found is None else found)
    ]
    frame = pd.DataFrame(rows, columns=[*COLUMNS, *(f"{AXIS}{axis}" for axis in axes)])
    return frame.astype({"published": float, "value": float, "seed": int})


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    """One row a cell, in the frame's order: mean, low, high (95 %, Student-t), n, values."""
    rows = []
    for cell, group in frame.groupby("cell", sort=False):
        values = group["value"].dropna().tolist()
        found = interval(values)
        rows.append((cell, found.mean, found.low, found.high, found.n, tuple(values)))
    return pd.DataFrame(rows, columns=["cell", "mean", "low", "high", "n", "values"])
