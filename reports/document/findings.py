"""What the sections of a report are written from: all that follows from the evidence, once."""

# Types of pandas follow the values of its arguments, which the checker cannot see.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportReturnType=false

from typing import Any, NamedTuple

import pandas as pd

from reports.figures import summary, tidy
from reports.judging import Outcome, Verdict, outcomes, verdicts
from reports.spec import Evidence


class Findings(NamedTuple):
    """The evidence with its outcomes, verdicts, frame and summary."""

    evidence: Evidence
    found: tuple[Outcome, ...]
    judged: tuple[Verdict, ...]
    frame: pd.DataFrame
    cells: dict[str, Any]
    """Cell -> its row of the summary."""


def findings_of(evidence: Evidence) -> Findings:
    """Everything that the sections share."""
    found = outcomes(evidence)
    frame = tidy(evidence, found)
    cells = {row["cell"]: row for row in summary(frame).to_dict("records")}
    return Findings(evidence, found, verdicts(evidence, found), frame, cells)
