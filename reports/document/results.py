"""The sections of numbers: by cell, by claim, by seed, by trial, and how the cells deviate."""

import math
from collections.abc import Iterator, Sequence

from reports.document.blocks import AnyBlock, Cell, Column, Section, Table, Text
from reports.document.findings import Findings
from reports.document.formatting import common_to, interval_text, number, seed_list, signed
from reports.judging import (
    CITES_NOTHING,
    CLASSES,
    Outcome,
    Verdict,
    interval_of,
    percent,
    sampling_error,
)
from reports.spec import CellInfo, Deviation, Evidence, RanksLike, facts_of

RUN_ONCE = "run once"
"""In place of an interval: a reference has one number and therefore no spread."""


def number_section(findings: Findings) -> Section:
    evidence, unit = findings.evidence, findings.evidence.unit
    columns = (
        "cell",
        f"mean, {unit}",
        "95 % interval",
        "n",
        f"paper, {unit}" if evidence.comparable else f"paper, {unit}, for reference only",
        "difference",
        "above random encoder",
    )
    shown = [place for place in range(len(columns)) if evidence.publishes or place not in (4, 5)]
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
                number(mean),
                Cell(
                    text=RUN_ONCE if info.role == "reference" and n else interval_text(row),
                    order=math.nan if row is None else row["low"],
                ),
                Cell(text=str(n), order=n),
                number(info.published)
                if evidence.comparable
                else number(info.published).model_copy(update={"tone": "quiet"}),
                number(
                    mean - info.published
                    if evidence.comparable and info.published is not None
                    else None,
                    sign=True,
                ),
                _above_floor(info, mean, None if floor is None else floor["mean"]),
            )
        )
    blocks: list[AnyBlock] = []
    if rows:
        blocks.append(
            Table(
                caption=f"{evidence.metric_name} by cell: mean over seeds with its 95 % Student-t "
                f"interval, {_paper(evidence)}and the difference from the random encoder.",
                columns=tuple(
                    Column(name=name, form="number" if place else "words")
                    for place, name in enumerate(columns)
                    if place in shown
                ),
                rows=tuple(tuple(row[place] for place in shown) for row in rows),
            )
        )
    blocks += [Text(text=text) for text in (*_baselines(findings), *_references(findings))]
    if evidence.published_source:
        parts = filter(None, (evidence.published_source, evidence.published_about))
        blocks.append(Text(text=f"The paper's numbers: {'; '.join(parts)}."))
    return Section(ident="numbers", title="Results by cell", blocks=tuple(blocks))


def _paper(evidence: Evidence) -> str:
    if not evidence.publishes:
        return ""
    if evidence.comparable:
        return "the paper's number, the difference from it, "
    why = "synthetic images" if evidence.synthetic_data else "this scale"
    about = evidence.published_about.partition(";")[0] or "the paper's own images and network"
    return f"the paper's number ({about}: for reference only, not to be compared with {why}), "


def _baselines(findings: Findings) -> Iterator[str]:
    """The majority-class baselines, where cells predict different targets."""
    evidence = findings.evidence
    asked = {info.name: info.predicts for info in evidence.cells}
    cells = {trial.key: trial.cell for trial in evidence.planned}
    shares: dict[str, float] = {}
    for record in evidence.records:
        share = facts_of(record).largest_class_share
        if record.key in cells and share is not None:
            shares.setdefault(asked.get(cells[record.key], ""), share)
    if set(shares) - {CLASSES, ""}:
        text = ", ".join(f"{name} {share:.1f} %" for name, share in shares.items() if name)
        yield (
            f"Cells predict different targets. Accuracy of the majority-class baselines: {text}."
        )


def _references(findings: Findings) -> Iterator[str]:
    """How many arms exceed the same probe on raw pixels."""
    unit = findings.evidence.unit
    means = [
        (info, findings.cells[info.name]["mean"])
        for info in findings.evidence.cells
        if info.name in findings.cells and not math.isnan(findings.cells[info.name]["mean"])
    ]
    for info, value in means:
        arms = [m for one, m in means if one.role == "arm" and one.predicts == info.predicts]
        if info.role == "reference" and arms:
            above = sum(mean > value for mean in arms)
            yield (
                f"{info.name}: {value:.1f} {unit} by the same probe on the images themselves, without a "
                f"network; {above} of {len(arms)} arms with the same target have a higher mean. It was "
                "run once, so it has no interval."
            )


def claim_section(findings: Findings) -> Section:
    rows = []
    for verdict in findings.judged:
        claim, shown = verdict.claim, verdict.shown
        if isinstance(claim, RanksLike):
            margin, mean, reach = "", f"tau-b {shown.mean:+.2f}", "none"
            mean = mean if not math.isnan(shown.mean) else "none yet"
        else:
            margin = f"{claim.margin:+.1f}"
            mean = signed(shown)
            reach = interval_of(shown)
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
                Cell(text=mean, order=shown.mean),
                Cell(text=reach, order=shown.low),
                Cell(text=_level_text(verdict)),
                Cell(text=_sampling(verdict, findings)),
                Cell(text=seed_list(verdict.seeds), order=len(verdict.seeds)),
                Cell(text="" if verdict.look is None else f"at {verdict.look} seeds"),
                Cell(text=verdict.words),
                Cell(text=verdict.cites or CITES_NOTHING),
            )
        )
    if not rows:
        return Section(ident="claims", title="Claims", blocks=())
    names = (
        *("claim", "status", "cells", "margin", "estimate", "interval", "level"),
        *("test-set standard error", "all seeds"),
    )
    numeric = {"margin", "estimate", "interval"}
    return Section(
        ident="claims",
        title="Claims",
        blocks=(
            Table(
                caption="Every claim with its interval: at the level and from the seeds of the look that "
                "judged it, or, before a look, 95 % from all paired seeds as a description. Intervals "
                "are over seeds, which share one training subset, one validation split and one set of "
                "test images. The test-set standard error bounds the effect of other test images: it is "
                "binomial, an upper bound since all cells are tested on the same images.",
                columns=(
                    *(Column(name=n, form="number" if n in numeric else "words") for n in names),
                    Column(name="judged"),
                    Column(name="verdict"),
                    Column(name="cites"),
                ),
                rows=tuple(rows),
            ),
        ),
    )


def _level_text(verdict: Verdict) -> str:
    if math.isnan(verdict.shown.low):
        return ""
    return percent(verdict.shown.level) + ("" if verdict.estimate else ", descriptive")


def _sampling(verdict: Verdict, findings: Findings) -> str:
    error = sampling_error(verdict, findings.evidence, findings.found)
    return "" if math.isnan(error) else f"at most {error:.1f}"


def seed_section(findings: Findings) -> Section:
    seeds = sorted({outcome.trial.seed for outcome in findings.found})
    evidence = findings.evidence
    rows = []
    for info in evidence.cells:
        own = {o.trial.seed: o for o in findings.found if o.cell.name == info.name}
        if info.role in ("arm", "floor") and own:
            rows.append((Cell(text=info.name), *(_seed(own.get(seed)) for seed in seeds)))
    if not rows:
        return Section(ident="seeds", title="Results by seed", blocks=())
    return Section(
        ident="seeds",
        title="Results by seed",
        blocks=(
            Table(
                caption=f"{evidence.metric_name}, {evidence.unit}, by cell and seed.",
                columns=(
                    Column(name="cell"),
                    *(Column(name=f"seed {seed}", form="number") for seed in seeds),
                ),
                rows=tuple(rows),
            ),
        ),
    )


def deviation_section(findings: Findings) -> Section:
    arms = [info for info in findings.evidence.cells if info.role == "arm"]
    common = common_to([info.deviations for info in arms])
    blocks: list[AnyBlock] = []
    if common:
        blocks.append(_deviation_table("Shared by all arms.", [("all arms", d) for d in common]))
    own: dict[Deviation, list[str]] = {}
    for info in arms:
        for deviation in info.deviations:
            if deviation not in common:
                own.setdefault(deviation, []).append(info.name)
    if own:
        rows = [(", ".join(names), deviation) for deviation, names in own.items()]
        blocks.append(_deviation_table("In some arms only.", rows))
    text = (
        "Every field of the resolved configuration that differs from the same cell at paper scale, "
        "found by comparing the two configurations."
        if blocks
        else "No field of any arm differs from the same cell at paper scale."
    )
    return Section(
        ident="deviations", title="Deviations from the paper", blocks=(Text(text=text), *blocks)
    )


def trial_section(findings: Findings) -> Section:
    if not findings.found:
        return Section(ident="trials", title="Trials and commands", blocks=())
    marked = any(o.mark for o in findings.found)
    rows = [
        (
            Cell(text=o.cell.name),
            Cell(text=str(o.trial.seed), order=o.trial.seed),
            number(o.value),
            *([Cell(text=o.mark, tone="bad" if o.mark else "plain")] if marked else []),
            Cell(text=o.trial.key),
            Cell(text=o.trial.command),
        )
        for o in findings.found
    ]
    return Section(
        ident="trials",
        title="Trials and commands",
        blocks=(
            Table(
                caption="The key is a hash of everything that can change the number; the command "
                "runs exactly this trial and prints its full output.",
                columns=(
                    Column(name="cell"),
                    Column(name="seed", form="number"),
                    Column(
                        name=f"{findings.evidence.metric}, {findings.evidence.unit}", form="number"
                    ),
                    *([Column(name="mark")] if marked else []),
                    Column(name="key", form="code"),
                    Column(name="command", form="code"),
                ),
                rows=tuple(rows),
            ),
        ),
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


def _seed(outcome: Outcome | None) -> Cell:
    if outcome is None:
        return Cell(text="")
    if outcome.state == "finished":
        text = f"{outcome.value:.2f}"
        if outcome.mark:
            return Cell(text=f"{text}, collapsed", order=outcome.value, tone="bad")
        return Cell(text=text, order=outcome.value)
    return Cell(text=outcome.state, tone="open" if outcome.state == "missing" else "bad")


def _above_floor(info: CellInfo, mean: float, floor: float | None) -> Cell:
    if info.role != "arm" or floor is None or math.isnan(floor) or math.isnan(mean):
        return Cell(text="")
    gain = mean - floor
    return Cell(text=f"{gain:+.1f}", order=gain, tone="bad" if gain < 0 else "plain")


def _many(verdict: Verdict) -> str:
    cells = verdict.cells
    return ", ".join(cells) if len(cells) <= 6 else f"{len(cells)} cells"
