"""What was easy, what was difficult and what is recommended, as far as the records show it."""

from collections import Counter
from collections.abc import Iterator
from statistics import median

from reports.document.blocks import AnyBlock, Facts, Section
from reports.document.findings import Findings
from reports.document.formatting import plural, some_of
from reports.document.validity import below_floor
from reports.judging import Decision, Outcome, State
from sweeps.approximate_time import duration

Lesson = tuple[str, str]
"""A name and a sentence."""

OPEN = (Decision.INCONCLUSIVE, Decision.WAITING)
"""Decisions that more seeds may change."""

SLOW = 3.0
"""From how many times the median a trial's time is reported."""


def lesson_section(findings: Findings) -> Section:
    """Empty before any trial has ended."""
    blocks: list[AnyBlock] = []
    if findings.evidence.records:
        for title, found in (
            ("Easy", _easy(findings)),
            ("Difficult", _difficult(findings)),
            ("Recommended", _recommended(findings)),
        ):
            facts = tuple(found) or (("nothing", "as far as the records show"),)
            blocks.append(Facts(title=title, facts=facts))
    title = "What was easy, difficult and recommended"
    return Section(ident="lessons", title=title, blocks=tuple(blocks))


def _trials(findings: Findings) -> list[Outcome]:
    """Each planned trial once."""
    return list({one.trial.key: one for one in findings.found}.values())


def _easy(findings: Findings) -> Iterator[Lesson]:
    trials, evidence = _trials(findings), findings.evidence
    smooth = [o for o in trials if o.state == "finished" and len(o.attempts) == 1]
    if smooth:
        many = f"{len(smooth)} of {plural(len(trials), 'trial')}"
        yield "running", f"{many} finished at the first attempt"
    times = [record.cost_seconds for record in evidence.records if record.state == "finished"]
    if times:
        yield "time", f"{median(times):,.0f} s per trial (median of {len(times)})"
    controls = findings.board.controls
    if passed := [one.name for one in controls if one.state is State.PASSED]:
        yield "controls", f"passed: {', '.join(passed)}"
    first = [v.claim.name for v in findings.judged if v.look == evidence.looks.seeds[0]]
    undecided = [v.claim.name for v in findings.judged if v.decision in OPEN]
    if decided := [name for name in first if name not in undecided]:
        yield "deciding", f"at the first look: {some_of(decided)}"


def _difficult(findings: Findings) -> Iterator[Lesson]:
    trials, evidence = _trials(findings), findings.evidence
    if lost := [o for o in trials if o.state in ("failed", "no number")]:
        reasons = Counter(o.reason.partition(" at ")[0] for o in lost).most_common(3)
        why = "; ".join(f"{text} ({times})" for text, times in reasons)
        yield "failures", f"{len(lost)} of {plural(len(trials), 'trial')}: {why}"
    if again := [o for o in trials if len(o.attempts) > 1]:
        yield "repetition", f"{plural(len(again), 'trial')} ran more than once: {_named(again)}"
    if resumed := [o for o in trials if o.facts.resumed_at_step]:
        yield (
            "interruption",
            f"{plural(len(resumed), 'training run')} had to be resumed: {_named(resumed)}",
        )
    if marked := [o for o in trials if o.mark]:
        yield "collapse", f"embeddings collapsed in {_named(marked)}"
    arms = [info.name for info in evidence.cells if info.role == "arm"]
    if below := below_floor(findings, arms):
        yield "learning", f"on average not above their random encoder: {some_of(below)}"
    times = {o.trial.key: o.record.cost_seconds for o in trials if o.record}
    usual = median(times.values()) if times else 0.0
    if slow := [o for o in trials if times.get(o.trial.key, 0.0) > SLOW * usual]:
        worst = max(slow, key=lambda o: times[o.trial.key])
        yield (
            "time",
            (
                f"{plural(len(slow), 'trial')} took more than {SLOW:g} times the median; the longest, "
                f"{_named([worst])}, {times[worst.trial.key]:,.0f} s"
            ),
        )
    controls = findings.board.controls
    if wrong := [
        f"{one.name} ({one.state.value})" for one in controls if one.state != State.PASSED
    ]:
        yield "controls", f"not passed: {', '.join(wrong)}"
    if open_ := [v.claim.name for v in findings.judged if v.decision in OPEN]:
        yield "deciding", f"undecided: {some_of(open_)}"
    if withheld := [v.claim.name for v in findings.judged if v.decision is Decision.WITHHELD]:
        yield "verdicts", f"withheld: {some_of(withheld)}"


def _recommended(findings: Findings) -> Iterator[Lesson]:
    trials, evidence = _trials(findings), findings.evidence
    for verdict in findings.judged:
        if verdict.decision in OPEN:
            text = "; ".join(filter(None, (verdict.words, verdict.note)))
            yield f"to decide {verdict.claim.name}", text
    times = [o.record.cost_seconds for o in trials if o.record and o.state == "finished"]
    missing = [o for o in trials if o.state == "missing"]
    if missing and evidence.command:
        cost = ""
        if times:
            cost = f", about {duration(len(missing) * sum(times) / len(times))} of trials"
        yield "missing trials", f"{len(missing)}{cost}: {evidence.command}"
    if any(o.state == "failed" for o in trials) and evidence.command:
        yield "failed trials", f"{evidence.command} --failed"
    if marked := [o for o in trials if o.mark]:
        cells = some_of(list(dict.fromkeys(o.cell.name for o in marked)))
        yield "collapse", f"a lower optimizer.learning_rate, or a longer warm-up, for {cells}"
    if edge := [o for o in trials if o.facts.l2_at_the_edge]:
        yield "probe", f"a wider evaluation.probe.l2: {plural(len(edge), 'trial')} chose its edge"
    if open_ := [o for o in trials if o.facts.probe_converged is False]:
        many = plural(len(open_), "trial")
        yield "convergence", f"more evaluation.probe.max_iterations: {many} did not converge"
    untuned = {d.field for info in evidence.cells for d in info.deviations if d.here == "not tuned"}
    if untuned:
        yield "tuning", f"tune as the paper did: {', '.join(sorted(untuned))}"


def _named(trials: list[Outcome]) -> str:
    return some_of([f"{o.cell.name} seed {o.trial.seed}" for o in trials])
