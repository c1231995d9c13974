"""Verdicts: a pure function of the study and its records.

Primary claims are judged at the study's looks. A look at n uses seeds 0 to n-1 and no others, and
needs all of them in every cell of a claim; its share of the 5 % is distributed by Holm's procedure over
the claims that are still undecided (a claim whose seeds are incomplete counts with p = 1); the first
decision is final. If no effect exists, the probability of any decision is at most 5 %: within a look by
Holm, over the looks because the shares sum to at most one. Two conditions: paired differences are
roughly normal (a rare collapse violates this), and the training subset, validation split and test
images are taken as given, since all seeds share them. A later record can complete a claim, but never
reverses a decision.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from reports.judging.collapses import collapsed_cells
from reports.judging.contrasts import Subject, by_seed, published_of, subject_of, tau_of
from reports.judging.decisions import DECIDED, Decision, cites, decision, denied_by, verdict_words
from reports.judging.equivalence import Compared, compared, in_words
from reports.judging.factorial import parts_in_words
from reports.judging.learned_something import not_learned
from reports.judging.negative_controls import controls, withheld
from reports.judging.sequential_looks import Look, judged_looks
from reports.judging.trial_outcomes import Outcome, Table, first_attempts, outcomes, table
from reports.judging.undecided import join, lacking, next_look, why_open
from reports.spec import AnyClaim, Deviation, Equivalent, Evidence, Factorial, RanksLike
from sweeps.intervals import Interval, interval


class Verdict(NamedTuple):
    """One claim, its decision, and the numbers behind it."""

    claim: AnyClaim
    decision: Decision
    words: str
    """The verdict in words, with its scale."""
    note: str
    """The reason or the next step, in words; may be empty."""
    look: int | None
    """The seed count of the look that judged the claim, else None."""
    estimate: Interval | None
    """The estimate of the look, at its level. For rank claims: tau without bounds. None before a look."""
    p: float
    """The two-sided p-value before Holm's procedure; NaN if there is none."""
    so_far: Interval
    """All paired seeds, 95 %; descriptive, not a test."""
    seeds: tuple[int, ...]
    """The seeds behind `so_far`."""
    per_seed: tuple[float, ...]
    """Paired difference or slope by seed, in the order of `seeds`; empty for rank claims."""
    published: float | None
    """The same number from the paper's table; None if it has none or is not to be compared."""
    reference: float | None
    """The paper's number whether or not it is to be compared; None if its table has none."""
    cites: str
    """The place in a publication that makes the claim; empty for the study's own claims."""
    cells: tuple[str, ...]
    published_cells: tuple[float | None, ...]
    """The paper's number of each of `cells`."""
    shown_cells: tuple[str, ...]
    """The cells behind the estimate: all of them, or of an equivalence the pair that decides."""
    deviations: tuple[Deviation, ...]
    """The deviations of the claim's cells, each once."""

    @property
    def shown(self) -> Interval:
        """The interval of the claim, wherever it is shown: that of the look, or `so_far` before a look."""
        return self.estimate or self.so_far


def verdicts(evidence: Evidence, found: Sequence[Outcome] | None = None) -> tuple[Verdict, ...]:
    """One verdict for each claim, in the study's order."""
    found = outcomes(evidence) if found is None else found
    numbers = table(found)
    reason = withheld(controls(found, numbers, evidence))
    newest = _judge(evidence, numbers, found, reason)
    once = first_attempts(found, evidence.metric)
    if once == tuple(found):
        return newest
    numbers = table(once)
    # Controls are repeated as well: one that failed first and passed later is reported.
    first = _judge(evidence, numbers, once, withheld(controls(once, numbers, evidence)))
    return tuple(
        now
        if now.decision is before.decision
        else now._replace(
            note=join(now.note, f"with the first attempts of repeated trials: {before.words}")
        )
        for now, before in zip(newest, first, strict=True)
    )


def _judge(
    evidence: Evidence, numbers: Table, found: Sequence[Outcome], reason: str
) -> tuple[Verdict, ...]:
    subjects = [subject_of(claim, evidence, numbers) for claim in evidence.claims]
    asked = [s for s in subjects if s.claim.primary and not s.absent and evidence.judges]
    judged = judged_looks(asked, evidence)
    return tuple(
        _verdict(subject, judged.get(subject.claim.name), evidence, found, reason)
        for subject in subjects
    )


def _verdict(
    subject: Subject,
    look: Look | None,
    evidence: Evidence,
    found: Sequence[Outcome],
    reason: str,
) -> Verdict:
    seeds, claim = subject.seeds, subject.claim
    if isinstance(claim, RanksLike):
        shown, per_seed, so_far = Compared(subject, 0.0), (), tau_of(subject, seeds)[0]
    else:
        shown = compared(subject, tuple(range(look.seeds)) if look else seeds)
        per_seed = by_seed(shown.subject, seeds)
        so_far = interval(per_seed)
    deviations = _deviations(subject.cells, evidence)
    cited = cites(claim, subject.published, evidence.published_source)
    decided, note = _decide(subject, look, evidence, found)
    if isinstance(claim, Equivalent) and seeds and decided is not Decision.NOT_JUDGED:
        note = join(in_words(subject, shown, decided=decided in DECIDED), note)
    if isinstance(claim, Factorial) and seeds and decided is not Decision.NOT_JUDGED:
        note = join(parts_in_words(subject, tuple(range(look.seeds)) if look else seeds), note)
    if decided in DECIDED and claim.source and evidence.comparable:
        note = join(note, denied_by(claim, subject.published))
    if reason and not subject.excluded and decided in DECIDED | {Decision.INCONCLUSIVE}:
        decided, note = Decision.WITHHELD, reason
    return Verdict(
        claim=claim,
        decision=decided,
        words=next_look(subject, evidence.looks.seeds[0])
        if decided is Decision.WAITING
        else verdict_words(decided, evidence, deviations, cited=bool(cited)),
        note=note,
        look=look.seeds if look else None,
        estimate=look.numbers if look else None,
        p=look.p if look else math.nan,
        so_far=so_far,
        seeds=seeds,
        per_seed=per_seed,
        published=published_of(shown.subject) if evidence.comparable else None,
        reference=published_of(shown.subject),
        cites=cited,
        cells=subject.cells,
        published_cells=subject.published,
        shown_cells=shown.subject.cells,
        deviations=deviations,
    )


def _decide(
    subject: Subject, look: Look | None, evidence: Evidence, found: Sequence[Outcome]
) -> tuple[Decision, str]:
    if subject.absent or not evidence.judges:
        return Decision.NOT_JUDGED, subject.absent
    if not subject.claim.primary:
        return Decision.EXPLORATORY, subject.excluded
    if subject.excluded:
        return Decision.INCONCLUSIVE, subject.excluded
    later = [n for n in evidence.looks.seeds if look is None or n > look.seeds]
    if look is None:
        return Decision.WAITING, lacking(subject, later[0], found)
    if look.decided:
        # Synthetic data reproduce nothing, even where a claim cites a publication.
        cited = cites(subject.claim, subject.published, evidence.published_source)
        own = not cited or evidence.synthetic_data
        decided = decision(look.numbers, look.claim, cited=not own)
        positive = decided in (Decision.REPRODUCED, Decision.SHOWN)
        if isinstance(subject.claim, Equivalent) and positive:
            return _alike(decided, subject, look, evidence, found)
        return _with_collapses(decided, subject, look, found)
    note = why_open(subject, look, evidence, later)
    if later:
        note = join(note, next_look(subject, later[0]), lacking(subject, later[0], found))
    return Decision.INCONCLUSIVE, note


def _with_collapses(
    decided: Decision, subject: Subject, look: Look, found: Sequence[Outcome]
) -> tuple[Decision, str]:
    """A rank claim is judged by permutation, which does not assume normal differences."""
    mixed, whole = collapsed_cells(subject.cells, look.seeds, found)
    text = f"collapsed in every seed of the look: {whole}" if whole else ""
    if mixed and isinstance(subject.claim, RanksLike):
        return decided, join(f"collapsed in some seeds: {mixed}", text)
    if mixed:
        why = f"collapsed in some seeds and not in others: {mixed}"
        note = "then the differences are not roughly normal, which the test assumes"
        return Decision.WITHHELD, join(why, note, text)
    return decided, text


def _alike(
    decided: Decision, subject: Subject, look: Look, evidence: Evidence, found: Sequence[Outcome]
) -> tuple[Decision, str]:
    """Encoders that learned nothing are alike for that reason, which shows nothing about the cells."""
    decided, note = _with_collapses(decided, subject, look, found)
    lost = not_learned(subject.cells, evidence, subject.numbers, look.seeds)
    _, whole = collapsed_cells(subject.cells, look.seeds, found)
    if not lost and not whole:
        return decided, note
    nothing = f"not significantly above random encoder and raw pixels: {', '.join(lost)}"
    why = "alike, but encoders that learned nothing are alike"
    return Decision.WITHHELD, join(f"{why}: {nothing}" if lost else why, note)


def _deviations(cells: tuple[str, ...], evidence: Evidence) -> tuple[Deviation, ...]:
    found = [d for cell in evidence.cells if cell.name in cells for d in cell.deviations]
    return tuple(dict.fromkeys(found))
