"""From records to verdicts, figures and two reports with the same content.

Only the parts of a study file are exported here; what needs pandas, matplotlib, scipy or typst is
imported from its own room when a report is written: `reports.judging.board`,
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
