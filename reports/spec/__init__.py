"""The content of a study and its records: claims, figures, looks, and the evidence as one value."""

from reports.spec.claims import AnyClaim, Beats, Equivalent, Increases, RanksLike
from reports.spec.evidence import (
    SMOKE_JUDGES_NOTHING,
    CellInfo,
    Change,
    Deviation,
    Evidence,
    Fact,
    PlannedTrial,
    Stamp,
    Stated,
)
from reports.spec.figure_specs import AnyFigure, Bars, Heatmap, Lines
from reports.spec.interim_looks import ERROR_RATE, MAX_PRIMARY, Looks
from reports.spec.snapshot import ResolvedCell, Snapshot, Statement, seed_routes
from reports.spec.trial_facts import CollapseFacts, TrialFacts, facts_of

__all__ = [
    "ERROR_RATE",
    "MAX_PRIMARY",
    "SMOKE_JUDGES_NOTHING",
    "AnyClaim",
    "AnyFigure",
    "Bars",
    "Beats",
    "CellInfo",
    "Change",
    "CollapseFacts",
    "Deviation",
    "Equivalent",
    "Evidence",
    "Fact",
    "Heatmap",
    "Increases",
    "Lines",
    "Looks",
    "PlannedTrial",
    "RanksLike",
    "ResolvedCell",
    "Snapshot",
    "Stamp",
    "Stated",
    "Statement",
    "TrialFacts",
    "facts_of",
    "seed_routes",
]
