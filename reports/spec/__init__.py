"""The content of a study and its records: claims, figures, looks, and the evidence as one value."""

from reports.spec.claims import AnyClaim, Beats, Equivalent, Increases, RanksLike, cells_of
from reports.spec.evidence import (
    SMOKE_JUDGES_NOTHING,
    CellInfo,
    Change,
    Deviation,
    Evidence,
    ExcludedCell,
    Fact,
    PlannedTrial,
    Stamp,
    Stated,
    difference_unit,
)
from reports.spec.factorial_claims import Factorial, Interaction, MainEffect
from reports.spec.figure_specs import AnyFigure, Bars, Heatmap, Lines, MarginalMeans
from reports.spec.interim_looks import ERROR_RATE, MAX_PRIMARY, Looks
from reports.spec.scope import (
    PAPERS_CORES,
    PAPERS_HOURS,
    WATTS_OF_A_CORE,
    WATTS_OF_A_GPU,
    Pretraining,
    Scope,
    flop_text,
)
from reports.spec.snapshot import ResolvedCell, Snapshot, Statement, seed_routes
from reports.spec.trial_facts import CollapseFacts, TrialFacts, facts_of
from reports.spec.views_strip import VIEWS_FILE, VIEWS_IMAGES, ViewsStrip

__all__ = [
    "ERROR_RATE",
    "MAX_PRIMARY",
    "PAPERS_CORES",
    "PAPERS_HOURS",
    "SMOKE_JUDGES_NOTHING",
    "VIEWS_FILE",
    "VIEWS_IMAGES",
    "WATTS_OF_A_CORE",
    "WATTS_OF_A_GPU",
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
    "ExcludedCell",
    "Fact",
    "Factorial",
    "Heatmap",
    "Increases",
    "Interaction",
    "Lines",
    "Looks",
    "MainEffect",
    "MarginalMeans",
    "PlannedTrial",
    "Pretraining",
    "RanksLike",
    "ResolvedCell",
    "Scope",
    "Snapshot",
    "Stamp",
    "Stated",
    "Statement",
    "TrialFacts",
    "ViewsStrip",
    "cells_of",
    "difference_unit",
    "facts_of",
    "flop_text",
    "seed_routes",
]
