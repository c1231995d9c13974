"""A comparison as a document: what differs, the cells side by side, and their differences."""

import math
from collections.abc import Iterator, Sequence

from reports.comparing import (
    LEVEL,
    CellDifference,
    How,
    Side,
    cell_differences,
    common_arms,
    differing_origins,
    differing_settings,
    text_of,
)
from reports.document.blocks import AnyBlock, Cell, Document, Drawing, Section, Text, Tone
from reports.document.formatting import count, seed_list, signed, table
from reports.figures import render_differences, render_side_curves
from reports.judging import Decision, Outcome, Verdict, excluded, interval_of, percent
from reports.spec import RanksLike, difference_unit
from sweeps.intervals import Interval

CURVES = ("loss", "knn/validation")
"""The recorded metrics whose curves are drawn."""

_OF_THE_LOSS = ("batch_size", "head.output")
"""Fields outside the loss that move its values: the number of negatives and the dimensions."""

TONES: dict[How, Tone] = {How.WITHHELD: "bad", How.SAME: "quiet", How.MISSING: "open"}


def exploratory() -> str:
    """What a comparison is not."""
    return (
        "This comparison is exploratory: it was not fixed before the runs, so it issues no verdict. Each "
        f"interval is at {percent(LEVEL)} for one cell alone and is not adjusted for their number: where "
        "nothing differs, about one interval in twenty excludes 0 by chance. To judge an effect, make it a "
        "claim of a study and run that with new seeds."
    )


def comparison_of(sides: Sequence[Side]) -> Document:
    """The whole comparison; the same evidence gives the same document.

    Differences are those of each other side from the first.
    """
    differences = cell_differences(sides)
    names = [side.name for side in sides]
    return Document(
        title=" against ".join(reversed(names)) if len(names) == 2 else f"{', '.join(names)}",
        subtitle=f"Comparison of {' and '.join(_about(side) for side in sides)}",
        question=" / ".join(dict.fromkeys(side.evidence.question for side in sides)),
        sections=tuple(
            section
            for section in (
                _setting_section(sides, differences),
                _difference_section(sides, differences),
                _cell_section(sides),
                _curve_section(sides),
                _verdict_section(sides),
                _trouble_section(sides),
                _source_section(sides),
            )
            if section.blocks
        ),
    )


def _about(side: Side) -> str:
    return f"{side.evidence.label} ({side.evidence.data_name})"


def _setting_section(sides: Sequence[Side], differences: Sequence[CellDifference]) -> Section:
    names = [side.name for side in sides]
    blocks: list[AnyBlock] = [Text(text=exploratory(), tone="open")]
    blocks += [Text(text=text, tone="bad") for text in warnings_of(differences)]
    arms = common_arms(sides)
    rows = [(one.field, _arms(one.arms, arms), *one.values) for one in differing_settings(sides)]
    if rows:
        caption = (
            "Fields of the configuration that differ in the arms that the sides share. All other fields "
            "are equal; a dash means that the field does not exist on that side."
        )
        blocks.append(table("settings", caption, ("field", "arms", *names), rows))
    elif arms:
        blocks.append(
            Text(text="No field of the configuration differs in the arms that the sides share.")
        )
    if origins := differing_origins(sides):
        caption = "What else differs: images, seeds, versions, program and machine."
        rows = [(one.name, *map(text_of, one.values)) for one in origins]
        blocks.append(table("origins", caption, ("what", *names), rows))
    return Section(ident="settings", title="What differs", blocks=tuple(blocks))


def _arms(some: Sequence[str], arms: Sequence[str]) -> str:
    return "all" if tuple(some) == tuple(arms) else ", ".join(some)


def warnings_of(differences: Sequence[CellDifference]) -> Iterator[str]:
    """One sentence for each thing that stands against the differences, with the cells it concerns."""
    withheld: dict[tuple[str, str], list[str]] = {}
    marked: dict[tuple[str, str], list[str]] = {}
    for one in differences:
        for found, reasons in ((withheld, one.likeness.withheld), (marked, one.likeness.marked)):
            for reason in reasons:
                found.setdefault((one.side, reason), []).append(one.cell)
    for (side, reason), cells in withheld.items():
        yield f"Not like with like, no difference is given for {side}: {reason} ({_cells(cells)})."
    for (side, reason), cells in marked.items():
        yield f"Not only the settings differ for {side}: {reason} ({_cells(cells)})."


def _cells(cells: Sequence[str]) -> str:
    return ", ".join(cells[:4]) + (f" and {len(cells) - 4} more" if len(cells) > 4 else "")


def _difference_section(sides: Sequence[Side], differences: Sequence[CellDifference]) -> Section:
    first, *others = (side.name for side in sides)
    unit = difference_unit(sides[0].evidence.unit)
    if not differences:
        text = f"{first} shares no arm with {', '.join(others)}."
        return Section(
            ident="differences", title="Differences", blocks=(Text(text=text, tone="open"),)
        )
    caption = (
        f"Each arm minus the same arm of {first}, in {unit}, with its {percent(LEVEL)} interval by "
        "Student's t. The seed is the unit of replication: paired differences are over the seeds that "
        "both sides have, n is their number."
    )
    names = ["arm", "side", "difference", "interval", "n", "how", "remark"]
    rows = [_difference(one) for one in differences]
    if not any(one.remark for one in differences):
        names, rows = names[:-1], [row[:-1] for row in rows]
    shown = table("differences", caption, names, rows, numeric=("difference", "interval"))
    drawn = render_differences(differences, "differences", unit, first)
    figure = () if drawn is None else (Drawing(**drawn._asdict()),)
    return Section(ident="differences", title="Differences", blocks=(shown, *figure))


def _difference(one: CellDifference) -> list[Cell | str]:
    shown, some = one.shown, one.how.has_number
    against = one.likeness.withheld or one.likeness.marked
    return [
        *(one.cell, one.side),
        Cell(text=signed(shown) if some else "", order=shown.mean),
        Cell(text=interval_of(shown) if some else "", order=shown.low),
        Cell(text=one.n if some else "", order=len(one.seeds)),
        Cell(text=one.how.value, tone=TONES.get(one.how, "plain")),
        Cell(text=one.remark, tone="bad" if against else "plain"),
    ]


def _cell_section(sides: Sequence[Side]) -> Section:
    cells = [one for side in sides for one in side.evidence.cells if one.role != "control"]
    names = list(dict.fromkeys(one.name for one in cells))
    roles = {one.name: one.role for one in cells}
    rows = [[name, roles[name], *(_score(side, name) for side in sides)] for name in names]
    metrics = dict.fromkeys(f"{s.evidence.metric_name}, {s.evidence.unit}" for s in sides)
    caption = (
        f"{'; '.join(metrics)}: mean over seeds with its 95 % Student-t interval, and the number of seeds. "
        "Intervals of single sides say little about their difference where seeds are paired."
    )
    columns = [side.name for side in sides]
    shown = table("cells", caption, ("cell", "role", *columns), rows)
    return Section(ident="cells", title="Cells side by side", blocks=(shown,) if rows else ())


def _score(side: Side, name: str) -> Cell:
    if side.cell(name) is None:
        return Cell(text="not in this study", tone="quiet")
    found = side.intervals.get(name)
    if found is None:
        return Cell(text="no number", tone="open")
    return Cell(text=_mean(found), order=found.mean)


def _mean(found: Interval) -> str:
    bounds = "" if math.isnan(found.low) else f" {interval_of(found, sign='')}"
    return f"{found.mean:.1f}{bounds}, n = {found.n}"


def _curve_section(sides: Sequence[Side]) -> Section:
    fields = [one.field for one in differing_settings(sides)]
    scale = [name for name in fields if name.startswith("loss.") or name in _OF_THE_LOSS]
    other = f" The losses are not on one scale: {', '.join(scale)} differs." if scale else ""
    drawn = [
        render_side_curves(sides, metric, f"figure{at}", other * (metric == "loss"))
        for at, metric in enumerate(CURVES, 1)
    ]
    blocks = tuple(Drawing(**one._asdict()) for one in drawn if one is not None)
    return Section(ident="curves", title="Training curves", blocks=blocks)


def _verdict_section(sides: Sequence[Side]) -> Section:
    each = [{one.claim.name: one for one in side.judged} for side in sides]
    names = dict.fromkeys(name for verdicts in each for name in verdicts)
    rows = [[name, *(_verdict(verdicts.get(name)) for verdicts in each)] for name in names]
    caption = (
        "The verdict of each study's own report, by its own claims, looks and controls, with the claim's "
        "estimate. A verdict on one side and none on the other is no difference between them."
    )
    shown = table("verdicts", caption, ("claim", *(side.name for side in sides)), rows)
    return Section(ident="verdicts", title="Verdicts side by side", blocks=(shown,) if rows else ())


def _verdict(verdict: Verdict | None) -> str:
    if verdict is None:
        return "not a claim of this study"
    shown = verdict.shown
    if verdict.decision is Decision.NOT_JUDGED or math.isnan(shown.mean):
        return verdict.words
    tau = isinstance(verdict.claim, RanksLike)
    estimate = f"tau-b {shown.mean:+.2f}" if tau else signed(shown)
    return f"{verdict.words} ({estimate}, n = {shown.n})"


def _trouble_section(sides: Sequence[Side]) -> Section:
    rows: list[list[Cell | str]] = []
    for side in sides:
        rows += [_trouble(side, one) for one in side.found if one.state != "finished" or one.mark]
        rows += [
            [side.name, one.cell, count(one.seed), "excluded", "its key is not planned", one.key]
            for one in excluded(side.evidence)
        ]
    caption = "Trials that failed, are missing, collapsed or do not count. Collapsed ones count unchanged."
    names = ("side", "cell", "seed", "state", "reason", "key")
    blocks: tuple[AnyBlock, ...] = (table("trouble", caption, names, rows),)
    if not rows:
        blocks = (Text(text="None: every planned trial of each side finished."),)
    return Section(ident="trouble", title="Failed, missing and excluded trials", blocks=blocks)


def _trouble(side: Side, one: Outcome) -> list[Cell | str]:
    state = "collapsed" if one.state == "finished" else one.state
    tone: Tone = "open" if one.state == "missing" else "bad"
    shown = Cell(text=state, tone=tone)
    return [
        side.name,
        one.cell.name,
        count(one.trial.seed),
        shown,
        one.mark or one.reason,
        one.trial.key,
    ]


def _source_section(sides: Sequence[Side]) -> Section:
    rows: list[list[Cell | str]] = []
    for side in sides:
        seeds = tuple(sorted({one.trial.seed for one in side.found if one.values}))
        own = [one for one in side.found if one.values and one.cell.role == "arm"]
        rows.append(
            [
                side.name,
                side.evidence.label,
                side.store,
                count(len(own)),
                seed_list(seeds),
                side.evidence.command,
            ]
        )
    names = ("side", "study", "store", "trials of arms", "seeds", "command")
    caption = (
        "Where each side comes from. Its own report has methods, controls, deviations and costs."
    )
    shown = table("sides", caption, names, rows, numeric=("trials of arms",))
    return Section(ident="sides", title="Sides", blocks=(shown,))
