"""Trials and studies next to each other: what differs between them."""

from reports.comparing.by_cell import LEVEL, CellDifference, How, cell_differences
from reports.comparing.fields import ABSENT, Field, fields_of, text_of
from reports.comparing.like_with_like import Likeness
from reports.comparing.settings import SettingRow, differing_origins, differing_settings
from reports.comparing.sides import Side, Source, common_arms, sides_of
from reports.comparing.two_trials import Group, TrialDiff, Value, trial_diff

__all__ = [
    "ABSENT",
    "LEVEL",
    "CellDifference",
    "Field",
    "Group",
    "How",
    "Likeness",
    "SettingRow",
    "Side",
    "Source",
    "TrialDiff",
    "Value",
    "cell_differences",
    "common_arms",
    "differing_origins",
    "differing_settings",
    "fields_of",
    "sides_of",
    "text_of",
    "trial_diff",
]
