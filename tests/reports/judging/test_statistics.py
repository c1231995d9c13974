"""The statistics against scipy, statsmodels and brute force."""

import math
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

from reports.judging.statistics import holm, seeds_needed, t_test, unpaired
from reports.spec.claims import Increases
from sweeps.intervals import interval, no_spread

SEEDED = st.integers(0, 2**32 - 1).map(np.random.default_rng)
ACCURACIES = st.lists(st.floats(0, 100), min_size=2, max_size=30).filter(lambda v: not no_spread(v))


@given(ACCURACIES, st.sampled_from([0.8, 0.95, 0.975, 1 - 0.025 / 3]))
def test_intervals_are_student_t_of_scipy(values: list[float], level: float) -> None:
    found = interval(values, level)

    low, high = stats.t.interval(
        level, len(values) - 1, loc=np.mean(values), scale=stats.sem(values)
    )
    assert (found.mean, found.low, found.high) == pytest.approx((np.mean(values), low, high))
    assert found.deviation == pytest.approx(np.std(values, ddof=1))
    assert (found.n, found.level) == (len(values), level)


@given(ACCURACIES, st.floats(-20, 120))
def test_the_test_against_a_margin_is_scipys_one_sample_test(
    values: list[float], margin: float
) -> None:
    p = t_test(values, margin)

    assert p == pytest.approx(stats.ttest_1samp(values, margin).pvalue, rel=1e-6, abs=1e-12)


def test_paired_differences_give_scipys_paired_test() -> None:
    rng = np.random.default_rng(3)
    worse = rng.normal(40, 8, 5)
    better = worse + rng.normal(1, 1, 5)

    p = t_test((better - worse).tolist(), 0.0)

    assert p == pytest.approx(stats.ttest_rel(better, worse).pvalue)
    assert p < stats.ttest_ind(better, worse).pvalue


@pytest.mark.parametrize("values", [[], [41.3]])
def test_fewer_than_two_values_have_no_interval_and_no_p(values: list[float]) -> None:
    found = interval(values)

    assert all(map(math.isnan, (found.low, found.high, found.deviation, t_test(values, 0.0))))


@given(st.floats(-100, 100), st.integers(2, 12))
def test_equal_values_have_no_interval_and_no_p(value: float, n: int) -> None:
    found = interval([value] * n)

    assert found.mean == pytest.approx(value)
    assert all(map(math.isnan, (found.low, found.high, t_test([value] * n, 0.0))))


@given(st.lists(st.floats(0, 100), min_size=2, max_size=9))
def test_slopes_are_scipys_least_squares_slopes(values: list[float]) -> None:
    found = Increases(name="rises", along=("a",)).contrast(values)

    assert found == pytest.approx(stats.linregress(range(len(values)), values).slope, abs=1e-9)


@given(SEEDED, st.integers(1, 6), st.sampled_from([0.05, 0.025, 0.2]))
def test_holm_rejects_what_statsmodels_rejects(
    rng: np.random.Generator, count: int, rate: float
) -> None:
    p = rng.beta(0.3, 3.0, count)

    tests = holm(p.tolist(), rate)

    # The oracle collects garbage at each call: 0.6 s in a process that ran many tests.
    with mock.patch("gc.collect"):
        expected = multipletests(p, rate, method="holm")[0]
    assert [test.rejected for test in tests] == list(expected)


def test_holm_sorts_before_it_steps_down() -> None:
    p = [0.04, 0.001, 0.02]

    tests = holm(p, 0.05)

    assert [test.rejected for test in tests] == [True, True, True]
    assert [test.level for test in tests] == pytest.approx([0.05, 0.05 / 3, 0.05 / 2])


def test_holm_stops_at_the_first_that_is_not_rejected() -> None:
    # The last would pass at its own level of 0.05, and statsmodels rejects none either.
    p = [0.03, 0.045, 0.04]

    tests = holm(p, 0.05)

    assert [test.rejected for test in tests] == [False, False, False]
    assert [test.level for test in tests] == pytest.approx([0.05 / 3] * 3)
    assert not multipletests(p, 0.05, method="holm")[0].any()


@given(SEEDED, st.integers(1, 6))
def test_each_claim_is_rejected_exactly_when_its_p_is_at_most_its_level(
    rng: np.random.Generator, count: int
) -> None:
    p = rng.beta(0.3, 3.0, count).tolist()

    tests = holm(p, 0.05)

    assert all(test.rejected == (value <= test.level) for value, test in zip(p, tests, strict=True))


@given(SEEDED, st.integers(1, 6), st.data())
def test_an_unknown_p_counts_as_one(
    rng: np.random.Generator, count: int, data: st.DataObject
) -> None:
    p = rng.beta(0.3, 3.0, count).tolist()
    p[data.draw(st.integers(0, count - 1))] = math.nan

    tests = holm(p, 0.05)

    assert tests == holm([1.0 if math.isnan(value) else value for value in p], 0.05)


@pytest.mark.parametrize("effect", [0.5, 0.8, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("rate", [0.05, 0.025, 0.025 / 3])
def test_the_seeds_still_needed_decide_four_times_in_five(effect: float, rate: float) -> None:
    # The non-central t of statsmodels is exact; the report's formula may miss one seed at most.
    values = [effect + sign * math.sqrt(0.5) for sign in (1, -1)]

    needed = seeds_needed(values, 0.0, rate)

    assert needed is not None
    power = TTestPower().power
    assert power(effect, needed + 1, rate, alternative="two-sided") >= 0.8
    assert power(effect, max(2, needed - 2), rate, alternative="two-sided") < 0.8


@pytest.mark.parametrize(
    ("values", "margin"),
    [([41.0], 0.0), ([2.0, 2.0, 2.0], 0.0), ([1.0, -1.0], 0.0), ([3.0, 5.0], 4.0), ([99, -98], 0)],
)
def test_no_number_of_seeds_is_named_where_none_can_be_told(
    values: list[float], margin: float
) -> None:
    assert seeds_needed(values, margin, 0.025) is None


@given(ACCURACIES, ACCURACIES)
def test_an_unpaired_interval_is_welchs(first: list[float], second: list[float]) -> None:
    shown = unpaired(first, second, 0.9)

    theirs = stats.ttest_ind(second, first, equal_var=False).confidence_interval(0.9)
    assert (shown.low, shown.high) == pytest.approx((theirs.low, theirs.high), rel=1e-6)
    assert (shown.n, shown.level) == (len(first) + len(second), 0.9)


@pytest.mark.parametrize("first", [[1.0], [1.0, 1.0]])
def test_an_unpaired_interval_is_unknown_without_two_values_or_any_spread(
    first: list[float],
) -> None:
    shown = unpaired(first, [2.0, 2.0], 0.95)

    assert shown.mean == 1.0
    assert math.isnan(shown.low)
    assert math.isnan(shown.high)
