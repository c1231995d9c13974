"""Page one, with the scorecard and the scope of the run, and the figures."""

import math
from collections.abc import Iterator, Sequence

from reports.document.blocks import AnyBlock, Cell, Drawing, Section, Table, Text, Tone
from reports.document.findings import Findings
from reports.document.formatting import TONES, count, some_of, table
from reports.document.scope import scope_table
from reports.figures import render, render_curves, render_forest, render_gallery
from reports.judging import Board, State, Verdict, interval_of, level_of, unit_of
from reports.spec import Evidence, RanksLike


def verdict_section(findings: Findings) -> Section:
    evidence = findings.evidence
    board = findings.board
    by_name = {verdict.claim.name: verdict for verdict in findings.judged}
    blocks: list[AnyBlock] = [*_remarks(board, evidence)]
    if board.rows:
        blocks.append(_scorecard([by_name[row.claim] for row in board.rows], evidence))
    else:
        blocks.append(Text(text="This study makes no claims; its results are below."))
    blocks.append(Text(text=f"{board.summary}.", tone="quiet"))
    if scope := scope_table(findings):
        blocks.append(scope)
    return Section(ident="verdicts", title=board.title, blocks=tuple(blocks))


def _scorecard(judged: Sequence[Verdict], evidence: Evidence) -> Table:
    """One row a claim, primary claims first."""
    rows: list[tuple[Cell | str, ...]] = []
    for verdict in judged:
        claim, shown = verdict.claim, verdict.shown
        unit, form = (
            ("", ".2f") if isinstance(claim, RanksLike) else (unit_of(claim, evidence), ".1f")
        )
        paper = "no number" if verdict.reference is None else f"{verdict.reference:+.1f} {unit}"
        ours = "none yet" if math.isnan(shown.mean) else f"{shown.mean:+{form}} {unit}".strip()
        if isinstance(claim, RanksLike):
            paper, ours = "its table", ours if math.isnan(shown.mean) else f"tau-b {ours}"
        rows.append(
            (
                claim.name + ("" if claim.primary else " (exploratory)"),
                Cell(text=paper, order=verdict.reference, tone=_tone(evidence)),
                Cell(text=ours, order=shown.mean),
                " at ".join(filter(None, (interval_of(shown), level_of(verdict)))),
                Cell(text=verdict.words, tone=TONES.get(verdict.decision, "open")),
                count(shown.n),
            )
        )
    about = "" if evidence.comparable else " (for reference only, not comparable)"
    caption = (
        f"Every claim with the paper's number{about}, ours with its interval, and the verdict; one "
        "page on each follows."
    )
    names = ("claim", "paper", "ours", "interval", "verdict", "seeds")
    return table("scorecard", caption, names, rows, numeric=("seeds",))


def _tone(evidence: Evidence) -> Tone:
    return "plain" if evidence.comparable else "quiet"


def _remarks(board: Board, evidence: Evidence) -> Iterator[Text]:
    """Remarks that a reader needs before the first verdict."""
    if evidence.changes:
        yield Text(text=f"A variation of the study {evidence.study}: {evidence.changes}.")
    if board.remark:
        yield Text(text=_sentence(board.remark), tone="open")
    elif evidence.synthetic_data:
        yield Text(
            text=f"The data set {evidence.data_name} is synthetic and made to show the mechanism. "
            "The verdicts say whether the mechanism appears in these data; they never count as a "
            "reproduction of the paper.",
            tone="open",
        )
    for one in board.controls:
        if one.state is State.FAILED:
            text = f"Control failed, verdicts are withheld: {one.name}: {one.detail}"
            yield Text(text=text, tone="bad")
    waiting = [one for one in board.controls if one.state in (State.MISSING, State.OPEN)]
    if waiting and evidence.judges:
        names = ", ".join(f"{one.name} ({one.state})" for one in waiting)
        text = f"No verdict is given, because a control is still undecided: {names}."
        yield Text(text=text, tone="open")
    yield from (Text(text=_sentence(text), tone="bad") for text in board.warnings)


def figure_section(findings: Findings) -> Section:
    evidence = findings.evidence
    metric = f"{evidence.metric_name} ({evidence.unit})"
    blocks: list[AnyBlock] = []
    for nth, figure in enumerate(evidence.figures, 1):
        if drawn := render(figure, findings.frame, f"figure{nth}", metric):
            blocks.append(Drawing(**drawn._asdict()))
        else:
            text = f"{figure.title}: no arm at this scale has a level on the axes of this figure."
            blocks.append(Text(text=text, tone="quiet"))
    if drawn := render_forest(findings.judged, "differences", evidence.unit):
        blocks.append(Drawing(**drawn._asdict()))
    return Section(ident="figures", title="Figures", blocks=tuple(blocks), page=True)


def curve_section(findings: Findings) -> Section:
    drawn = [Drawing(**one._asdict()) for one in render_curves(findings.found)]
    return Section(ident="curves", title="Learning curves", blocks=tuple(drawn))


def gallery_section(findings: Findings) -> Section:
    evidence = findings.evidence
    blocks: list[AnyBlock] = [Drawing(**one._asdict()) for one in render_gallery(evidence.gallery)]
    there = {cell for strip in evidence.gallery for cell in strip.cells}
    trained = {o.cell.name: None for o in findings.found if o.cell.role == "arm" and o.record}
    if lacking := [cell for cell in trained if cell not in there]:
        text = (
            f"No images were saved for {some_of(lacking)}: their records are of an earlier version."
        )
        blocks.append(Text(text=text, tone="quiet"))
    return Section(ident="gallery", title="Augmentations", blocks=tuple(blocks))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
