"""Everything that the sections of a report share, derived once from the evidence."""

from typing import NamedTuple

import pandas as pd

from reports.figures import tidy
from reports.judging import (
    Board,
    Outcome,
    Verdict,
    board_of,
    cell_intervals,
    outcomes,
    verdicts,
)
from reports.spec import Evidence
from sweeps.intervals import Interval


class Findings(NamedTuple):
    """The evidence with its outcomes, verdicts, frame and intervals."""

    evidence: Evidence
    found: tuple[Outcome, ...]
    judged: tuple[Verdict, ...]
    frame: pd.DataFrame
    cells: dict[str, Interval]
    """Cell -> mean and 95 % interval over its seeds; only cells with a number."""
    board: Board


def findings_of(evidence: Evidence) -> Findings:
    """Derives the outcomes, verdicts, frame and summary from the evidence."""
    found = outcomes(evidence)
    judged, frame = verdicts(evidence, found), tidy(evidence, found)
    board = board_of(evidence, found, judged)
    return Findings(evidence, found, judged, frame, cell_intervals(found), board)
