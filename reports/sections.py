"""Evidence into a document: which sections there are and what each one says."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd

from reports.board import board_of, percent, span
from reports.claims import RanksLike
from reports.controls import OVERLAP, State
from reports.document import (
    AnyBlock,
    BoardBlock,
    Cell,
    Column,
    Document,
    Drawing,
    Facts,
    Section,
    Table,
    Text,
    Tone,
    VerdictCard,
)
from reports.evidence import CellInfo, Deviation, Evidence
from reports.frame import summary, tidy
from reports.looks import ERROR_RATE
from reports.pictures import Picture, forest_picture, picture
from reports.trials import Outcome, excluded, outcomes
from reports.verdicts import Decision, Verdict, verdicts
from sweeps.record import TrialRecord

TONES: dict[Decision, Tone] = {
    Decision.REPRODUCED: "good",
    Decision.CONTRADICTED: "bad",
    Decision.WITHHELD: "bad",
    Decision.INCONCLUSIVE: "open",
    Decision.WAITING: "open",
    Decision.NOT_JUDGED: "quiet",
    Decision.EXPLORATORY: "quiet",
}


class _Findings(NamedTuple):
    evidence: Evidence
    found: tuple[Outcome, ...]
    judged: tuple[Verdict, ...]
    frame: pd.DataFrame
    cells: dict[str, Any]
    """Cell -> its row of the summary."""


def document(evidence: Evidence) -> Document:
    """The whole report, the same for the same evidence."""
    found = outcomes(evidence)
    frame = tidy(evidence, found)
    cells = {row["cell"]: row for row in summary(frame).to_dict("records")}
    findings = _Findings(evidence, found, verdicts(evidence, found), frame, cells)
    where = "built data, " if evidence.built_data else ""
    return Document(
        title=evidence.title,
        subtitle=f"Study {evidence.study}, {evidence.scale} scale, {where}{evidence.data_name}; "
        f"{evidence.source}",
        question=evidence.question,
        sections=tuple(
            section
            for section in (
                _verdicts(findings),
                _figures(findings),
                _numbers(findings),
                _claims(findings),
                _seeds(findings),
                _deviations(findings),
                _controls(findings),
                _trouble(findings),
                _methods(findings),
                _cost(findings),
                _provenance(findings),
                _trials(findings),
            )
            if section.blocks
        ),
    )


def _verdicts(findings: _Findings) -> Section:
    evidence = findings.evidence
    board = board_of(evidence, findings.found, findings.judged)
    blocks: list[AnyBlock] = []
    if evidence.built_data:
        blocks.append(
            Text(
                text=f"The data set {evidence.data_name} is built to show the mechanism. What stands here says "
                "whether it is seen on built data; it never counts as reproducing the paper.",
                tone="open",
            )
        )
    failed = [control for control in board.controls if control.state is State.FAILED]
    missing = [control for control in board.controls if control.state is State.MISSING]
    blocks += [
        Text(text=f"Control failed, verdicts are withheld: {c.name}: {c.detail}", tone="bad")
        for c in failed
    ]
    if missing:
        names = ", ".join(control.name for control in missing)
        blocks.append(
            Text(text=f"Controls not run yet, so no verdict is given: {names}.", tone="open")
        )
    by_name = {verdict.claim.name: verdict for verdict in findings.judged}
    common = _common([v.deviations for v in findings.judged if v.cells])
    cards = []
    for row in board.rows:
        verdict = by_name[row.claim]
        facts = [
            ("estimate", row.estimate),
            (f"{row.level} interval" if row.level else "interval", row.interval),
            ("seeds", str(row.n) if row.estimate else ""),
            ("paper", row.published),
            ("p, two-sided", "" if row.p is None else _p(row.p)),
        ]
        if verdict.look and row.seeds != verdict.look:
            facts.append(("all seeds so far", f"{_signed(verdict)} from {row.seeds}"))
        cards.append(
            VerdictCard(
                claim=row.claim,
                statement=row.statement,
                words=row.words,
                tone=TONES[row.decision],
                facts=tuple((name, value) for name, value in facts if value),
                note=row.note,
                deviations=_told(verdict, common),
            )
        )
    if cards:
        blocks.append(BoardBlock(cards=tuple(cards)))
        if common:
            blocks.append(
                Text(text=f"Deviations from the paper, shared by all claims: {_list(common)}.")
            )
    else:
        blocks.append(Text(text="This study makes no claim; its numbers stand below."))
    blocks.append(Text(text=f"{board.summary}.", tone="quiet"))
    return Section(ident="verdicts", title=board.title, blocks=tuple(blocks))


def _figures(findings: _Findings) -> Section:
    evidence = findings.evidence
    metric = f"{evidence.metric_name} ({evidence.unit})"
    blocks: list[AnyBlock] = []
    for nth, figure in enumerate(evidence.figures, 1):
        drawn = picture(figure, findings.frame, f"figure{nth}", metric)
        blocks.append(
            _drawing(drawn)
            if drawn
            else Text(
                text=f"{figure.title}: no arm of this scale stands on its axes.", tone="quiet"
            )
        )
    if drawn := forest_picture(findings.judged, "differences", evidence.unit):
        blocks.append(_drawing(drawn))
    return Section(ident="figures", title="Figures", blocks=tuple(blocks))


def _numbers(findings: _Findings) -> Section:
    evidence, unit = findings.evidence, findings.evidence.unit
    columns = (
        "cell",
        f"mean, {unit}",
        "95 % interval",
        "n",
        f"paper, {unit}",
        "difference",
        "floor",
    )
    rows = []
    for info in evidence.cells:
        if info.role == "control":
            continue
        row = findings.cells.get(info.name)
        mean = math.nan if row is None else row["mean"]
        n = 0 if row is None else row["n"]
        floor = findings.cells.get(info.floor or "")
        rows.append(
            (
                Cell(text=info.name),
                _number(mean),
                Cell(text=_interval(row), order=math.nan if row is None else row["low"]),
                Cell(text=str(n), order=n),
                _number(info.published),
                _number(None if info.published is None else mean - info.published, sign=True),
                _above_floor(info, mean, None if floor is None else floor["mean"]),
            )
        )
    blocks: list[AnyBlock] = []
    if rows:
        blocks.append(
            Table(
                caption=f"{evidence.metric_name} by cell: mean over seeds with its 95 % Student-t "
                "interval, the paper's number, ours minus the paper's, and ours minus the random "
                "encoder's.",
                columns=(
                    Column(name=columns[0]),
                    *(Column(name=name, form="number") for name in columns[1:6]),
                    Column(name="above random encoder", form="number"),
                ),
                rows=tuple(rows),
            )
        )
    if evidence.published_source:
        blocks.append(Text(text=f"The paper's numbers: {evidence.published_source}."))
    return Section(ident="numbers", title="Numbers by cell", blocks=tuple(blocks))


def _claims(findings: _Findings) -> Section:
    rows = []
    for verdict in findings.judged:
        claim = verdict.claim
        if isinstance(claim, RanksLike):
            margin, mean, bounds = "", f"tau-b {verdict.so_far.mean:+.2f}", "none"
            mean = mean if not math.isnan(verdict.so_far.mean) else "none yet"
        else:
            margin = f"{claim.margin:+.1f}"
            mean = _signed(verdict)
            bounds = _bounds(verdict)
        rows.append(
            (
                Cell(text=claim.name),
                Cell(text="primary" if claim.primary else "exploratory"),
                Cell(
                    text=" against ".join(verdict.cells)
                    if claim.kind == "beats"
                    else _many(verdict)
                ),
                Cell(text=margin),
                Cell(text=mean, order=verdict.so_far.mean),
                Cell(text=bounds, order=verdict.so_far.low),
                Cell(text=_seed_list(verdict.seeds), order=len(verdict.seeds)),
                Cell(text="" if verdict.look is None else f"at {verdict.look} seeds"),
                Cell(text=verdict.words),
            )
        )
    if not rows:
        return Section(ident="claims", title="Claims", blocks=())
    names = ("claim", "status", "cells", "margin", "all seeds", "95 % interval", "seeds")
    numeric = {"margin", "all seeds", "95 % interval"}
    return Section(
        ident="claims",
        title="Claims",
        blocks=(
            Table(
                caption="Every claim with its estimate from all paired seeds so far: a description, "
                "while verdicts are given at the looks only.",
                columns=(
                    *(Column(name=n, form="number" if n in numeric else "words") for n in names),
                    Column(name="judged"),
                    Column(name="verdict"),
                ),
                rows=tuple(rows),
            ),
        ),
    )


def _seeds(findings: _Findings) -> Section:
    seeds = sorted({outcome.trial.seed for outcome in findings.found})
    rows = []
    for info in findings.evidence.cells:
        own = {o.trial.seed: o for o in findings.found if o.cell.name == info.name}
        if info.role != "control" and own:
            rows.append((Cell(text=info.name), *(_seed(own.get(seed)) for seed in seeds)))
    if not rows:
        return Section(ident="seeds", title="Every seed", blocks=())
    return Section(
        ident="seeds",
        title="Every seed",
        blocks=(
            Table(
                caption=f"{findings.evidence.metric_name}, {findings.evidence.unit}, by cell and seed.",
                columns=(
                    Column(name="cell"),
                    *(Column(name=f"seed {seed}", form="number") for seed in seeds),
                ),
                rows=tuple(rows),
            ),
        ),
    )


def _deviations(findings: _Findings) -> Section:
    arms = [info for info in findings.evidence.cells if info.role == "arm"]
    common = _common([info.deviations for info in arms])
    blocks: list[AnyBlock] = []
    if common:
        blocks.append(_deviation_table("Shared by all arms.", [("all arms", d) for d in common]))
    if own := [(i.name, d) for i in arms for d in i.deviations if d not in common]:
        blocks.append(_deviation_table("Of single arms.", own))
    text = (
        "Every field of the resolved configuration that differs from the same cell at paper scale, "
        "found by comparing the two."
        if blocks
        else "No field of any arm differs from the same cell at paper scale."
    )
    return Section(
        ident="deviations", title="Deviations from the paper", blocks=(Text(text=text), *blocks)
    )


def _deviation_table(caption: str, rows: Sequence[tuple[str, Deviation]]) -> Table:
    return Table(
        caption=caption,
        columns=(
            Column(name="arm"),
            Column(name="field", form="code"),
            Column(name="here"),
            Column(name="paper"),
        ),
        rows=tuple(
            (Cell(text=cell), Cell(text=d.field), Cell(text=d.here), Cell(text=d.paper))
            for cell, d in rows
        ),
    )


def _controls(findings: _Findings) -> Section:
    evidence = findings.evidence
    board = board_of(evidence, findings.found, ())
    tones: dict[State, Tone] = {
        State.PASSED: "good", State.FAILED: "bad", State.MISSING: "open"
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
    overlaps = [o.record.facts.get(OVERLAP) for o in findings.found if o.record]
    known = [overlap for overlap in overlaps if isinstance(overlap, int)]
    if known:
        blocks.append(
            Text(
                text=f"Images that stand in both the training and the test part, by content: {max(known)}."
            )
        )
    return Section(ident="controls", title="Controls", blocks=tuple(blocks))


def _trouble(findings: _Findings) -> Section:
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
    if others := excluded(evidence):
        blocks.append(
            _listing(
                "Records that count nowhere: their key is not in the plan, so they come from another "
                "configuration, scale or data set.",
                ("cell", "seed", "state", evidence.metric, "key"),
                [(r.cell, str(r.seed), r.state, _value(r, evidence), r.key) for r in others],
            )
        )
    repeated = {o.trial.key: o for o in findings.found if len(o.attempts) > 1}
    if repeated:
        blocks.append(
            _listing(
                f"{len(repeated)} {'trial was' if len(repeated) == 1 else 'trials were'} run more than once. The newest finished attempt counts; "
                "every attempt is listed.",
                ("cell", "seed", "attempt", "state", evidence.metric, "started", "key"),
                [
                    (
                        o.cell.name,
                        str(r.seed),
                        str(r.attempt),
                        r.state,
                        _value(r, evidence),
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


def _methods(findings: _Findings) -> Section:
    evidence, looks = findings.evidence, findings.evidence.looks
    primary = sum(claim.primary for claim in evidence.claims)
    levels = ", ".join(
        f"{n} seeds ({percent(share * ERROR_RATE)})"
        for n, share in zip(looks.seeds, looks.shares, strict=True)
    )
    texts = [
        "The seed is the unit of replication: a seed sets the initialisation, the order of the images "
        "and the views, and is the same in every arm. Differences are therefore paired by seed, and "
        "intervals are Student's t over seeds; one seed has no interval.",
        f"Primary claims stand in the study file, at most three; this study has {primary}. They are "
        f"judged at {levels}; a look at n uses seeds 0 to n-1 and no others, and its share of the 5 % goes "
        "through Holm's procedure over the claims not yet decided. The first decision stands. So the "
        "chance of any verdict where nothing is true is at most 5 %. Seeds between looks move "
        "estimates, never a verdict. Other claims are estimates only.",
        "A claim that one cell beats another is a two-sided t-test of the paired differences against "
        "the margin; a rising one, of the slope over the ordered cells by seed; a ranking, Kendall's "
        "tau-b with the paper's table, by all orders of the cells up to 8 and 100,000 drawn ones "
        "beyond. Above: reproduced; below: contradicted; else inconclusive. Where all seeds "
        "gave one number there is no spread to judge by, and the claim is inconclusive.",
        "Seeds still needed: the smallest N with (t(1 - a/2; N-1) + t(0.8; N-1)) s / sqrt(N) at most "
        "|mean - margin|, where a is the next look's share, s the observed standard deviation: 80 % "
        "power if mean and spread stay as they are.",
    ]
    blocks: list[AnyBlock] = [Text(text=text) for text in texts]
    if facts := (*evidence.methods, *evidence.data_facts):
        blocks.append(Facts(facts=tuple((fact.name, fact.text) for fact in facts)))
    return Section(ident="methods", title="Methods", blocks=tuple(blocks))


def _cost(findings: _Findings) -> Section:
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
                text=f"{total:,.0f} seconds of trials in all ({total / 3600:.2f} hours), every attempt "
                "counted; trials that ran side by side are added up."
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
                        _number(math.fsum(each) / len(each)),
                        _number(math.fsum(each)),
                    )
                    for cell, each in seconds.items()
                ),
            ),
        ),
    )


def _provenance(findings: _Findings) -> Section:
    evidence = findings.evidence
    counting = {o.trial.key: o.record for o in findings.found if o.record}
    facts: dict[str, Counter[str]] = {}
    for record in counting.values():
        for name, value in _flat(record.provenance):
            facts.setdefault(name, Counter())[value] += 1
    started = sorted(record.started for record in counting.values() if record.started)
    rows = [
        (name, "; ".join(f"{v} ({k} trials)" if len(values) > 1 else v for v, k in values.items()))
        for name, values in sorted(facts.items())
    ]
    if started:
        rows.insert(0, ("first and last start", f"{started[0]} to {started[-1]}"))
    if evidence.command:
        rows.insert(0, ("command", evidence.command))
    return Section(
        ident="provenance",
        title="Provenance",
        blocks=(Facts(facts=tuple(rows)),) if rows else (),
    )


def _trials(findings: _Findings) -> Section:
    if not findings.found:
        return Section(ident="trials", title="The trial behind each number", blocks=())
    rows = [
        (
            Cell(text=o.cell.name),
            Cell(text=str(o.trial.seed), order=o.trial.seed),
            _number(o.value),
            Cell(text=o.trial.key),
            Cell(text=o.trial.command),
        )
        for o in findings.found
    ]
    return Section(
        ident="trials",
        title="The trial behind each number",
        blocks=(
            Table(
                caption="The key is the hash of everything that can change the number; the command runs "
                "exactly this trial here, with full output.",
                columns=(
                    Column(name="cell"),
                    Column(name="seed", form="number"),
                    Column(
                        name=f"{findings.evidence.metric}, {findings.evidence.unit}", form="number"
                    ),
                    Column(name="key", form="code"),
                    Column(name="command", form="code"),
                ),
                rows=tuple(rows),
            ),
        ),
    )


def _drawing(drawn: Picture) -> Drawing:
    return Drawing(**drawn._asdict())


def _listing(caption: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    forms = {"seed": "number", "attempt": "number", "key": "code"}
    return Table(
        caption=caption,
        columns=tuple(
            Column.model_validate({"name": n, "form": forms.get(n, "words")}) for n in names
        ),
        rows=tuple(tuple(Cell(text=text) for text in row) for row in rows),
    )


def _number(value: float | None, *, sign: bool = False) -> Cell:
    if value is None or math.isnan(value):
        return Cell(text="")
    return Cell(text=f"{value:+.1f}" if sign else f"{value:.1f}", order=value)


def _seed(outcome: Outcome | None) -> Cell:
    if outcome is None:
        return Cell(text="")
    if outcome.state == "finished":
        return Cell(text=f"{outcome.value:.2f}", order=outcome.value)
    return Cell(text=outcome.state, tone="open" if outcome.state == "missing" else "bad")


def _interval(row: Any) -> str:
    if row is None or row["n"] == 0:
        return ""
    if row["n"] == 1:
        return "one seed, no interval"
    if math.isnan(row["low"]):
        return "no spread, no interval"
    return f"[{row['low']:.1f}, {row['high']:.1f}]"


def _bounds(verdict: Verdict) -> str:
    if not verdict.seeds:
        return ""
    if len(verdict.seeds) == 1:
        return "one seed, no interval"
    return span(verdict.so_far.low, verdict.so_far.high) or "no spread, no interval"


def _above_floor(info: CellInfo, mean: float, floor: float | None) -> Cell:
    if info.role != "arm" or floor is None or math.isnan(floor) or math.isnan(mean):
        return Cell(text="")
    gain = mean - floor
    return Cell(text=f"{gain:+.1f}", order=gain, tone="bad" if gain < 0 else "plain")


def _signed(verdict: Verdict) -> str:
    mean = verdict.so_far.mean
    return "none yet" if math.isnan(mean) else f"{mean:+.1f}"


def _p(p: float) -> str:
    return "below 0.0001" if p < 0.0001 else f"{p:.4f}"


def _value(record: TrialRecord, evidence: Evidence) -> str:
    value = record.values.get(evidence.metric)
    return "" if value is None else f"{value:.2f}"


def _many(verdict: Verdict) -> str:
    cells = verdict.cells
    return ", ".join(cells) if len(cells) <= 6 else f"{len(cells)} cells"


def _seed_list(seeds: Sequence[int]) -> str:
    if seeds == tuple(range(len(seeds))) and len(seeds) > 2:
        return f"0 to {seeds[-1]}"
    return ", ".join(map(str, seeds)) or "none"


def _common(each: Sequence[Sequence[Deviation]]) -> tuple[Deviation, ...]:
    return tuple(d for d in each[0] if all(d in other for other in each)) if each else ()


def _list(deviations: Sequence[Deviation]) -> str:
    return "; ".join(f"{d.field} {d.here} (paper: {d.paper})" for d in deviations)


def _told(verdict: Verdict, common: Sequence[Deviation]) -> str:
    if not verdict.cells:
        return ""
    if not verdict.deviations:
        return "No deviation from the paper."
    own = [d for d in verdict.deviations if d not in common]
    shared = len(verdict.deviations) - len(own)
    number = len(verdict.deviations)
    head = f"{number} deviation{'' if number == 1 else 's'} from the paper"
    if not own:
        return f"{head}, shared by all claims: listed under the board."
    tail = f"; {shared} more are shared by all claims" if shared else ""
    return f"{head}: {_list(own)}{tail}."


def _flat(values: dict[str, Any], before: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{before}{name} ")
        elif value is not None:
            rows.append((f"{before}{name}", str(value)))
    return rows
