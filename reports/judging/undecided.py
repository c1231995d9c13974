"""What an undecided claim still needs, in words."""

import math
from collections.abc import Sequence

from reports.judging.contrasts import Subject, by_seed
from reports.judging.equivalence import compared
from reports.judging.sequential_looks import Look
from reports.judging.statistics import seeds_for_equivalence, seeds_needed
from reports.judging.trial_outcomes import Outcome
from reports.spec import ERROR_RATE, Evidence, RanksLike
from sweeps.intervals import no_spread

NAMED = 6
"""How many trials a note lists; the report's tables list all."""


def why_open(subject: Subject, look: Look, evidence: Evidence, later: list[int]) -> str:
    if isinstance(subject.claim, RanksLike):
        if math.isnan(look.numbers.mean):
            return "no spread: one of the two tables is constant"
        if look.weak:
            tau = look.numbers.mean
            return (
                f"{'agrees' if tau > 0 else 'disagrees'} in rank, but weakly: tau-b {tau:+.2f}, at "
                f"least {subject.claim.min_tau:g} was required"
            )
        return "more cells, not more seeds, would decide it"
    shown = compared(subject, tuple(range(look.seeds)))
    values = by_seed(shown.subject, tuple(range(look.seeds)))
    if no_spread(values):
        return f"no spread: {len(values)} seeds gave the same number, {values[0]:+.2f}"
    share = dict(zip(evidence.looks.seeds, evidence.looks.shares, strict=True))
    # Holm's first step: the level of the claim whatever the other results are.
    level = share[later[0] if later else look.seeds] * ERROR_RATE / look.left
    needed = (
        seeds_for_equivalence(values, subject.claim.margin, level)
        if shown.within
        else seeds_needed(values, shown.margin, level / shown.tests)
    )
    if needed is None:
        return "more than 1,000 seeds would be needed at this mean and spread"
    text = f"about {needed} seeds would be needed at this mean and spread"
    none = "no look is left, so this needs a new study whose looks are fixed in advance"
    return text if later else f"{text}; {none}"


def next_look(subject: Subject, count: int) -> str:
    """The distance to the next look, such as "3 seeds, next look at 5"."""
    have = len(subject.seeds)
    return f"{have} seed{'' if have == 1 else 's'}, next look at {count}"


def lacking(subject: Subject, count: int, found: Sequence[Outcome]) -> str:
    """What the next look lacks, apart from seeds that have not run yet."""
    have, usable = len(subject.seeds), sum(seed < count for seed in subject.seeds)
    texts: list[str] = []
    planned = {outcome.cell.name for outcome in found}
    if away := [cell for cell in subject.cells if cell not in planned]:
        texts.append(f"the claim needs all its cells, but these have not run: {_some(away)}")
    if usable < have:
        texts.append(f"the look uses only seeds 0 to {count - 1}, of which {usable} are available")
    for words, states in (("failed", {"failed", "no number"}), ("missing", {"missing"})):
        lost = [
            f"{outcome.cell.name} seed {outcome.trial.seed}"
            for outcome in found
            if outcome.cell.name in subject.cells
            and outcome.trial.seed < count
            and outcome.state in states
        ]
        texts += [f"{words}: {_some(lost)}"] if lost else []
    return join(*texts)


def _some(names: list[str]) -> str:
    more = [f"{len(names) - NAMED} more"] if len(names) > NAMED else []
    return ", ".join([*names[:NAMED], *more])


def join(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
