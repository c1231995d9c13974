"""Whether anything was learned is a test: against the random encoder and against raw pixels."""

from typing import Any

import numpy as np
import pytest
from made_evidence import beats, evidence, record
from scipy import stats

from reports.judging.learned_something import learned
from reports.judging.negative_controls import State
from reports.judging.verdict import Decision, verdicts
from reports.judging.verdict_board import board
from reports.spec import CellInfo, Evidence

NAME = "something learned"
NEAR = [30.1, 29.8, 30.3, 29.9, 30.0]
"""An arm or a random encoder at about 30 %."""


def made(arms: dict[str, Any], **changes: Any) -> Evidence:
    """Arms next to a random encoder at about 20 % and raw pixels at 25 %."""
    first, *others = arms
    told = {"floor": [20.2, 19.9, 20.1, 20.0, 19.7], "pixels": 25.0, **changes}
    return evidence(arms, claims=(beats(first, others[0] if others else first),), **told)


def found(evidence: Evidence) -> tuple[State, str]:
    (control,) = [c for c in board(evidence).controls if c.name == NAME]
    return control.state, control.detail


def test_an_arm_significantly_above_both_passes_and_one_sentence_says_by_how_much() -> None:
    floor = [20.2, 19.9, 20.1, 20.0, 19.7]
    state, detail = found(made({"a": NEAR, "b": [10.0, 11.0, 9.0, 10.5, 9.5]}))

    encoder = stats.ttest_rel(NEAR, floor, alternative="greater").pvalue
    pixels = stats.ttest_1samp(NEAR, 25.0, alternative="greater").pvalue
    assert state is State.PASSED
    assert encoder < 0.0001 > pixels
    assert detail == (
        "a is 10.0 points above its random encoder (p below 0.0001, n = 5) and 5.0 points above raw "
        "pixels (p below 0.0001, n = 5), significant in a one-sided test among 2 arms."
    )


def test_raw_pixels_that_beat_every_arm_fail_it_however_weak_the_random_encoder() -> None:
    state, detail = found(made({"a": NEAR}, pixels=35.0))

    assert state is State.FAILED
    assert "5.0 points below raw pixels" in detail
    assert "10.0 points above its random encoder" in detail
    assert detail.startswith("no arm is significantly above both")


def test_a_random_encoder_that_is_as_good_fails_it_however_weak_raw_pixels() -> None:
    floor = [29.7, 30.1, 30.2, 30.1, 29.5]
    state, detail = found(made({"a": NEAR}, floor=floor))

    p = stats.ttest_rel(NEAR, floor, alternative="greater").pvalue
    assert state is State.FAILED
    assert f"0.1 points above its random encoder (p = {p:.4f}, n = 5)" in detail


def test_one_arm_must_be_above_both_and_not_one_arm_above_each() -> None:
    # a beats raw pixels only, b its random encoder only.
    cells = {"a": {"floor": "strong"}}
    strong = {"strong": [40.0, 40.2, 39.9, 40.1, 40.3]}
    whole = made({"a": NEAR, "b": [22.0, 22.2, 22.1, 21.9, 22.0], **strong}, cells=cells)
    roles = tuple(
        cell.model_copy(update={"role": "floor", "floor": None}) if cell.name == "strong" else cell
        for cell in whole.cells
    )

    state, _ = found(whole.model_copy(update={"cells": roles}))

    assert state is State.FAILED


def test_a_small_gain_that_chance_explains_does_not_pass() -> None:
    # The mean of four arms' best is above both, as one of four means often is.
    noise = {"a": [25.9, 24.6, 27.2, 23.8, 26.5], "b": [24.0, 25.1, 23.2, 24.8, 25.9]}

    state, _ = found(made(noise, floor=[25.0, 25.3, 24.6, 25.1, 24.9]))

    assert state is State.FAILED
    assert verdicts(made(noise, floor=[25.0, 25.3, 24.6, 25.1, 24.9]))[0].decision is (
        Decision.WITHHELD
    )


@pytest.mark.parametrize("n", [1, 2, 4])
def test_below_the_first_look_it_is_not_decided_yet_and_withholds(n: int) -> None:
    arms = {"a": [30.0, 30.1, 30.2, 30.3][:n], "b": [20.0, 20.3, 20.1, 20.2][:n]}
    whole = made(arms, floor=[20.0, 20.1, 20.3, 20.2][:n])

    state, detail = found(whole)

    assert state is State.OPEN
    assert state.value == "not decided yet"
    assert "seeds 0 to 4" in detail
    assert f"n = {n}" in detail
    two = made({c: [*v, 30.0, 30.2, 30.5, 30.1][:5] for c, v in arms.items()}, floor=[20.0, 20.1])
    (verdict,) = verdicts(two)
    assert (verdict.decision, verdict.note) == (
        Decision.WITHHELD,
        "controls not decided yet: something learned",
    )


def test_without_raw_pixels_it_cannot_pass_and_says_so() -> None:
    state, detail = found(made({"a": NEAR}, pixels=None))

    assert state is State.MISSING
    assert "raw pixels have no result" in detail
    assert "10.0 points above its random encoder" in detail
    assert verdicts(made({"a": NEAR, "b": NEAR}, pixels=None))[0].decision is Decision.WITHHELD


def test_raw_pixels_with_a_trial_a_seed_are_paired_by_seed() -> None:
    # Seeds move both by far more than the arm gains.
    moved = [30.0, 45.0, 20.0, 38.0, 27.0]
    arm = [m + d for m, d in zip(moved, (2.0, 2.1, 1.9, 2.2, 1.8), strict=True)]

    state, detail = found(made({"a": arm}, pixels=dict(enumerate(moved)), floor=[0.1] * 5))

    assert state is State.PASSED
    assert "2.0 points above raw pixels (p below 0.0001, n = 5)" in detail


def test_of_several_raw_pixels_the_best_must_be_beaten() -> None:
    whole = made({"a": NEAR})
    second = CellInfo(name="raw pixels (other)", role="reference")
    better = record(second.name, 0, 35.0, role="reference")
    (first,) = [trial for trial in whole.planned if trial.cell == "raw pixels"]
    both = whole.model_copy(
        update={
            "cells": (*whole.cells, second),
            "planned": (
                *whole.planned,
                first.model_copy(update={"cell": second.name, "key": better.key}),
            ),
            "records": (*whole.records, better),
        }
    )

    assert found(both)[0] is State.FAILED
    assert "5.0 points below raw pixels" in found(both)[1]


def test_seeds_beyond_a_look_move_nothing() -> None:
    more = made(
        {"a": [*NEAR, 0.0, 0.0], "b": [*NEAR, 0.0, 0.0]}, floor=[20.2, 19.9, 20.1, 20, 19.7]
    )

    assert found(more)[0] is State.PASSED


def test_arms_that_were_not_run_stay_in_its_family() -> None:
    # p is about 0.004 here: enough alone, too much among 49 arms.
    arm = [31.0, 27.0, 33.0, 28.5, 30.5]
    alone = made({"a": arm})
    among = alone.model_copy(update={"scale_arms": (*(f"arm {i}" for i in range(48)), "a")})

    assert found(alone)[0] is State.PASSED
    assert found(among)[0] is State.OPEN
    assert "48 of 49 arms have no number yet at seeds 0 to 4" in found(among)[1]


@pytest.mark.parametrize("seeds", [0, 1, 4])
def test_that_no_arm_learned_is_said_only_when_every_arm_was_tested(seeds: int) -> None:
    # The second arm may still learn something: so far nothing is known of it.
    part = made({"a": [20.0, 20.3, 19.8, 20.1, 19.9], "b": NEAR[:seeds]})
    all_seeds = made({"a": [20.0, 20.3, 19.8, 20.1, 19.9], "b": [20.1, 19.7, 20.2, 20.0, 20.3]})

    state, detail = found(part)

    assert state is State.OPEN
    assert detail.startswith(
        "1 of 2 arms has no number yet at seeds 0 to 4; so far a is 0.0 points"
    )
    assert verdicts(part)[0].decision is not Decision.SHOWN
    assert found(all_seeds)[0] is State.FAILED


def test_arms_tested_at_the_first_look_need_not_reach_the_second() -> None:
    low = [20.0, 20.3, 19.8, 20.1, 19.9]
    longer = made(
        {"a": [*low, *low], "b": [20.1, 19.7, 20.2, 20.0, 20.3]},
        floor=[20.2, 19.9, 20.1, 20.0, 19.7] * 2,
    )

    assert found(longer)[0] is State.FAILED


def test_all_seeds_alike_tell_nothing_above_and_fail_at_or_below() -> None:
    above = made({"a": [30.0] * 5}, floor=[20.0] * 5)
    at = made({"a": NEAR}, floor=NEAR)

    assert found(above)[0] is State.OPEN
    assert "no spread to judge by" in found(above)[1]
    assert found(at)[0] is State.FAILED
    assert "0.0 points above its random encoder (n = 5)" in found(at)[1]


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("arms", [1, 8])
def test_arms_that_learn_nothing_pass_in_at_most_five_of_a_hundred_studies(arms: int) -> None:
    """Best of k: all arms are as good as the better of random encoder and raw pixels.

    Both looks are spent. The bound is the 1e-6 quantile of 1,500 repetitions at 5 %. Noise of arms,
    shared by all of them through their random encoder, and the seeds' own is drawn anew each time.
    """
    rng = np.random.default_rng(12)
    repetitions, passed = 1500, 0
    names = [f"arm {i}" for i in range(arms)]
    whole = made({name: [0.0] * 10 for name in names})
    for _ in range(repetitions):
        seeds = 3 * rng.normal(size=10)
        # Raw pixels far below, so that the random encoder alone decides: the least protected case.
        floor = seeds + rng.normal(size=10)
        table = seeds + rng.normal(size=(arms, 10))
        numbers = {
            name: dict(enumerate(row)) for name, row in zip(names, table.tolist(), strict=True)
        }
        numbers |= {"random encoder": dict(enumerate(floor.tolist())), "raw pixels": {0: -50.0}}
        passed += [one.state for one in learned(whole, numbers)] == ["passed"]

    assert passed <= stats.binom.ppf(1 - 1e-6, repetitions, 0.05)
    if arms == 1:
        assert passed >= stats.binom.ppf(1e-6, repetitions, 0.03)  # it does spend its rate
