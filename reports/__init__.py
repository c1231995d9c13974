"""From records to verdicts, figures and two reports that say the same.

Only what a study file is made of stands here; what needs pandas, matplotlib, scipy or typst is
imported from its own module when a report is written: `reports.judging.verdict_board.board`,
`reports.write.write_reports`.
"""

from reports.errors import ReportError
from reports.spec import (
    ERROR_RATE,
    MAX_PRIMARY,
    AnyClaim,
    AnyFigure,
    Bars,
    Beats,
    CellInfo,
    Deviation,
    Evidence,
    Fact,
    Heatmap,
    Increases,
    Lines,
    Looks,
    PlannedTrial,
    RanksLike,
)

__all__ = [
    "ERROR_RATE",
    "MAX_PRIMARY",
    "AnyClaim",
    "AnyFigure",
    "Bars",
    "Beats",
    "CellInfo",
    "Deviation",
    "Evidence",
    "Fact",
    "Heatmap",
    "Increases",
    "Lines",
    "Looks",
    "PlannedTrial",
    "RanksLike",
    "ReportError",
]
