"""Learning rates over the steps, against the closed form."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simclr_core.optim.schedules import Constant, WarmupCosine


def test_the_rate_rises_from_zero_and_falls_along_half_a_cosine() -> None:
    schedule = WarmupCosine(warmup_epochs=2)

    shares = [schedule.share(step, 40, 5) for step in range(40)]

    assert shares[0] == 0.0
    assert shares[1:11] == pytest.approx([i / 10 for i in range(1, 11)])
    assert shares[25] == pytest.approx(0.5)  # halfway from step 10 to step 40
    for step in range(10, 40):
        assert shares[step] == pytest.approx(math.cos(math.pi * (step - 10) / 60) ** 2)
    assert schedule.share(40, 40, 5) == pytest.approx(0.0)


def test_without_warm_up_the_first_step_has_the_peak() -> None:
    assert WarmupCosine(warmup_epochs=0).share(0, 10, 5) == 1.0


def test_a_fraction_of_an_epoch_warms_up_for_whole_steps() -> None:
    schedule = WarmupCosine(warmup_epochs=0.5)

    assert [schedule.share(step, 20, 5) for step in range(3)] == [0.0, 0.5, 1.0]


@given(st.integers(0, 5), st.integers(1, 12), st.integers(5, 20))
def test_the_share_stays_between_zero_and_one_and_peaks_where_warm_up_ends(
    warmup: int, per_epoch: int, epochs: int
) -> None:
    num_steps = per_epoch * epochs
    schedule = WarmupCosine(warmup_epochs=warmup)

    shares = [schedule.share(step, num_steps, per_epoch) for step in range(num_steps)]

    assert all(0 <= share <= 1 for share in shares)
    peak = warmup * per_epoch
    if peak < num_steps:
        assert shares[peak] == 1.0
        assert shares[peak:] == sorted(shares[peak:], reverse=True)
    assert shares[:peak] == sorted(shares[:peak])


def test_a_constant_rate_is_its_peak_everywhere() -> None:
    assert {Constant().share(step, 10, 5) for step in range(10)} == {1.0}
