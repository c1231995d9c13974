"""What the sections of a report are written from: all that follows from the evidence, once."""

from typing import NamedTuple

import pandas as pd

from reports.figures import tidy
from reports.judging import Outcome, Verdict, outcomes, table, verdicts
from reports.spec import Evidence
from sweeps.intervals import Interval, interval


class Findings(NamedTuple):
    """The evidence with its outcomes, verdicts, frame and intervals."""

    evidence: Evidence
    found: tuple[Outcome, ...]
    judged: tuple[Verdict, ...]
    frame: pd.DataFrame
    cells: dict[str, Interval]
    """Cell -> mean and 95 % interval over its seeds; only cells with a number."""


def findings_of(evidence: Evidence) -> Findings:
    """Everything that the sections share."""
    found = outcomes(evidence)
    cells = {cell: interval(tuple(seeds.values())) for cell, seeds in table(found).items()}
    return Findings(evidence, found, verdicts(evidence, found), tidy(evidence, found), cells)
