"""What must show nothing withholds the verdicts when it shows something, with its numbers."""

import math
from collections.abc import Mapping
from typing import Any

import pytest
from made_evidence import CONTROL, FACTS, FLOOR, PERMUTED, SHUFFLED, beats, evidence, record
from scipy import stats

from reports.judging.negative_controls import State
from reports.judging.verdict import Decision, verdicts
from reports.judging.verdict_board import board
from reports.spec import Evidence
from sweeps.record import Stage

UP = [9.0, 9.5, 8.5, 9.2, 8.8]
FLAT = [0.1, -0.2, 0.3, -0.1, 0.2]


def made(**changes: Any) -> Evidence:
    """A claim that is reproduced when all controls pass."""
    return evidence({"a": UP, "b": FLAT}, claims=(beats("a", "b"),), **changes)


def states(made: Evidence) -> dict[str, State]:
    """Control -> state."""
    return {control.name: control.state for control in board(made).controls}


def with_facts(cell: str, seed: int, facts: Mapping[str, Any]) -> Evidence:
    """The evidence with other facts in one record."""
    whole = made()
    records = tuple(
        r.model_copy(update={"facts": {**r.facts, **facts}})
        if (r.cell, r.seed) == (cell, seed)
        else r
        for r in whole.records
    )
    return whole.model_copy(update={"records": records})


def assert_withheld(made: Evidence, control: str, *words: str) -> None:
    """The control failed, and the verdict is withheld with the numbers."""
    assert states(made)[control] is State.FAILED
    (verdict,) = verdicts(made)
    assert (verdict.decision, verdict.words) == (Decision.WITHHELD, "withheld")
    assert all(word in verdict.note for word in (f"{control} failed: ", *words)), verdict.note


def test_all_controls_passed_and_a_verdict_is_given() -> None:
    assert set(states(made()).values()) == {State.PASSED}
    assert verdicts(made())[0].decision is Decision.REPRODUCED


def test_a_collapsed_trial_ends_no_control() -> None:
    marked = with_facts("a", 0, {"collapsed": True, "collapse": {"step": 3}})

    assert states(marked) == states(made())


@pytest.mark.parametrize(
    ("mean", "passes"), [(10.0, True), (11.2, True), (11.21, False), (9.0, True), (40.0, False)]
)
def test_permuted_labels_may_stand_four_standard_errors_above_the_largest_class(
    mean: float,
    passes: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    # 10 % + 4 x 0.3 = 11.2 %.
    found = made(control=PERMUTED | {"permuted/mean": mean})

    assert states(found)["permuted labels"] is (State.PASSED if passes else State.FAILED)
    if not passes:
        assert_withheld(found, "permuted labels", f"mean {mean:.2f} %", "at most 11.20 %")


@pytest.mark.parametrize("key", PERMUTED)
def test_permuted_labels_without_a_number_have_not_passed(key: str) -> None:
    assert_withheld(made(control=PERMUTED | {key: None}), "permuted labels", "nan")


@pytest.mark.parametrize(
    ("key", "value"), [("permuted/mean", -math.inf), ("permuted/standard_error", math.inf)]
)
def test_permuted_labels_of_an_infinite_number_have_not_passed(key: str, value: float) -> None:
    assert states(made(control=PERMUTED | {key: value}))["permuted labels"] is State.FAILED


def test_a_control_that_failed_before_it_was_repeated_is_told_next_to_the_verdict() -> None:
    leaking = PERMUTED | {"permuted/mean": 50.0}
    passed = record(CONTROL, 0, None, role="control", values=dict(PERMUTED), attempt=2)

    (verdict,) = verdicts(made(control=leaking, extra=(passed,)))

    assert verdict.decision is Decision.REPRODUCED
    assert verdict.note == "with the first attempts of repeated trials: withheld"
    (verdict,) = verdicts(made(extra=(passed,)))
    assert verdict.note == ""


def test_permuted_labels_not_run_yet_withhold_the_verdicts() -> None:
    found = made(control=None)

    assert states(found)["permuted labels"] is State.MISSING
    assert verdicts(found)[0].decision is Decision.WITHHELD
    assert verdicts(found)[0].note == "controls not run yet: permuted labels"


def test_a_test_image_that_was_fitted_on_withholds_the_verdicts() -> None:
    assert_withheld(
        with_facts("b", 3, {"shared_images": 2}), "test images held out", "2 test images"
    )


def test_what_was_measured_on_the_validation_part_speaks_of_its_images() -> None:
    whole = made()
    facts = {"measured_on": "validation", "shared_images": 1}
    records = tuple(r.model_copy(update={"facts": {**r.facts, **facts}}) for r in whole.records)

    found = whole.model_copy(update={"records": records})

    assert_withheld(found, "validation images held out", "1 validation image was")


def test_a_trial_that_did_not_count_shared_images_withholds_them_too() -> None:
    found = with_facts("b", 3, {"shared_images": None})

    assert states(found)["test images held out"] is State.MISSING
    assert verdicts(found)[0].decision is Decision.WITHHELD


def test_an_encoder_that_changed_under_the_probe_withholds_the_verdicts() -> None:
    found = with_facts("a", 1, {"encoder_hash_after": "b2"})

    assert_withheld(found, "encoder frozen", "1 of 16 trials", "a seed 1")


def test_a_trial_without_hashes_withholds_them_too() -> None:
    found = with_facts("a", 1, {"encoder_hash_before": None, "encoder_hash_after": None})

    assert states(found)["encoder frozen"] is State.MISSING
    assert verdicts(found)[0].decision is Decision.WITHHELD


def test_no_arm_above_its_random_encoder_means_nothing_was_learned() -> None:
    found = made(floor=[20.0, 20.1, 20.2, 20.3, 20.4])

    assert_withheld(found, "something learned", "no arm is significantly", "11.2 points below")


def test_an_arm_below_its_random_encoder_is_a_result() -> None:
    found = made(floor=[5.0, 5.1, 5.2, 5.3, 5.4])

    assert states(found)["something learned"] is State.PASSED
    (control,) = [c for c in board(found).controls if c.name == "something learned"]
    assert control.detail.startswith("a is 3.8 points above its random encoder (p")


def test_without_a_random_encoder_verdicts_wait_for_it() -> None:
    found = made(floor=[])

    assert states(found)["something learned"] is State.MISSING
    assert verdicts(found)[0].decision is Decision.WITHHELD


def test_an_open_claim_keeps_waiting_when_a_control_failed() -> None:
    found = evidence(
        {"a": UP[:3], "b": FLAT[:3]},
        claims=(beats("a", "b"),),
        control=PERMUTED | {"permuted/mean": 40.0},
    )

    assert verdicts(found)[0].words == "3 seeds, next look at 5"


def test_every_control_of_several_must_pass() -> None:
    found = made()
    second = record(
        CONTROL, 1, None, role="control", values=PERMUTED | {"permuted/mean": 30.0}, facts=FACTS
    )
    (first,) = [trial for trial in found.planned if trial.cell == CONTROL]
    planned = first.model_copy(update={"seed": 1, "key": second.key})
    both = found.model_copy(
        update={"planned": (*found.planned, planned), "records": (*found.records, second)}
    )

    assert_withheld(both, "permuted labels", "mean 10.20 %", "mean 30.00 %")
    assert FLOOR in {cell.name for cell in both.cells}


def test_a_control_that_passed_later_makes_up_for_none_that_failed() -> None:
    found = made(control=PERMUTED | {"permuted/mean": 30.0})
    second = record(
        CONTROL, 1, None, role="control", values=PERMUTED | {"permuted/mean": 10.2}, facts=FACTS
    )
    (first,) = [trial for trial in found.planned if trial.cell == CONTROL]
    planned = first.model_copy(update={"seed": 1, "key": second.key})
    both = found.model_copy(
        update={"planned": (*found.planned, planned), "records": (*found.records, second)}
    )

    assert_withheld(both, "permuted labels", "mean 30.00 %", "mean 10.20 %")


# ----------------------------------------------------------------------------- shuffled positives

FLOORS = [-30.0, -31.0, -29.5, -30.5, -30.2]


def detail(made: Evidence, name: str) -> str:
    (control,) = [c for c in board(made).controls if c.name == name]
    return control.detail


def test_without_a_trial_of_shuffled_positives_in_the_plan_there_is_no_such_control() -> None:
    assert SHUFFLED not in states(made())


@pytest.mark.parametrize(
    ("above", "state"),
    [(-40.0, "passed"), (4.9, "passed"), (7.5, "passed"), (9.0, "failed"), (39.0, "failed")],
)
def test_shuffled_positives_may_stand_five_points_above_the_random_encoder_and_what_chance_adds(
    above: float, state: str
) -> None:
    shuffled = {seed: FLOORS[seed] + above for seed in (0, 1)}
    found = made(floor=FLOORS, shuffled=shuffled)

    # By hand: two arms with 5 seeds and 2 equal differences of the control make 9 degrees, of which
    # 4 count; scipy has the quantile.
    arms = [[a - f for a, f in zip(arm, FLOORS, strict=True)] for arm in (UP, FLAT)]
    squares = sum((x - sum(arm) / 5) ** 2 for arm in arms for x in arm)
    bound = 5 + stats.t.ppf(0.999, 4) * (squares / 9) ** 0.5 / 2**0.5
    assert 7.5 < bound < 9.0
    assert states(found)[SHUFFLED].value == state
    if above > 5:
        assert f"allowed at most {bound:+.1f}" in detail(found, SHUFFLED)
    if state == "failed":
        assert_withheld(found, SHUFFLED, f"mean {above:+.1f} points against the random encoder")


def test_shuffled_positives_that_learnt_as_much_as_true_ones_withhold_the_verdicts() -> None:
    # As if the pairs had not been shuffled at all: the control's numbers are the arm's own.
    assert_withheld(made(floor=FLOORS, shuffled={0: UP[0], 1: UP[1]}), SHUFFLED, "seeds 0, 1")


def test_one_seed_of_shuffled_positives_is_judged_by_the_spread_of_the_arms() -> None:
    assert states(made(floor=FLOORS, shuffled={0: 9.0}))[SHUFFLED] is State.FAILED


def test_a_study_of_one_seed_leaves_shuffled_positives_open_and_says_why() -> None:
    found = evidence(
        {"a": [9.0], "b": [0.0]},
        claims=(beats("a", "b"),),
        floor=[-30.0],
        shuffled={0: -20.0},
    )

    assert states(found)[SHUFFLED] is State.MISSING
    assert "a single seed has no spread to judge by" in detail(found, SHUFFLED)
    within = found.model_copy(
        update={
            "records": tuple(
                r.model_copy(update={"values": {"top1": -26.0}}) if r.cell == SHUFFLED else r
                for r in found.records
            )
        }
    )
    assert states(within)[SHUFFLED] is State.PASSED


def test_shuffled_positives_that_failed_on_one_arm_are_not_forgotten_for_another() -> None:
    whole = made(floor=FLOORS, shuffled={0: UP[0], 1: UP[1]})
    again, planned = list(whole.records), list(whole.planned)
    for old in [r for r in whole.records if r.cell == SHUFFLED]:
        key = f"other-{old.key}"
        low = {"top1": FLOORS[old.seed] - 5.0}
        changes = {"key": key, "values": low, "levels": {"arm": "another"}}
        again.append(old.model_copy(update=changes))
        [mine] = [p for p in whole.planned if p.key == old.key]
        planned.append(mine.model_copy(update={"key": key}))
    both = whole.model_copy(update={"records": tuple(again), "planned": tuple(planned)})

    assert states(both)[SHUFFLED] is State.FAILED
    assert "another, each image paired" in detail(both, SHUFFLED)


def test_with_two_seeds_a_control_that_learnt_is_open_and_has_not_passed() -> None:
    # Student's quantile at 0.1 % and one degree is 318: a bound that nothing could exceed.
    found = evidence(
        {"a": [4.0, 1.0], "b": [0.0, 0.5]},
        claims=(beats("a", "b"),),
        floor=[-30.0, -31.0],
        shuffled={0: 4.0, 1: 1.0},
    )

    assert states(found)[SHUFFLED] is State.MISSING
    assert "too few seeds to decide" in detail(found, SHUFFLED)


def test_shuffled_positives_are_open_while_one_of_them_has_no_number() -> None:
    whole = made(floor=FLOORS, shuffled={0: -30.0, 1: -31.0})
    [key] = [r.key for r in whole.records if r.cell == SHUFFLED and r.seed == 1]
    part = whole.model_copy(update={"records": tuple(r for r in whole.records if r.key != key)})

    assert states(whole)[SHUFFLED] is State.PASSED
    assert states(part)[SHUFFLED] is State.MISSING
    assert "seed 1 has no result yet" in detail(part, SHUFFLED)


def test_shuffled_positives_without_a_number_or_a_partner_have_not_passed() -> None:
    assert states(made(floor=FLOORS, shuffled={0: None, 1: -30.0}))[SHUFFLED] is State.FAILED
    alone = made(floor=FLOORS, shuffled={7: -30.0})
    assert states(alone)[SHUFFLED] is State.MISSING
    assert verdicts(alone)[0].decision is Decision.WITHHELD


def test_a_control_of_shuffled_positives_that_did_not_run_withholds_the_verdicts() -> None:
    whole = made(floor=FLOORS, shuffled={0: -30.0})
    lost = whole.model_copy(
        update={"records": tuple(r for r in whole.records if r.cell != SHUFFLED)}
    )

    assert states(lost)[SHUFFLED] is State.MISSING
    assert verdicts(lost)[0].note == "controls not run yet: shuffled positives"


def test_raw_pixels_that_beat_every_arm_withhold_the_verdicts() -> None:
    assert verdicts(made(pixels=1.0))[0].decision is Decision.REPRODUCED
    assert_withheld(made(pixels=14.0), "something learned", "5.0 points below raw pixels")


def test_a_head_that_changed_under_the_probe_withholds_them_as_well() -> None:
    hashes = {"head_hash_before": "c1", "head_hash_after": "c1"}
    found = with_facts("a", 1, hashes)
    changed = with_facts("a", 1, {**hashes, "head_hash_after": "c2"})

    assert states(found)["encoder frozen"] is State.PASSED
    assert_withheld(changed, "encoder frozen", "1 of 16 trials", "a seed 1")


def test_an_encoder_that_forgets_a_transformation_has_not_failed_to_learn() -> None:
    noise = {"a": {"predicts": "noise"}, "b": {"predicts": "noise"}}
    forgetting = made(floor=[20.0, 20.1, 20.2, 20.3, 20.4], cells=noise)

    assert "something learned" not in states(forgetting)
    assert verdicts(forgetting)[0].decision is Decision.REPRODUCED


def test_an_arm_that_tells_a_transformation_does_not_stand_for_one_that_learns_classes() -> None:
    # b predicts classes and stands below its random encoder; a, above it, predicts noise.
    found = made(floor=[5.0, 5.1, 5.2, 5.3, 5.4], cells={"a": {"predicts": "noise"}})

    assert_withheld(found, "something learned", "the closest of 1 arm: b is 5.1 points below")


def test_an_arm_exactly_at_its_random_encoder_is_told_so() -> None:
    found = made(floor=UP, cells={"b": {"predicts": "noise"}})

    assert_withheld(found, "something learned", "a is 0.0 points above its random encoder")


def sharing_an_encoder(*hashes: str) -> Evidence:
    """A claim whose first trials share one encoder's key, measured on weights with these hashes."""
    made_ = made()
    stages = (Stage(name="encoder", key="0" * 16), Stage(name="evaluation", key="1" * 16))
    changed = [
        one.model_copy(
            update={
                "stages": stages,
                "facts": {**one.facts, "encoder_hash_before": h, "encoder_hash_after": h},
            }
        )
        for one, h in zip(made_.records, hashes, strict=False)
    ]
    return made_.model_copy(update={"records": (*changed, *made_.records[len(changed) :])})


@pytest.mark.parametrize("hashes", [("a1", "a1"), ("a1", "b2"), ("a1", "a1", "a1", "b2")])
def test_one_encoder_with_two_hashes_withholds_the_verdicts(hashes: tuple[str, ...]) -> None:
    shared = sharing_an_encoder(*hashes)
    [control] = [one for one in board(shared).controls if one.name == "one encoder, one hash"]

    same = len(set(hashes)) == 1
    assert control.state is (State.PASSED if same else State.FAILED)
    assert ("1 of 1 encoders have records with different weights" in control.detail) != same
    [found] = verdicts(shared)
    assert (found.decision is Decision.WITHHELD) != same
