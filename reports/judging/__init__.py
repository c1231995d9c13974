"""From evidence to verdicts: outcomes, negative controls, statistics, decisions."""

from reports.judging.control import State
from reports.judging.decisions import CITES_NOTHING, Decision
from reports.judging.learned_something import CLASSES
from reports.judging.margins import Margin, marginal_means, seed_means
from reports.judging.rules import looks_of, rule_of
from reports.judging.statistics import (
    detectable,
    smallest_difference,
    smallest_margin,
    unpaired,
)
from reports.judging.test_set_error import sampling_error
from reports.judging.trial_outcomes import Outcome, cell_intervals, excluded, outcomes, table
from reports.judging.verdict import Verdict, verdicts
from reports.judging.verdict_board import (
    Board,
    BoardRow,
    board,
    board_of,
    interval_of,
    level_of,
    percent,
    unit_of,
)

__all__ = [
    "CITES_NOTHING",
    "CLASSES",
    "Board",
    "BoardRow",
    "Decision",
    "Margin",
    "Outcome",
    "State",
    "Verdict",
    "board",
    "board_of",
    "cell_intervals",
    "detectable",
    "excluded",
    "interval_of",
    "level_of",
    "looks_of",
    "marginal_means",
    "outcomes",
    "percent",
    "rule_of",
    "sampling_error",
    "seed_means",
    "smallest_difference",
    "smallest_margin",
    "table",
    "unit_of",
    "unpaired",
    "verdicts",
]
