"""Negative controls: cells that must show no effect before any verdict is given.

Each control is passed, failed, not run yet or not decided yet, with its numbers. A control that has not
passed withholds every verdict, because a number that could be an artefact is not evidence.
"""

import math
from collections.abc import Sequence
from typing import Any

from reports.judging.control import Control, State
from reports.judging.learned_something import CLASSES, learned
from reports.judging.shared_encoder import one_hash
from reports.judging.statistics import Allowance, allowance
from reports.judging.trial_outcomes import Outcome, Table
from reports.spec import Evidence, TrialFacts, difference_unit

PERMUTED_MEAN = "permuted/mean"
PERMUTED_ERROR = "permuted/standard_error"
PERMUTED_CHANCE = "permuted/largest_class_share"
"""Keys in the values of a trial with permuted labels, in per cent."""

SHUFFLED = "shuffled positives"
"""The control whose encoders were trained on pairs of different images."""

MOST_ERRORS = 4.0
"""Standard errors by which permuted labels may exceed the majority-class baseline."""

MOST_POINTS = 5.0
"""Points by which the true accuracy with shuffled positives may exceed that of the random encoders."""

ERROR_RATE = 0.001
"""The probability that a true excess of exactly that much fails the control."""


def controls(found: Sequence[Outcome], numbers: Table, evidence: Evidence) -> tuple[Control, ...]:
    """All controls, in the order in which they are shown."""
    unit = evidence.unit
    evaluate = [outcome for outcome in found if outcome.state == "finished"]
    checks = [outcome for outcome in found if outcome.cell.role == "control"]
    scored = [outcome for outcome in evaluate if outcome.cell.role != "control"]
    return (
        _permuted([o for o in checks if o.cell.control != SHUFFLED], unit),
        *_shuffled([o for o in checks if o.cell.control == SHUFFLED], found, numbers, unit),
        _disjoint(scored),
        _frozen(scored),
        *one_hash(evaluate),
        *learned(evidence, numbers),
    )


def withheld(found: Sequence[Control]) -> str:
    """Why no verdict may be given; empty if verdicts may be given."""
    if failed := [control for control in found if control.state is State.FAILED]:
        return "; ".join(f"{control.name} failed: {control.detail}" for control in failed)
    waiting: list[str] = []
    for state in (State.MISSING, State.OPEN):
        names = ", ".join(control.name for control in found if control.state is state)
        waiting += [f"controls {state}: {names}"] if names else []
    return "; ".join(waiting)


def _permuted(found: list[Outcome], unit: str) -> Control:
    name = "permuted labels"
    done = [(o, o.record) for o in found if o.state == "finished" and o.record]
    if not done:
        why = f" ({found[0].reason})" if found else ""
        return Control(name, State.MISSING, f"no trial with permuted labels has finished{why}.")
    details, passed = list[str](), True
    for outcome, record in done:
        mean, error, chance = (
            _number(record.values.get(key))
            for key in (PERMUTED_MEAN, PERMUTED_ERROR, PERMUTED_CHANCE)
        )
        bound = chance + MOST_ERRORS * error
        # Written so that NaN fails: a control that cannot be read has not passed.
        passed = passed and mean <= bound
        details.append(
            f"{outcome.cell.name}, seed {outcome.trial.seed}: mean {mean:.2f} {unit}, standard "
            f"error {error:.2f}, largest class {chance:.2f} {unit}; allowed at most {bound:.2f} "
            f"{unit}"
        )
    return Control(name, State.PASSED if passed else State.FAILED, "; ".join(details) + ".")


def _shuffled(
    trials: list[Outcome], found: Sequence[Outcome], numbers: Table, unit: str
) -> tuple[Control, ...]:
    """Tests whether encoders trained without true pairs exceed their random encoders; none if not planned.

    Each arm with this control is judged by itself; the worst one determines the state.
    """
    if not trials:
        return ()
    done = [(o, o.record) for o in trials if o.state == "finished" and o.record]
    floor = numbers.get(trials[0].cell.floor or "", {})
    groups: dict[str, dict[int, float]] = {}
    for outcome, record in done:
        if (seed := outcome.trial.seed) in floor:
            arm = " / ".join((record.levels or outcome.cell.levels).values())
            groups.setdefault(arm, {})[seed] = outcome.value - floor[seed]
    if not groups:
        why = trials[0].reason or "its random encoder has no result"
        return (
            Control(
                SHUFFLED, State.MISSING, f"no seed yet in common with a random encoder: {why}."
            ),
        )
    above = _above_floors(found, numbers)
    judged = [_of_an_arm(arm, pairs, above, unit) for arm, pairs in groups.items()]
    states = {state for state, _ in judged}
    lacking = [outcome for outcome in trials if outcome.state != "finished"]
    details = [text for _, text in judged]
    details += [f"seed {o.trial.seed} has no result yet ({o.reason})" for o in lacking]
    if State.FAILED in states:
        state = State.FAILED
    else:
        state = State.MISSING if lacking or State.MISSING in states else State.PASSED
    return (Control(SHUFFLED, state, "; ".join(details) + "."),)


def _of_an_arm(
    arm: str, pairs: dict[int, float], above: list[list[float]], unit: str
) -> tuple[State, str]:
    """A mean within the margin passes; above it, a one-sided test decides.

    Its spread pools the control and all arms, each against its random encoder. With few seeds the
    bound is wide: a mean above half of the best arm's gain then leaves the control open.
    """
    differences = list(pairs.values())
    mean = math.fsum(differences) / len(differences)
    allowed = allowance(differences, above, MOST_POINTS, ERROR_RATE)
    points = difference_unit(unit)
    seeds = f"seed{'s' * (len(pairs) > 1)} {', '.join(map(str, sorted(pairs)))}"
    measured = (
        f"{arm}, each image paired with a view of another image, {seeds}: mean {mean:+.1f} "
        f"{points} against the random encoder"
    )
    half = max((math.fsum(gains) / len(gains) for gains in above if gains), default=math.inf) / 2
    if mean <= MOST_POINTS:
        return (
            State.PASSED,
            f"{measured}; a difference of at most {MOST_POINTS:+.1f} passes without a test",
        )
    if math.isnan(allowed.bound) and not math.isnan(mean):
        return State.MISSING, f"{measured}; a single seed has no spread to judge by; run more seeds"
    # Written so that NaN fails: a control that cannot be read has not passed.
    if not mean <= allowed.bound:
        return State.FAILED, f"{measured}; {_bound_text(allowed, points)}"
    if mean > half:
        why = f"half of the best arm's gain is {half:+.1f}; too few seeds to decide; run more"
        return State.MISSING, f"{measured}; {_bound_text(allowed, points)}, but {why}"
    return State.PASSED, f"{measured}; {_bound_text(allowed, points)}"


def _bound_text(allowed: Allowance, points: str) -> str:
    return (
        f"allowed at most {allowed.bound:+.1f}: {MOST_POINTS:.0f} {points} plus the allowance for "
        f"chance at {100 * ERROR_RATE:g} % with a standard deviation of {allowed.deviation:.1f} "
        f"over seeds, {allowed.degrees} degrees of freedom"
    )


def _above_floors(found: Sequence[Outcome], numbers: Table) -> list[list[float]]:
    """The differences of each arm from its random encoder, by common seed."""
    asked = [o.cell for o in found if o.cell.role == "arm" and o.cell.predicts == CLASSES]
    arms = {cell.name: cell for cell in asked}.values()
    both = [(numbers.get(arm.name, {}), numbers.get(arm.floor or "", {})) for arm in arms]
    return [[arm[seed] - floor[seed] for seed in sorted(arm.keys() & floor)] for arm, floor in both]


def _disjoint(scored: list[Outcome]) -> Control:
    # Trials that choose settings are measured on the validation split.
    splits = {outcome.facts.measured_on or "test" for outcome in scored} or {"test"}
    split = " and ".join(sorted(splits))
    name = f"{split} images held out"
    found = [outcome.facts.shared_images for outcome in scored]
    counts = [count for count in found if count is not None]
    if not scored or len(counts) < len(found):
        unknown = f"{len(found) - len(counts)} of {len(scored)} finished trials"
        return Control(name, State.MISSING, f"{unknown} recorded no count.")
    shared = max(counts)
    if shared > 0:
        images = f"1 {split} image was" if shared == 1 else f"{shared} {split} images were"
        used = f"{images} also used for fitting or selection, compared by content"
        return Control(name, State.FAILED, f"{used}, in the worst of {len(scored)} trials.")
    none = f"no {split} image, compared by content, was used for fitting or selection"
    return Control(name, State.PASSED, f"{none} in any of {len(scored)} trials.")


def _frozen(scored: list[Outcome]) -> Control:
    name = "encoder frozen"
    hashes = [(o.facts.encoder_hash_before, o.facts.encoder_hash_after) for o in scored]
    known = [pair for pair in hashes if None not in pair]
    moved = [outcome for outcome in scored if _changed(outcome.facts)]
    if moved:
        where = ", ".join(f"{o.cell.name} seed {o.trial.seed}" for o in moved)
        trials = f"{len(moved)} of {len(scored)} trials: {where}"
        changed = "weights or batch norm statistics changed during the evaluation of"
        return Control(name, State.FAILED, f"{changed} {trials}.")
    if not scored or len(known) < len(scored):
        unknown = f"{len(scored) - len(known)} of {len(scored)} finished trials"
        return Control(name, State.MISSING, f"{unknown} recorded no hashes.")
    same = "weights and batch norm statistics had the same hash before and after evaluation"
    return Control(name, State.PASSED, f"{same} in all {len(scored)} trials.")


def _changed(facts: TrialFacts) -> bool:
    """Whether the hash of the encoder or head changed; unknown hashes count as unchanged."""
    encoder = {facts.encoder_hash_before, facts.encoder_hash_after}
    return (len(encoder) > 1 and None not in encoder) or (
        facts.head_hash_before != facts.head_hash_after
    )


def _number(value: Any) -> float:
    known = isinstance(value, int | float) and math.isfinite(value)
    return float(value) if known else math.nan
