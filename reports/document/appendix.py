"""The sections behind the verdicts: controls, failed trials, methods, cost, provenance."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from reports.document.blocks import AnyBlock, Cell, Facts, Section, Table, Text, Tone
from reports.document.findings import Findings
from reports.document.formatting import count, number, table, value_text
from reports.judging import Outcome, State, excluded, percent
from reports.spec import ERROR_RATE, Evidence, Stamp, TrialFacts, facts_of

MOST_VALUES = 4
"""How many values of one fact of provenance, such as the load, are listed; the records contain all."""

METHODS = (
    (
        "The seed is the unit of replication: it sets the initialisation, the order of the images and "
        "the views, and is the same in every arm. Differences are therefore paired by seed, and "
        "intervals are Student's t over seeds; a single seed has no interval."
    ),
    (
        "A study file declares at most three primary claims; this study has {primary}. They are judged "
        "at {levels}. A look at n uses seeds 0 to n-1 and no others, and its share of the 5 % is "
        "distributed by Holm's procedure over the claims that are still undecided. The first decision "
        "is final. If no claimed effect exists, the probability of any verdict is therefore at most 5 %, "
        "under two conditions: the paired differences are roughly normal (rare collapses violate this: "
        "a verdict on a cell that collapsed in only some of the seeds is withheld, but a collapse that "
        "no seed shows goes unnoticed), and the training subset, validation split and test images are "
        "taken as given, since all seeds share them. Seeds between looks change estimates, never a "
        "verdict. Other claims are estimates only."
    ),
    (
        "A claim that one cell beats another is tested by a two-sided t-test of the paired differences "
        "against the margin; a claim that the metric increases, by the same test of the slope over the "
        "ordered cells, with one slope per seed; a ranking, by Kendall's tau-b with the published table "
        "over all its cells. The ranking's p-value comes from permuting whole levels of the axes (for "
        "ordered pairs the operations, rows and columns together): all permutations if there are at most "
        "40,320, otherwise 100,000 random ones. Published numbers that differ by less than the table's "
        "tie threshold count as tied, and a verdict needs the tau-b that the claim states. If the "
        "estimate is significantly above the margin, a claim that cites a publication is reproduced, "
        "and any other claim is shown. If it is significantly below the margin, and the interval at the "
        "same level is below 0 as well, the claim is contradicted (or not shown, if it cites none); if "
        "the interval is not below 0, the claim is smaller than claimed. If the margin is negative and "
        "the estimate is significantly above it, but "
        "the interval does not lie above 0, the claim is no worse than its margin. In all other cases "
        "it is inconclusive, for example when all seeds gave the same number and there is no spread to "
        "judge by."
    ),
    (
        "A claim that cells are equivalent is tested by two one-sided t-tests of the paired differences "
        "for each two of them, each at half of the claim's level. If the interval of every pair lies "
        "within plus and minus the margin, the cells are alike, as the claim says; if that of some "
        "pair lies outside, at the level divided by the number of pairs, they are not. No significant "
        "difference is no evidence of equivalence, and cells that are alike without being "
        "significantly above their random encoder and raw pixels get no verdict. The p-value is that of "
        "the pair that decides, against the nearer end of the margin, two-sided."
    ),
    (
        "A claim of a main effect compares two marginal means, a claim of an interaction two "
        "differences of marginal means. A marginal mean is taken within a seed, over all cells with a "
        "level, each combination of the other axes' levels with the same weight, so that the claim "
        "has one number for each seed; these are tested by the same two-sided t-test against the "
        "margin, with the same words. A claim that needs a cell that the study excludes is "
        "inconclusive, and one with a cell without a number waits for it: no mean over other cells "
        "takes its place. An interaction is one of differences in the metric's unit: near the "
        "metric's ends, such as 100 %, differences shrink by themselves."
    ),
    (
        "The number of seeds still needed is the smallest N with (t(1 - a/2; N-1) + t(0.8; N-1)) s / "
        "sqrt(N) at "
        "most |mean - margin|, where a is the next look's share of the 5 % divided by the number of "
        "undecided claims (Holm's first step) and s the observed standard deviation; for an equivalence, "
        "the smallest N at which both one-sided tests reject. This gives 80 % "
        "power if mean and spread stay the same."
    ),
)
"""Texts that a reader needs to assess the verdicts; the numbers of the study are filled in."""


def control_section(findings: Findings) -> Section:
    board = findings.board
    tones: dict[State, Tone] = {
        State.PASSED: "good", State.FAILED: "bad", State.MISSING: "open", State.OPEN: "open"
    }  # fmt: skip
    rows = [
        (c.name, Cell(text=c.state.value, tone=tones[c.state]), c.detail) for c in board.controls
    ]
    caption = "A control that has not passed withholds every verdict."
    blocks: list[AnyBlock] = [table("controls", caption, ("control", "state", "numbers"), rows)]
    overlaps = [o.facts.data.test_images_in_train for o in findings.found]
    if known := [overlap for overlap in overlaps if overlap is not None]:
        both = "Images with the same content in the training and the test split"
        blocks.append(Text(text=f"{both}: {max(known)}."))
    return Section(ident="controls", title="Controls", blocks=tuple(blocks))


def trouble_section(findings: Findings) -> Section:
    evidence, blocks = findings.evidence, list[AnyBlock]()
    metric = evidence.metric
    if lost := [o for o in findings.found if o.state != "finished"]:
        rows = [(o.cell.name, str(o.trial.seed), o.state, o.reason, o.trial.key) for o in lost]
        names = ("cell", "seed", "state", "reason", "key")
        blocks.append(table("without-result", "Trials without a result.", names, rows))
    if marked := [o for o in findings.found if o.mark]:
        caption = (
            "Trials whose embeddings collapsed in pre-training: the loss stayed at the value of "
            "identical embeddings. Their numbers count unchanged."
        )
        rows = [
            (o.cell.name, str(o.trial.seed), value_text(o.record, evidence), o.mark, o.trial.key)
            for o in marked
        ]
        blocks.append(table("collapsed", caption, ("cell", "seed", metric, "mark", "key"), rows))
    if evidence.excluded:
        caption = (
            "Cells that the study file excludes, with its reason. They have no trials here, and "
            "trials of them on record count nowhere."
        )
        rows = [(cell.name, cell.reason, count(cell.records)) for cell in evidence.excluded]
        names = ("cell", "reason", "trials on record")
        blocks.append(table("excluded-cells", caption, names, rows, numeric=names[2:]))
    if others := excluded(evidence):
        caption = (
            "Records that are not counted: their key is not in the plan, so they belong to another "
            "configuration, scale or data set."
        )
        rows = [(r.cell, str(r.seed), r.state, value_text(r, evidence), r.key) for r in others]
        blocks.append(table("not-counted", caption, ("cell", "seed", "state", metric, "key"), rows))
    if repeated := {o.trial.key: o for o in findings.found if len(o.attempts) > 1}:
        blocks.append(_attempts(list(repeated.values()), evidence))
    if not blocks:
        blocks.append(Text(text="None: every planned trial finished at its first attempt."))
    return Section(
        ident="trouble", title="Failed, missing, excluded and repeated trials", blocks=tuple(blocks)
    )


def _attempts(repeated: Sequence[Outcome], evidence: Evidence) -> Table:
    times = "1 trial was" if len(repeated) == 1 else f"{len(repeated)} trials were"
    return table(
        "attempts",
        f"{times} run more than once. The newest attempt with a number counts; every attempt is "
        "listed.",
        ("cell", "seed", "attempt", "state", evidence.metric, "started", "key"),
        [
            (
                *(o.cell.name, str(r.seed), str(r.attempt), r.state),
                *(value_text(r, evidence), r.started, r.key),
            )
            for o in repeated
            for r in o.attempts
        ],
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
    if text := _stamp_text(evidence.stamp):
        blocks.append(Text(text=text))
    if changes := evidence.stamp.changes:
        rows = [(change.claim or "all", change.text) for change in changes]
        blocks.append(table("changes", "Changes since the first run.", ("claim", "change"), rows))
    if facts := (*evidence.methods, *evidence.data_facts):
        blocks.append(Facts(facts=tuple((fact.name, fact.text) for fact in facts)))
    return Section(ident="methods", title="Methods", blocks=tuple(blocks))


def _stamp_text(stamp: Stamp) -> str:
    """When claims, margins and looks were fixed, or why this is unknown; may be empty."""
    if stamp.unknown:
        return f"{stamp.unknown[0].upper()}{stamp.unknown[1:]}."
    if not stamp.fixed:
        return ""
    changed = "" if stamp.changes else "; nothing has changed since"
    what = "Claims, margins, looks, metric, roles and published numbers"
    when = f"before the first trial, on {stamp.fixed} (sha256 {stamp.sha256[:16]})"
    return f"{what} were recorded {when}{changed}."


def cost_section(findings: Findings) -> Section:
    """The seconds of processes: those of its own turns where a trial shared one with others."""
    evidence = findings.evidence
    planned = {o.trial.key: o.cell.name for o in findings.found}
    seconds: dict[str, list[float]] = {}
    memory: dict[str, list[int]] = {}
    for record in evidence.records:
        cell = planned.get(record.key, "not in the plan")
        seconds.setdefault(cell, []).append(record.cost_seconds)
        memory.setdefault(cell, []).append(record.peak_memory or 0)
    if not seconds:
        return Section(ident="cost", title="Cost", blocks=())
    total = math.fsum(s for each in seconds.values() for s in each)
    text = (
        f"{total:,.0f} seconds of trials in total ({total / 3600:.2f} hours), over all attempts. "
        "Trials that ran in parallel count separately."
    )
    if any(record.cost_seconds < record.seconds for record in evidence.records):
        text += " Of trials that took turns in one process, each counts its own turns."
    known = ["peak memory, MB"] if any(map(max, memory.values())) else []
    rows = [
        (
            *(cell, count(len(each)), number(math.fsum(each) / len(each)), number(math.fsum(each))),
            *(_megabytes(max(memory[cell])) for _ in known),
        )
        for cell, each in seconds.items()
    ]
    names = ("cell", "attempts", "mean, s", "total, s", *known)
    caption = "Seconds by cell, over all attempts" + (
        ", and the most resident memory of a trial's process, libraries and images included."
        if known
        else "."
    )
    shown = table("cost", caption, names, rows, numeric=names[1:])
    return Section(ident="cost", title="Cost", blocks=(Text(text=text), shown))


def _megabytes(num_bytes: int) -> Cell:
    return Cell(text=f"{num_bytes / 1e6:.0f}", order=num_bytes) if num_bytes else Cell(text="")


def provenance_section(findings: Findings) -> Section:
    evidence = findings.evidence
    counting = {o.trial.key: o.record for o in findings.found if o.record}
    facts: dict[str, Counter[str]] = {}
    for record in counting.values():
        for name, value in _flat(record.provenance):
            facts.setdefault(name, Counter())[value] += 1
        for text in _steps_of(facts_of(record)):
            facts.setdefault("steps on the GPU", Counter())[text] += 1
    started = sorted(record.started for record in counting.values() if record.started)
    rows = [(name, _tallied(values)) for name, values in sorted(facts.items())]
    if unsealed := sum(record.seal is None for record in counting.values()):
        text = (
            f"{unsealed} of {len(counting)}, written by an earlier version; it cannot be checked "
            f"whether they have changed since"
        )
        rows.insert(0, ("records without a seal", text))
    if started:
        rows.insert(0, ("first and last start", f"{started[0]} to {started[-1]}"))
    if evidence.command:
        rows.insert(0, ("command", evidence.command))
    blocks = (Facts(facts=tuple(rows)),) if rows else ()
    return Section(ident="provenance", title="Provenance", blocks=blocks)


def _steps_of(facts: TrialFacts) -> Iterator[str]:
    """How a trial's steps ran on a GPU, if it trained on one; it changes their speed alone."""
    if facts.device == "cuda" and facts.captured_steps is not None:
        why = facts.why_eager or "too few steps for a graph"
        yield "replayed as one graph" if facts.captured_steps else f"kernel by kernel ({why})"


def _tallied(values: Counter[str]) -> str:
    """Each value with its number of trials, the most common first; a single value without one."""
    if len(values) == 1:
        return next(iter(values))
    parts = [
        f"{value} ({times} trial{'' if times == 1 else 's'})"
        for value, times in values.most_common(MOST_VALUES)
    ]
    more = len(values) - len(parts)
    return "; ".join([*parts, f"{more} more values in the records"] if more else parts)


def _flat(values: dict[str, Any], before: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{before}{name} ")
        elif value is not None:
            rows.append((f"{before}{name}", str(value)))
    return rows
