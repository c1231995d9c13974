"""One page for each claim: what the paper says, the rule, the number, every seed, deviations, threats."""

import math
from collections.abc import Iterator

from reports.document.blocks import (
    AnyBlock,
    Cell,
    Drawing,
    Facts,
    Section,
    Table,
    Text,
    VerdictCard,
)
from reports.document.deviation_order import largest
from reports.document.findings import Findings
from reports.document.formatting import TONES, number, signed, table
from reports.document.validity import threats
from reports.figures import render_claim
from reports.judging import (
    BoardRow,
    Verdict,
    level_of,
    looks_of,
    percent,
    rule_of,
    sampling_error,
    unit_of,
)
from reports.judging import table as numbers_of
from reports.spec import Equivalent, RanksLike, Stamp

MOST_ROWS = 8
"""Cells up to which a claim's page lists the number of each seed; the table of all seeds follows."""

MOST_DEVIATIONS = 5
"""How many deviations a claim's page lists; the section on deviations lists all."""


def claim_pages(findings: Findings) -> Iterator[Section]:
    """A page for each claim, primary claims first."""
    board = findings.board
    by_name = {verdict.claim.name: verdict for verdict in findings.judged}
    for nth, row in enumerate(board.rows, 1):
        verdict = by_name[row.claim]
        blocks: list[AnyBlock] = [
            _card(row, verdict, findings),
            _judged(verdict, findings),
            *_seeds(verdict, findings, nth),
            *_deviations(verdict, nth),
        ]
        if found := tuple(threats(verdict, findings)):
            blocks.append(Facts(title="Threats to validity", facts=found))
        yield Section(
            ident=f"claim{nth}", title=f"Claim {nth}: {row.claim}", blocks=tuple(blocks), page=True
        )


def _card(row: BoardRow, verdict: Verdict, findings: Findings) -> VerdictCard:
    evidence = findings.evidence
    paper = ("paper", row.published)
    if not row.published and verdict.reference is not None:
        text = f"{verdict.reference:+.1f} {unit_of(verdict.claim, evidence)}"
        paper = ("paper, for reference only", text)
    facts = [
        ("cites", row.cites),
        paper,
        ("margin", row.margin),
        ("estimate", row.estimate),
        (f"{row.level} interval".strip(), row.interval),
        ("seeds", str(row.n) if row.estimate else ""),
        ("p, two-sided", "" if row.p is None else _p(row.p)),
        ("changed", "; ".join(row.changes)),
    ]
    if verdict.look and row.seeds != verdict.look:
        facts.append(("all seeds so far", f"{signed(verdict.so_far)} from {row.seeds}"))
    return VerdictCard(
        claim=row.claim,
        statement=row.statement,
        words=row.words,
        tone=TONES.get(row.decision, "open"),
        facts=tuple((name, value) for name, value in facts if value),
        note=row.note,
    )


def _judged(verdict: Verdict, findings: Findings) -> Facts:
    evidence = findings.evidence
    board = findings.board
    facts = [("rule", rule_of(verdict, evidence))]
    if verdict.claim.primary:
        facts += [("judged", looks_of(evidence)), ("fixed", _fixed(evidence.stamp))]
    facts += [
        ("interval", _interval(verdict)),
        ("other error", _other_error(verdict, findings)),
        ("controls", "; ".join(f"{one.name}: {one.state.value}" for one in board.controls)),
        ("command", evidence.command),
    ]
    return Facts(
        title="How it is judged", facts=tuple((name, text) for name, text in facts if text)
    )


def _fixed(stamp: Stamp) -> str:
    if stamp.unknown:
        return stamp.unknown
    if not stamp.fixed:
        return ""
    return f"before the first trial, on {stamp.fixed} (sha256 {stamp.sha256[:16]})"


def _interval(verdict: Verdict) -> str:
    """What the claim's one interval is, at its one level."""
    shown = verdict.shown
    if isinstance(verdict.claim, RanksLike):
        return "none: the test permutes levels, and more seeds would not narrow it"
    if not level_of(verdict):
        return ""
    if verdict.estimate is None:
        return (
            f"{percent(shown.level)} over all {shown.n} seeds that every cell has; it describes, and "
            "decides nothing"
        )
    alike = isinstance(verdict.claim, Equivalent)
    where = "within or outside both ends of the margin" if alike else "to one side of the margin"
    return (
        f"{percent(shown.level)} over the {shown.n} seeds of the look, because the test of this claim "
        f"has an error rate of {percent(1 - shown.level)}: it lies {where} exactly where the test rejects"
    )


def _other_error(verdict: Verdict, findings: Findings) -> str:
    """The error that the interval over seeds leaves out."""
    if isinstance(verdict.claim, RanksLike) or not verdict.seeds:
        return ""
    error = sampling_error(verdict, findings.evidence, findings.found)
    size = (
        "of unknown size"
        if math.isnan(error)
        else f"a standard error of at most {error:.1f} points"
    )
    return (
        f"the choice of test images, {size}: seeds share these images, so the interval over seeds "
        "leaves it out"
    )


def _seeds(verdict: Verdict, findings: Findings, nth: int) -> Iterator[AnyBlock]:
    """The figure of all seeds, and their numbers."""
    evidence, numbers = findings.evidence, numbers_of(findings.found)
    metric = f"{evidence.metric_name} ({evidence.unit})"
    drawn = render_claim(verdict, numbers, f"claim{nth}", metric, unit_of(verdict.claim, evidence))
    if drawn:
        yield Drawing(**drawn._asdict())
    if drawn and len(verdict.cells) <= MOST_ROWS:
        yield _numbers(verdict, findings, nth)


def _numbers(verdict: Verdict, findings: Findings, nth: int) -> Table:
    numbers = numbers_of(findings.found)
    seeds = sorted({seed for cell in verdict.cells for seed in numbers.get(cell, {})})
    rows: list[tuple[str, list[Cell]]] = [
        (cell, [_exact(numbers.get(cell, {}).get(seed)) for seed in seeds])
        for cell in verdict.cells
    ]
    if verdict.per_seed:
        tested = dict(zip(verdict.seeds, verdict.per_seed, strict=True))
        what = "slope" if verdict.claim.per_step else "difference"
        rows.append((what, [_exact(tested.get(seed), sign=True) for seed in seeds]))
    names = [f"seed {seed}" for seed in seeds]
    caption = f"{findings.evidence.metric_name}, {findings.evidence.unit}, by cell and seed."
    listed = [(cell, *values) for cell, values in rows]
    return table(f"claim{nth}-seeds", caption, ("cell", *names), listed, numeric=names)


def _exact(value: float | None, *, sign: bool = False) -> Cell:
    if value is None:
        return number(None)
    return Cell(text=f"{value:+.2f}" if sign else f"{value:.2f}", order=value)


def _deviations(verdict: Verdict, nth: int) -> Iterator[AnyBlock]:
    if not verdict.cells or not verdict.seeds:
        return
    found = largest(verdict.deviations)
    if not found:
        yield Text(text="No deviation from the paper.")
        return
    shown = found[:MOST_DEVIATIONS]
    which = (
        f"The largest {len(shown)} of {len(found)} deviations of its cells from the paper"
        if len(found) > len(shown)
        else "The deviations of its cells from the paper"
    )
    caption = (
        f"{which}: of images, length of training, network, batch and evaluation the largest each, "
        "then the next; numbers by their ratio."
    )
    rows = [(one.field, one.here, one.paper) for one in shown]
    yield table(f"claim{nth}-deviations", caption, ("field", "here", "paper"), rows)


def _p(p: float) -> str:
    return "below 0.0001" if p < 0.0001 else f"{p:.4f}"
