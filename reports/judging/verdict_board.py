"""The verdict board: the first page of a report, and its form in the terminal."""

import math
from collections import Counter
from collections.abc import Sequence

from reports.judging.control import Control
from reports.judging.decisions import CITES_NOTHING, Decision
from reports.judging.negative_controls import controls
from reports.judging.trial_outcomes import Outcome, outcomes, table
from reports.judging.verdict import Verdict, verdicts
from reports.spec import (
    SMOKE_JUDGES_NOTHING,
    AnyClaim,
    Equivalent,
    Evidence,
    RanksLike,
    difference_unit,
)
from sweeps.base import Frozen
from sweeps.intervals import Interval


class BoardRow(Frozen):
    """One claim as text, with its p-value and seeds."""

    claim: str
    statement: str
    decision: Decision
    words: str
    """The verdict in words, with its scale; the same in the terminal, HTML and PDF."""
    note: str
    margin: str
    """The value that the estimate was tested against, "±" for both ends of one; empty for rank claims."""
    changes: tuple[str, ...]
    """Terms of this claim that changed since the first trial, with the old and new values."""
    estimate: str
    interval: str
    """The claim's interval: at the level of its test; before a look, 95 %."""
    level: str
    """Of the interval, such as "98.75 %", or "descriptive 95 %" before a look."""
    n: int
    """Seeds behind the estimate."""
    published: str
    cites: str
    """The place in a publication that states the claim, or a note that there is none."""
    p: float | None
    seeds: int
    """Paired seeds so far."""


class Board(Frozen):
    """All verdicts of one study at one scale."""

    title: str
    rows: tuple[BoardRow, ...]
    """Primary claims first."""
    controls: tuple[Control, ...]
    warnings: tuple[str, ...]
    """Warnings about all claims: changes since the first run, and what is unknown about it."""
    remark: str
    """A remark about all claims, if this scale does not judge any; else empty."""
    summary: str
    """Trials finished, failed, missing and marked, in one line."""


def board(evidence: Evidence) -> Board:
    """The board of the evidence; needs no pandas, matplotlib or typst."""
    found = outcomes(evidence)
    return board_of(evidence, found, verdicts(evidence, found))


def board_of(evidence: Evidence, found: Sequence[Outcome], judged: Sequence[Verdict]) -> Board:
    """The board for the given verdicts."""
    rows = [_row(verdict, evidence) for verdict in judged]
    primary = [verdict.claim.primary for verdict in judged]
    ordered = sorted(zip(primary, rows, strict=True), key=lambda pair: not pair[0])
    return Board(
        title="Verdicts on synthetic data"
        if evidence.synthetic_data and evidence.judges
        else f"Verdicts, {evidence.scale} scale",
        rows=tuple(row for _, row in ordered),
        controls=controls(found, table(found), evidence),
        warnings=(
            *filter(None, [evidence.stamp.unknown]),
            *(change.text for change in evidence.stamp.changes if not change.claim),
        ),
        remark="" if evidence.judges else SMOKE_JUDGES_NOTHING,
        summary=tally(found) + _left_out(evidence),
    )


def tally(found: Sequence[Outcome]) -> str:
    """The numbers of finished, failed, missing and marked trials, in words; each trial counts once."""
    states = {outcome.trial.key: outcome.state for outcome in found}
    counts = Counter(states.values())
    parts = [f"{counts['finished']} of {len(states)} trials finished"]
    words = {"failed": "failed", "no number": "without a number", "missing": "missing"}
    parts += [f"{counts[state]} {text}" for state, text in words.items() if counts[state]]
    collapsed = len({outcome.trial.key for outcome in found if outcome.mark})
    if collapsed:
        parts.append(f"{collapsed} marked as collapsed")
    return ", ".join(parts)


def _left_out(evidence: Evidence) -> str:
    """The arms of the scale without a trial in this report, in words; empty if none."""
    absent = [a for a in evidence.scale_arms if a not in {cell.name for cell in evidence.cells}]
    if not absent:
        return ""
    names = ", ".join(absent[:6]) + (f" and {len(absent) - 6} more" if len(absent) > 6 else "")
    arms = f"{len(absent)} of {len(evidence.scale_arms)} arms of the scale"
    return f"; {arms} {'has' if len(absent) == 1 else 'have'} no trial in this report: {names}"


def percent(level: float) -> str:
    """A level of confidence such as "98.75 %"."""
    return f"{100 * level:.2f}".rstrip("0").rstrip(".") + " %"


def interval_of(shown: Interval, *, sign: str = "+") -> str:
    """An interval as text, or why there is none; empty without any seed.

    Bounds above 0 get the `sign`.
    """
    if shown.n == 0:
        return ""
    if shown.n == 1:
        return "one seed, no interval"
    if math.isnan(shown.low):
        return "no spread, no interval"
    return f"[{shown.low:{sign}.1f}, {shown.high:{sign}.1f}]"


def level_of(verdict: Verdict) -> str:
    """The level of a claim's interval in words, "descriptive" before a look; empty without one."""
    level = "" if math.isnan(verdict.shown.low) else percent(verdict.shown.level)
    return f"descriptive {level}" if level and verdict.estimate is None else level


def unit_of(claim: AnyClaim, evidence: Evidence) -> str:
    """The unit of a claim's estimate and margin."""
    unit = difference_unit(evidence.unit)
    return f"{unit} per step" if claim.per_step else unit


def margin_of(claim: AnyClaim) -> str:
    """A claim's margin: "+2", or "±2" for an equivalence; empty for rank claims."""
    if isinstance(claim, RanksLike):
        return ""
    return f"±{claim.margin:g}" if isinstance(claim, Equivalent) else f"{claim.margin:+g}"


def _row(verdict: Verdict, evidence: Evidence) -> BoardRow:
    claim = verdict.claim
    shown = verdict.shown
    known = not math.isnan(shown.mean)
    if isinstance(claim, RanksLike):
        estimate = f"tau-b {shown.mean:+.2f}" if known else "none yet"
        interval = "none: judged by permutation" if verdict.estimate else ""
        published = ""
    else:
        unit = unit_of(claim, evidence)
        estimate = f"{shown.mean:+.1f} {unit}" if known else "none yet"
        interval = interval_of(shown)
        published = "" if verdict.published is None else f"{verdict.published:+.1f} {unit}"
    level = level_of(verdict)
    if verdict.decision is Decision.NOT_JUDGED:
        estimate = interval = level = ""
    return BoardRow(
        claim=claim.name,
        statement=claim.statement,
        decision=verdict.decision,
        words=verdict.words,
        note=verdict.note,
        margin=f"{margin_of(claim)} {unit_of(claim, evidence)}" if margin_of(claim) else "",
        changes=tuple(c.text for c in evidence.stamp.changes if c.claim == claim.name),
        estimate=estimate,
        interval=interval,
        level=level,
        n=shown.n,
        published=published,
        cites=verdict.cites or CITES_NOTHING,
        p=None if math.isnan(verdict.p) else verdict.p,
        seeds=len(verdict.seeds),
    )
