"""The sections that a reader sees first: the verdict board and the figures."""

from collections.abc import Sequence

from reports.document.blocks import AnyBlock, BoardBlock, Drawing, Section, Text, Tone, VerdictCard
from reports.document.findings import Findings
from reports.document.formatting import common_to, listed, signed
from reports.figures import Picture, forest_picture, picture
from reports.judging import Decision, State, Verdict, board_of, level_of
from reports.spec import Deviation

TONES: dict[Decision, Tone] = {
    Decision.REPRODUCED: "good",
    Decision.CONTRADICTED: "bad",
    Decision.SHOWN: "good",
    Decision.NOT_SHOWN: "bad",
    Decision.SMALLER: "open",
    Decision.NO_WORSE: "open",
    Decision.WITHHELD: "bad",
    Decision.INCONCLUSIVE: "open",
    Decision.WAITING: "open",
    Decision.NOT_JUDGED: "quiet",
    Decision.EXPLORATORY: "quiet",
}
"""How each decision is coloured."""


def verdict_section(findings: Findings) -> Section:
    evidence = findings.evidence
    board = board_of(evidence, findings.found, findings.judged)
    blocks: list[AnyBlock] = []
    if board.remark:
        blocks.append(Text(text=_sentence(board.remark), tone="open"))
    elif evidence.built_data:
        blocks.append(
            Text(
                text=f"The data set {evidence.data_name} is synthetic, made to show the mechanism. "
                "The verdicts say whether it is seen there; they never count as reproducing the "
                "paper.",
                tone="open",
            )
        )
    failed = [control for control in board.controls if control.state is State.FAILED]
    waiting = [c for c in board.controls if c.state in (State.MISSING, State.OPEN)]
    blocks += [
        Text(text=f"Control failed, verdicts are withheld: {c.name}: {c.detail}", tone="bad")
        for c in failed
    ]
    if waiting and evidence.judges:
        names = ", ".join(f"{control.name} ({control.state})" for control in waiting)
        blocks.append(
            Text(text=f"Controls are open, so no verdict is given: {names}.", tone="open")
        )
    blocks += [Text(text=_sentence(text), tone="bad") for text in board.warnings]
    by_name = {verdict.claim.name: verdict for verdict in findings.judged}
    common = common_to([v.deviations for v in findings.judged if v.cells])
    cards = []
    for row in board.rows:
        verdict = by_name[row.claim]
        facts = [
            ("estimate", row.estimate),
            ("margin", row.margin),
            (f"{level_of(row)} interval" if row.level else "interval", row.interval),
            ("seeds", str(row.n) if row.estimate else ""),
            ("paper", row.published),
            ("cites", row.cites),
            ("changed", "; ".join(row.changes)),
            ("p, two-sided", "" if row.p is None else _p(row.p)),
        ]
        if verdict.look and row.seeds != verdict.look:
            facts.append(("all seeds so far", f"{signed(verdict.so_far)} from {row.seeds}"))
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
                Text(text=f"Deviations from the paper, shared by all claims: {listed(common)}.")
            )
    else:
        blocks.append(Text(text="This study makes no claim; its numbers stand below."))
    blocks.append(Text(text=f"{board.summary}.", tone="quiet"))
    return Section(ident="verdicts", title=board.title, blocks=tuple(blocks))


def figure_section(findings: Findings) -> Section:
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


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _drawing(drawn: Picture) -> Drawing:
    return Drawing(**drawn._asdict())


def _told(verdict: Verdict, common: Sequence[Deviation]) -> str:
    if not verdict.cells or not verdict.seeds:
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
    return f"{head}: {listed(own)}{tail}."


def _p(p: float) -> str:
    return "below 0.0001" if p < 0.0001 else f"{p:.4f}"
