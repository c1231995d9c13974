"""The sections that say whether to trust the rest: controls, trouble, methods, cost, provenance."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from reports.document.blocks import AnyBlock, Cell, Column, Facts, Section, Table, Text, Tone
from reports.document.findings import Findings
from reports.document.formatting import number, value_text
from reports.judging import State, board_of, excluded, percent
from reports.spec import ERROR_RATE, Evidence

MOST_VALUES = 4
"""Of one fact of provenance, such as the load, that are told; the records hold all."""

METHODS = (
    (
        "The seed is the unit of replication: a seed sets the initialisation, the order of the "
        "images and the views, and is the same in every arm. Differences are therefore paired "
        "by seed, and intervals are Student's t over seeds; one seed has no interval."
    ),
    (
        "Primary claims stand in the study file, at most three; this study has {primary}. They "
        "are judged at {levels}; a look at n uses seeds 0 to n-1 and no others, and its share "
        "of the 5 % goes through Holm's procedure over the claims not yet decided. The first "
        "decision stands. So the chance of any verdict where nothing is true is at most 5 %, if the "
        "paired differences are roughly normal (rare collapses break it: a verdict whose cell "
        "collapsed in some seeds only is withheld, one that no seed shows is not seen) and for this "
        "training subset, validation split and these test images, which all seeds share. "
        "Seeds between looks move estimates, never a verdict. Other claims are estimates only."
    ),
    (
        "A claim that one cell beats another is a two-sided t-test of the paired differences "
        "against the margin; a rising one, of the slope over the ordered cells by seed; a "
        "ranking, Kendall's tau-b with the published table over all its cells, by permuting whole "
        "levels of the axes (of ordered pairs the operations, rows and columns together), in all "
        "orders up to 40,320 and 100,000 drawn ones beyond; published numbers closer than the "
        "table's tie are in no order, and a verdict needs the tau-b that the claim names. "
        "Significantly above the margin, a claim that cites a "
        "publication is reproduced, any other is shown. Significantly below it, the claim is "
        "contradicted or not shown if the interval of the same level is below 0 too, and else "
        "smaller than claimed. Above a margin below 0 with an interval that is not above 0, it is no "
        "worse than its margin. Otherwise it is inconclusive. Where all seeds gave one number there "
        "is no spread to judge by, and the claim is inconclusive."
    ),
    (
        "Seeds still needed: the smallest N with (t(1 - a/2; N-1) + t(0.8; N-1)) s / sqrt(N) at "
        "most |mean - margin|, where a is the next look's share of the 5 % over the "
        "number of undecided claims (Holm's first step), s the observed "
        "standard deviation: 80 % power if mean and spread stay as they are."
    ),
)
"""What a reader must know to judge the verdicts; the numbers of the study are filled in."""


def control_section(findings: Findings) -> Section:
    evidence = findings.evidence
    board = board_of(evidence, findings.found, ())
    tones: dict[State, Tone] = {
        State.PASSED: "good", State.FAILED: "bad", State.MISSING: "open", State.OPEN: "open"
    }  # fmt: skip
    blocks: list[AnyBlock] = [
        Table(
            caption="One that has not passed withholds every verdict.",
            columns=(Column(name="control"), Column(name="state"), Column(name="numbers")),
            rows=tuple(
                (
                    Cell(text=c.name),
                    Cell(text=c.state.value, tone=tones[c.state]),
                    Cell(text=c.detail),
                )
                for c in board.controls
            ),
        )
    ]
    overlaps = [o.facts.data.test_images_in_train for o in findings.found]
    if known := [overlap for overlap in overlaps if overlap is not None]:
        blocks.append(
            Text(
                text="Images that stand in both the training and the test part, by content: "
                f"{max(known)}."
            )
        )
    return Section(ident="controls", title="Controls", blocks=tuple(blocks))


def trouble_section(findings: Findings) -> Section:
    evidence, blocks = findings.evidence, list[AnyBlock]()
    lost = [o for o in findings.found if o.state != "finished"]
    if lost:
        blocks.append(
            _listing(
                "Trials without a number.",
                ("cell", "seed", "state", "reason", "key"),
                [(o.cell.name, str(o.trial.seed), o.state, o.reason, o.trial.key) for o in lost],
            )
        )
    if marked := [o for o in findings.found if o.mark]:
        blocks.append(
            _listing(
                "Trials whose embeddings fell together in pre-training: the loss stayed at what one "
                "point pays. Their numbers count as they are.",
                ("cell", "seed", evidence.metric, "mark", "key"),
                [
                    (
                        o.cell.name,
                        str(o.trial.seed),
                        "" if o.record is None else value_text(o.record, evidence),
                        o.mark,
                        o.trial.key,
                    )
                    for o in marked
                ],
            )
        )
    if others := excluded(evidence):
        blocks.append(
            _listing(
                "Records that count nowhere: their key is not in the plan, so they come from "
                "another configuration, scale or data set.",
                ("cell", "seed", "state", evidence.metric, "key"),
                [(r.cell, str(r.seed), r.state, value_text(r, evidence), r.key) for r in others],
            )
        )
    repeated = {o.trial.key: o for o in findings.found if len(o.attempts) > 1}
    if repeated:
        times = "1 trial was" if len(repeated) == 1 else f"{len(repeated)} trials were"
        blocks.append(
            _listing(
                f"{times} run more than once. The newest attempt with a number counts; every attempt is "
                "listed.",
                ("cell", "seed", "attempt", "state", evidence.metric, "started", "key"),
                [
                    (
                        o.cell.name,
                        str(r.seed),
                        str(r.attempt),
                        r.state,
                        value_text(r, evidence),
                        r.started,
                        r.key,
                    )
                    for o in repeated.values()
                    for r in o.attempts
                ],
            )
        )
    if not blocks:
        blocks.append(Text(text="None: every planned trial finished at its first attempt."))
    return Section(
        ident="trouble", title="Failed, missing, excluded and repeated trials", blocks=tuple(blocks)
    )


def method_section(findings: Findings) -> Section:
    evidence, looks = findings.evidence, findings.evidence.looks
    primary = sum(claim.primary for claim in evidence.claims)
    levels = ", ".join(
        f"{n} seeds ({percent(share * ERROR_RATE)})"
        for n, share in zip(looks.seeds, looks.shares, strict=True)
    )
    texts = [text.format(primary=primary, levels=levels) for text in METHODS]
    blocks: list[AnyBlock] = [Text(text=text) for text in texts]
    blocks += [Text(text=text) for text in _stamp_texts(evidence)]
    if changes := evidence.stamp.changes:
        rows = [(change.claim or "all", change.text) for change in changes]
        blocks.append(_listing("Changed since the first run.", ("claim", "change"), rows))
    if facts := (*evidence.methods, *evidence.data_facts):
        blocks.append(Facts(facts=tuple((fact.name, fact.text) for fact in facts)))
    return Section(ident="methods", title="Methods", blocks=tuple(blocks))


def _stamp_texts(evidence: Evidence) -> list[str]:
    """When claims, margins and looks were fixed, or why that is not known."""
    stamp = evidence.stamp
    if stamp.unknown:
        return [f"{stamp.unknown[0].upper()}{stamp.unknown[1:]}."]
    if not stamp.fixed:
        return []
    changed = "" if stamp.changes else "; nothing has changed since"
    what = (
        "Claims, margins, looks, metric, roles and published numbers were stamped before the first"
    )
    return [f"{what} trial, {stamp.fixed} (sha256 {stamp.sha256[:16]}){changed}."]


def cost_section(findings: Findings) -> Section:
    evidence = findings.evidence
    planned = {o.trial.key: o.cell.name for o in findings.found}
    seconds: dict[str, list[float]] = {}
    for record in evidence.records:
        seconds.setdefault(planned.get(record.key, "not in the plan"), []).append(record.seconds)
    if not seconds:
        return Section(ident="cost", title="Cost", blocks=())
    total = math.fsum(s for each in seconds.values() for s in each)
    return Section(
        ident="cost",
        title="Cost",
        blocks=(
            Text(
                text=f"{total:,.0f} seconds of trials in all ({total / 3600:.2f} hours), every "
                "attempt counted; trials that ran side by side are added up."
            ),
            Table(
                caption="Seconds by cell, over all attempts.",
                columns=(
                    Column(name="cell"),
                    Column(name="attempts", form="number"),
                    Column(name="mean, s", form="number"),
                    Column(name="total, s", form="number"),
                ),
                rows=tuple(
                    (
                        Cell(text=cell),
                        Cell(text=str(len(each)), order=len(each)),
                        number(math.fsum(each) / len(each)),
                        number(math.fsum(each)),
                    )
                    for cell, each in seconds.items()
                ),
            ),
        ),
    )


def provenance_section(findings: Findings) -> Section:
    evidence = findings.evidence
    counting = {o.trial.key: o.record for o in findings.found if o.record}
    facts: dict[str, Counter[str]] = {}
    for record in counting.values():
        for name, value in _flat(record.provenance):
            facts.setdefault(name, Counter())[value] += 1
    started = sorted(record.started for record in counting.values() if record.started)
    rows = [(name, _tallied(values)) for name, values in sorted(facts.items())]
    if unsealed := sum(record.seal is None for record in counting.values()):
        told = (
            f"{unsealed} of {len(counting)}, written by an earlier version: whether they changed since "
            "cannot be checked"
        )
        rows.insert(0, ("records without a seal", told))
    if started:
        rows.insert(0, ("first and last start", f"{started[0]} to {started[-1]}"))
    if evidence.command:
        rows.insert(0, ("command", evidence.command))
    return Section(
        ident="provenance",
        title="Provenance",
        blocks=(Facts(facts=tuple(rows)),) if rows else (),
    )


def _listing(caption: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    forms = {"seed": "number", "attempt": "number", "key": "code"}
    return Table(
        caption=caption,
        columns=tuple(
            Column.model_validate({"name": n, "form": forms.get(n, "words")}) for n in names
        ),
        rows=tuple(tuple(Cell(text=text) for text in row) for row in rows),
    )


def _tallied(values: Counter[str]) -> str:
    """Each value with its number of trials, the commonest first; one value alone stands bare."""
    if len(values) == 1:
        return next(iter(values))
    told = [
        f"{value} ({times} trial{'' if times == 1 else 's'})"
        for value, times in values.most_common(MOST_VALUES)
    ]
    more = len(values) - len(told)
    return "; ".join([*told, f"{more} more in the records"] if more else told)


def _flat(values: dict[str, Any], before: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{before}{name} ")
        elif value is not None:
            rows.append((f"{before}{name}", str(value)))
    return rows
