"""What weakens a claim's verdict, as far as the records show it."""

from collections.abc import Iterator, Sequence
from statistics import fmean

from reports.document.findings import Findings
from reports.document.formatting import rounded, some_of
from reports.judging import Outcome, State, Verdict, detectable, unit_of
from reports.spec import Equivalent, RanksLike

Threat = tuple[str, str]
"""A name and a sentence."""


def threats(verdict: Verdict, findings: Findings) -> Iterator[Threat]:
    """The threats to one claim, most serious first; nothing that the records do not show."""
    if not verdict.cells or not verdict.seeds:
        return
    own = [one for one in findings.found if one.cell.name in verdict.cells]
    yield from _controls(findings)
    yield from _scale(verdict, findings)
    yield from _learned(verdict, findings)
    yield from _power(verdict, findings)
    yield from _training(own)
    yield from _probe(own)
    yield from _origin(own)
    yield (
        "shared images",
        (
            "all seeds share one training subset, one validation split and one set of test images; the "
            "verdict holds for these"
        ),
    )


def _controls(findings: Findings) -> Iterator[Threat]:
    controls = findings.board.controls
    if wrong := [
        f"{one.name} ({one.state.value})" for one in controls if one.state != State.PASSED
    ]:
        yield "controls", f"not passed: {', '.join(wrong)}"


def _scale(verdict: Verdict, findings: Findings) -> Iterator[Threat]:
    evidence = findings.evidence
    if evidence.synthetic_data:
        yield (
            "images",
            f"{evidence.data_name} are made to show the mechanism; nothing follows for photographs",
        )
    here = [evidence.scope.here[c].operations for c in verdict.cells if c in evidence.scope.here]
    full = [evidence.scope.full[c].operations for c in verdict.cells if c in evidence.scope.full]
    ours, theirs = [v for v in here if v], [v for v in full if v]
    if ours and theirs and min(theirs) > 2 * max(ours):
        yield (
            "scale",
            (
                f"a full replication trains its encoders with {rounded(fmean(theirs) / fmean(ours))} "
                "times as many operations; what is learned late may differ"
            ),
        )
    untuned = [d.field for d in verdict.deviations if d.here == "not tuned"]
    if untuned:
        yield "tuning", f"not tuned here, but in the paper: {', '.join(untuned)}"


def _learned(verdict: Verdict, findings: Findings) -> Iterator[Threat]:
    if below := below_floor(findings, verdict.cells):
        yield "nothing learned", f"not above their random encoder on average: {some_of(below)}"


def below_floor(findings: Findings, cells: Sequence[str]) -> list[str]:
    """Those of the cells that are arms and whose mean is not above that of their random encoder."""
    floors = {info.name: info.floor for info in findings.evidence.cells if info.role == "arm"}
    means = findings.cells
    return [
        cell
        for cell in cells
        if (floor := floors.get(cell)) in means
        and cell in means
        and means[cell].mean <= means[floor].mean
    ]


def _power(verdict: Verdict, findings: Findings) -> Iterator[Threat]:
    claim, shown = verdict.claim, verdict.shown
    if isinstance(claim, RanksLike | Equivalent):
        return
    if shown.n == 1:
        yield "seeds", "one seed says nothing about spread"
    elif (least := detectable(shown)) is not None:
        yield (
            "seeds",
            (
                f"with {shown.n} seeds of this spread (standard deviation {shown.deviation:.1f}) a test at "
                f"this level finds, in 80 % of repetitions, an effect that is at least {least:.1f} "
                f"{unit_of(claim, findings.evidence)} from the margin; smaller ones are missed"
            ),
        )


def _training(own: Sequence[Outcome]) -> Iterator[Threat]:
    lost = [f"{o.cell.name} seed {o.trial.seed}" for o in own if o.state in ("failed", "no number")]
    if lost:
        yield "failures", f"without a number: {some_of(lost)}; the others may be a biased choice"
    if marked := [f"{o.cell.name} seed {o.trial.seed}" for o in own if o.mark]:
        yield "collapse", f"embeddings collapsed in {some_of(marked)}"
    if again := [f"{o.cell.name} seed {o.trial.seed}" for o in own if len(o.attempts) > 1]:
        yield "repetition", f"run more than once, the newest counts: {some_of(again)}"


def _probe(own: Sequence[Outcome]) -> Iterator[Threat]:
    if edge := [o for o in own if o.facts.l2_at_the_edge]:
        yield (
            "probe",
            f"its l2 is at the edge of the candidates in {len(edge)} of {len(own)} trials",
        )
    if open_ := [o for o in own if o.facts.probe_converged is False]:
        yield "probe", f"it did not converge in {len(open_)} of {len(own)} trials"


def _origin(own: Sequence[Outcome]) -> Iterator[Threat]:
    """What the provenance says of the code and the machines."""
    records = [o.record for o in own if o.record is not None]
    code = [record.provenance.get("code") or {} for record in records]
    if dirty := sum(bool(one.get("dirty")) for one in code):
        yield "code", f"uncommitted changes in {dirty} of {len(records)} trials"
    if len(commits := {str(one["commit"]) for one in code if one.get("commit")}) > 1:
        yield "code", f"trials come from {len(commits)} commits"
    machines = [record.provenance.get("machine") or {} for record in records]
    kinds = {
        (str(m.get("cpu")), str(r.provenance.get("device")))
        for m, r in zip(machines, records, strict=True)
    }
    if len(kinds) > 1:
        yield (
            "machines",
            f"trials ran on {len(kinds)} kinds of machine, between which numbers differ by rounding",
        )
    if unsealed := sum(record.seal is None for record in records):
        yield (
            "records",
            f"{unsealed} of {len(records)} have no seal; it cannot be checked whether they changed",
        )
