"""What must show nothing, or must not have happened, before any verdict is given.

Each control says passed, failed or not run yet, with its numbers. One that has not passed withholds
every verdict: a number that could be an artefact is no evidence.
"""

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from reports.statistics import interval
from reports.trials import Outcome, Table

PERMUTED_MEAN = "permuted/mean"
PERMUTED_ERROR = "permuted/standard_error"
PERMUTED_CHANCE = "permuted/largest_class_share"
"""Keys in the values of a trial with permuted labels, in per cent."""

HASH_BEFORE = "encoder_hash_before"
HASH_AFTER = "encoder_hash_after"
SHARED_IMAGES = "shared_images"
MEASURED_ON = "measured_on"
OVERLAP = "train_test_overlap"
"""Keys in the facts of every trial that was read out."""

MOST_ERRORS = 4.0
"""Standard errors by which permuted labels may stand above the largest class's share."""

NAMED = 8
"""Arms that a sentence names; the tables name all."""


class State(StrEnum):
    """How a control ended."""

    PASSED = "passed"
    FAILED = "failed"
    MISSING = "not run yet"


class Control(NamedTuple):
    """One control with its numbers."""

    name: str
    state: State
    detail: str
    """The numbers behind the state, as a sentence."""


def controls(found: Sequence[Outcome], numbers: Table, unit: str) -> tuple[Control, ...]:
    """All controls, in the order in which they are shown."""
    read_out = [outcome for outcome in found if outcome.state == "finished"]
    scored = [outcome for outcome in read_out if outcome.cell.role != "control"]
    return (
        _permuted([o for o in found if o.cell.role == "control"], unit),
        _disjoint(scored),
        _frozen(scored),
        _learned(found, numbers, unit),
    )


def withheld(found: Sequence[Control]) -> str:
    """Why no verdict may be given; empty when one may."""
    if failed := [control for control in found if control.state is State.FAILED]:
        return "; ".join(f"{control.name} failed: {control.detail}" for control in failed)
    if missing := [control for control in found if control.state is State.MISSING]:
        names = ", ".join(control.name for control in missing)
        return f"controls not run yet: {names}"
    return ""


def _permuted(found: list[Outcome], unit: str) -> Control:
    name = "permuted labels"
    done = [outcome for outcome in found if outcome.state == "finished" and outcome.record]
    if not done:
        why = f" ({found[0].reason})" if found else ""
        return Control(name, State.MISSING, f"no trial with permuted labels has finished{why}.")
    details, passed = list[str](), True
    for outcome in done:
        assert outcome.record is not None
        values = outcome.record.values
        mean, error, chance = (
            _number(values.get(key)) for key in (PERMUTED_MEAN, PERMUTED_ERROR, PERMUTED_CHANCE)
        )
        bound = chance + MOST_ERRORS * error
        # Written so that NaN fails: a control that cannot be read has not passed.
        passed = passed and mean <= bound
        details.append(
            f"{outcome.cell.name}, seed {outcome.trial.seed}: mean {mean:.2f} {unit}, standard "
            f"error {error:.2f}, largest class {chance:.2f} {unit}; may be at most {bound:.2f} "
            f"{unit}"
        )
    return Control(name, State.PASSED if passed else State.FAILED, "; ".join(details) + ".")


def _disjoint(scored: list[Outcome]) -> Control:
    # Trials that choose settings are measured on the validation part, whose images say so.
    parts = {str(_fact(outcome, MEASURED_ON) or "test") for outcome in scored} or {"test"}
    part = " and ".join(sorted(parts))
    name = f"{part} images apart"
    counts = [_number(_fact(outcome, SHARED_IMAGES)) for outcome in scored]
    if not scored or any(math.isnan(count) for count in counts):
        unknown = sum(math.isnan(count) for count in counts)
        return Control(
            name, State.MISSING, f"{unknown} of {len(scored)} finished trials left no count."
        )
    shared = max(counts)
    if shared > 0:
        images = f"1 {part} image was" if shared == 1 else f"{shared:.0f} {part} images were"
        return Control(
            name,
            State.FAILED,
            f"{images}, by content, also fitted or chosen on, in the worst of {len(scored)} "
            "trials.",
        )
    return Control(
        name,
        State.PASSED,
        f"no {part} image, by content, was also fitted or chosen on, in {len(scored)} trials.",
    )


def _frozen(scored: list[Outcome]) -> Control:
    name = "encoder frozen"
    pairs = [(o, _fact(o, HASH_BEFORE), _fact(o, HASH_AFTER)) for o in scored]
    known = [pair for pair in pairs if pair[1] is not None and pair[2] is not None]
    if moved := [outcome for outcome, before, after in known if before != after]:
        where = ", ".join(f"{o.cell.name} seed {o.trial.seed}" for o in moved)
        return Control(
            name,
            State.FAILED,
            f"weights or BN statistics changed while {len(moved)} of {len(scored)} trials were "
            f"read out: {where}.",
        )
    if not scored or len(known) < len(scored):
        return Control(
            name,
            State.MISSING,
            f"{len(scored) - len(known)} of {len(scored)} finished trials left no hashes.",
        )
    return Control(
        name,
        State.PASSED,
        f"weights and BN statistics had the same hash before and after in all {len(scored)} "
        "trials.",
    )


def _learned(found: Sequence[Outcome], numbers: Table, unit: str) -> Control:
    """Whether any arm stands above its random encoder, in the mean over their common seeds."""
    name = "something learned"
    gains: dict[str, float] = {}
    for cell in {outcome.cell.name: outcome.cell for outcome in found}.values():
        floor = numbers.get(cell.floor or "", {})
        arm = numbers.get(cell.name, {})
        if cell.role == "arm" and (seeds := sorted(arm.keys() & floor.keys())):
            gains[cell.name] = interval([arm[seed] - floor[seed] for seed in seeds]).mean
    if not gains:
        return Control(name, State.MISSING, "no arm and its random encoder have a common seed.")
    best = max(gains, key=gains.__getitem__)
    points = "points" if unit == "%" else unit
    if gains[best] <= 0:
        return Control(
            name,
            State.FAILED,
            f"nothing was learned: the best of {len(gains)} arms, {best}, stands "
            f"{-gains[best]:.1f} {points} below its random encoder.",
        )
    text = f"{best} stands {gains[best]:.1f} {points} above its random encoder"
    below = [cell for cell, gain in gains.items() if gain < 0]
    named = ", ".join(below[:NAMED]) + (f" and {len(below) - NAMED} more" * (len(below) > NAMED))
    tail = f"; below it, which is a result: {named}" if below else ""
    return Control(name, State.PASSED, f"{text}, the best of {len(gains)} arms{tail}.")


def _fact(outcome: Outcome, key: str) -> Any:
    return outcome.record.facts.get(key) if outcome.record else None


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan
