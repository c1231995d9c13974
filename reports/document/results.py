"""The sections of results by cell, claim, seed and trial, and the deviations of the cells."""

import math
from collections.abc import Iterator, Sequence

from reports.document.blocks import AnyBlock, Cell, Section, Table, TableName, Text
from reports.document.findings import Findings
from reports.document.formatting import (
    common_to,
    count,
    number,
    seed_list,
    signed,
    table,
)
from reports.judging import (
    CITES_NOTHING,
    CLASSES,
    Margin,
    Outcome,
    Verdict,
    interval_of,
    level_of,
    marginal_means,
    sampling_error,
)
from reports.spec import CellInfo, Deviation, Evidence, Factorial, RanksLike, facts_of
from sweeps.intervals import interval

RUN_ONCE = "run once"
"""Instead of an interval: a reference has one number and therefore no spread."""


def number_section(findings: Findings) -> Section:
    evidence, unit = findings.evidence, findings.evidence.unit
    paper = f"paper, {unit}" if evidence.comparable else f"paper, {unit}, for reference only"
    names = ["cell", f"mean, {unit}", "95 % interval", "n", "above random encoder"]
    if evidence.publishes:
        names[4:4] = [paper, "difference"]
    rows = [_numbers(info, findings) for info in evidence.cells if info.role != "control"]
    blocks: list[AnyBlock] = []
    if rows:
        caption = (
            f"{evidence.metric_name}, by cell: mean over seeds with its 95 % Student-t interval, "
            f"{_paper(evidence)}and the difference from the random encoder."
        )
        blocks.append(table("cells", caption, names, rows, numeric=names[1:]))
    if margins := marginal_means(evidence, findings.found):
        blocks.append(_margins(margins, unit))
    blocks += [Text(text=text) for text in (*_baselines(findings), *_references(findings))]
    if evidence.published_source:
        parts = filter(None, (evidence.published_source, evidence.published_about))
        blocks.append(Text(text=f"The paper's numbers: {'; '.join(parts)}."))
    return Section(ident="numbers", title="Results by cell", blocks=tuple(blocks))


def _margins(margins: Sequence[Margin], unit: str) -> Table:
    """The levels of each axis of a factorial study."""
    caption = (
        "Marginal means: a level's mean over all cells with it, each combination of the other axes' levels "
        "with the same weight, taken within each seed that all of these cells have; mean and 95 % "
        "interval over these seeds."
    )
    rows: list[list[Cell | str]] = [
        [
            *(one.axis, one.level, number(one.mean.mean)),
            Cell(text=interval_of(one.mean, sign=""), order=one.mean.low),
            *(count(one.mean.n), count(len(one.cells)), ", ".join(one.lacking[:6])),
        ]
        for one in margins
    ]
    names = [
        "axis",
        "level",
        f"mean, {unit}",
        "95 % interval",
        "n",
        "cells",
        "cells without a number",
    ]
    if not any(one.lacking for one in margins):
        names, rows = names[:-1], [row[:-1] for row in rows]
    return table("marginal-means", caption, names, rows, numeric=names[2:6])


def _numbers(info: CellInfo, findings: Findings) -> list[Cell | str]:
    """The row of one cell."""
    evidence, nothing = findings.evidence, interval(())
    found = findings.cells.get(info.name, nothing)
    floor = findings.cells.get(info.floor or "", nothing)
    once = info.role == "reference" and found.n > 0
    bounds = RUN_ONCE if once else interval_of(found, sign="")
    paper: list[Cell] = []
    if evidence.publishes:
        difference = None
        if evidence.comparable and info.published is not None:
            difference = found.mean - info.published
        published, tone = number(info.published), "plain" if evidence.comparable else "quiet"
        paper = [published.model_copy(update={"tone": tone}), number(difference, sign=True)]
    return [
        *(info.name, number(found.mean), Cell(text=bounds, order=found.low), count(found.n)),
        *(*paper, _above_floor(info, found.mean - floor.mean)),
    ]


def _paper(evidence: Evidence) -> str:
    if not evidence.publishes:
        return ""
    if evidence.comparable:
        return "the paper's number, the difference from it, "
    why = "synthetic images" if evidence.synthetic_data else "this scale"
    about = evidence.published_about.partition(";")[0] or "the paper's own images and network"
    return f"the paper's number ({about}; for reference only, not comparable with {why}), "


def _baselines(findings: Findings) -> Iterator[str]:
    """The majority-class baselines, if cells predict different targets."""
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
        what = "Accuracy of the majority-class baselines"
        yield f"Cells predict different targets. {what}: {text}."


def _references(findings: Findings) -> Iterator[str]:
    """How many arms exceed the same probe on raw pixels."""
    unit = findings.evidence.unit
    cells = findings.cells
    means = [(c, cells[c.name].mean) for c in findings.evidence.cells if c.name in cells]
    for info, value in means:
        arms = [m for one, m in means if one.role == "arm" and one.predicts == info.predicts]
        if info.role == "reference" and arms:
            above = sum(mean > value for mean in arms)
            yield (
                f"{info.name}: {value:.1f} {unit} from the same probe on the raw images, without a "
                f"network; {above} of {len(arms)} arms with the same target have a higher mean. It "
                "was run once, so it has no interval."
            )


def claim_section(findings: Findings) -> Section:
    names = (
        *("claim", "status", "cells", "margin", "estimate", "interval", "level"),
        *("test-set standard error", "all seeds", "judged", "verdict", "cites"),
    )
    caption = (
        "Every claim with its interval, computed at the level and on the seeds of the look that "
        "judged it; before the first look it is a descriptive 95 % interval over all paired seeds. "
        "Intervals are over seeds, which share one training subset, one validation split and one "
        "set of test images. The test-set standard error bounds the effect of other test images: "
        "it is a binomial standard error, and an upper bound because all cells are tested on the "
        "same images."
    )
    if any(verdict.claim.kind == "equivalent" for verdict in findings.judged):
        caption += (
            " A claim of equivalence (±) is decided when the interval lies wholly within both ends of "
            "the margin, or wholly outside, which is two one-sided tests. Of more than two cells "
            "every pair is tested; shown is the pair that decides, the nearest to an end of the "
            "margin or the farthest beyond it. Beyond it, the interval allows for the number of pairs."
        )
    rows = [_claim(verdict, findings) for verdict in findings.judged]
    shown = table("claims", caption, names, rows, numeric=("margin", "estimate", "interval"))
    return Section(ident="claims", title="Claims", blocks=(shown,) if rows else ())


def _claim(verdict: Verdict, findings: Findings) -> list[Cell | str]:
    """The row of one claim."""
    claim, shown, cells = verdict.claim, verdict.shown, verdict.cells
    if isinstance(claim, RanksLike):
        margin, reach = "", "none"
        mean = "none yet" if math.isnan(shown.mean) else f"tau-b {shown.mean:+.2f}"
    else:
        alike = claim.kind == "equivalent"
        both = Cell(text=f"±{claim.margin:.1f}", order=claim.margin)
        margin = both if alike else number(claim.margin, sign=True)
        mean, reach = signed(shown), interval_of(shown)
    listed = ", ".join(cells) if len(cells) <= 6 else f"{len(cells)} cells"
    if claim.kind in ("beats", "equivalent"):
        listed = " against ".join(verdict.shown_cells)
        listed += f", of {len(cells)} cells" if len(cells) > 2 else ""
    if isinstance(claim, Factorial):
        listed = f"{claim.in_words()} ({len(cells)} cells)"
    error = sampling_error(verdict, findings.evidence, findings.found)
    return [
        *(claim.name, "primary" if claim.primary else "exploratory"),
        listed,
        *(margin, Cell(text=mean, order=shown.mean), Cell(text=reach, order=shown.low)),
        *(level_of(verdict), "" if math.isnan(error) else f"at most {error:.1f}"),
        Cell(text=seed_list(verdict.seeds), order=len(verdict.seeds)),
        "" if verdict.look is None else f"at {verdict.look} seeds",
        *(verdict.words, verdict.cites or CITES_NOTHING),
    ]


def seed_section(findings: Findings) -> Section:
    evidence = findings.evidence
    seeds = sorted({outcome.trial.seed for outcome in findings.found})
    by_cell: dict[str, dict[int, Outcome]] = {}
    for outcome in findings.found:
        by_cell.setdefault(outcome.cell.name, {})[outcome.trial.seed] = outcome
    rows: list[list[Cell | str]] = []
    for info in evidence.cells:
        own = by_cell.get(info.name, {})
        if info.role in ("arm", "floor") and own:
            rows.append([info.name, *(_seed(own.get(seed)) for seed in seeds)])
    names = [f"seed {seed}" for seed in seeds]
    caption = f"{evidence.metric_name}, {evidence.unit}, by cell and seed."
    shown = table("seeds", caption, ["cell", *names], rows, numeric=names)
    return Section(ident="seeds", title="Results by seed", blocks=(shown,) if rows else ())


def deviation_section(findings: Findings) -> Section:
    arms = [info for info in findings.evidence.cells if info.role == "arm"]
    common = common_to([info.deviations for info in arms])
    blocks: list[AnyBlock] = []
    if common:
        rows = [("all arms", deviation) for deviation in common]
        caption = "Deviations shared by all arms."
        blocks.append(_deviation_table("deviations-of-all", caption, rows))
    own: dict[Deviation, list[str]] = {}
    for info in arms:
        for deviation in info.deviations:
            if deviation not in common:
                own.setdefault(deviation, []).append(info.name)
    if own:
        rows = [(", ".join(names), deviation) for deviation, names in own.items()]
        blocks.append(_deviation_table("deviations-of-some", "Deviations of some arms only.", rows))
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
    metric = f"{findings.evidence.metric}, {findings.evidence.unit}"
    mark = ["mark"] if any(o.mark for o in findings.found) else []
    caption = (
        "The key is a hash of everything that can change the number; the command runs exactly this "
        "trial and prints its full output."
    )
    rows = [
        (
            *(o.cell.name, count(o.trial.seed), number(o.value)),
            *(Cell(text=o.mark, tone="bad" if o.mark else "plain") for _ in mark),
            *(o.trial.key, o.trial.command),
        )
        for o in findings.found
    ]
    names = ("cell", "seed", metric, *mark, "key", "command")
    shown = table("trials", caption, names, rows, numeric=(metric,))
    return Section(ident="trials", title="Trials and commands", blocks=(shown,) if rows else ())


def _deviation_table(
    ident: TableName, caption: str, rows: Sequence[tuple[str, Deviation]]
) -> Table:
    listed = [(cell, one.field, one.here, one.paper) for cell, one in rows]
    return table(ident, caption, ("arm", "field", "here", "paper"), listed)


def _seed(outcome: Outcome | None) -> Cell:
    if outcome is None:
        return Cell(text="")
    if outcome.state == "finished":
        text = f"{outcome.value:.2f}"
        if outcome.mark:
            return Cell(text=f"{text}, collapsed", order=outcome.value, tone="bad")
        return Cell(text=text, order=outcome.value)
    return Cell(text=outcome.state, tone="open" if outcome.state == "missing" else "bad")


def _above_floor(info: CellInfo, gain: float) -> Cell:
    if info.role != "arm" or math.isnan(gain):
        return Cell(text="")
    return Cell(text=f"{gain:+.1f}", order=gain, tone="bad" if gain < 0 else "plain")
