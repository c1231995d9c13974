"""Rank agreement against scipy, a scalar restatement and brute force over whole levels."""

import math
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from scipy import stats

from reports.judging.ranks import Place, incomplete, num_orders, rank_agreement, smallest_p

SEEDED = st.integers(0, 2**32 - 1).map(np.random.default_rng)
PUBLISHED = Path(__file__).parents[3] / "ablations" / "published"


def pairs(items: str) -> tuple[Place, ...]:
    """The places of all ordered pairs of some letters, as an axis of ordered pairs spans them."""
    return tuple(((a, b),) for a in items for b in items)


def grid(rows: str, columns: str) -> tuple[Place, ...]:
    """The places of a table of two axes."""
    return tuple(((a,), (b,)) for a in rows for b in columns)


def tau_by_scalars(ours: list[float], theirs: list[float], tie: float) -> float:
    """The formula of the docstring, pair by pair."""
    total, untied_ours, untied_theirs = 0, 0, 0
    for i in range(len(ours)):
        for j in range(i):
            a = (ours[i] > ours[j]) - (ours[i] < ours[j])
            gap = theirs[i] - theirs[j]
            b = 0 if abs(gap) < tie or gap == 0 else (1 if gap > 0 else -1)
            total += a * b
            untied_ours += a != 0
            untied_theirs += b != 0
    return total / math.sqrt(untied_ours * untied_theirs)


@given(SEEDED, st.integers(2, 9), st.integers(2, 20))
def test_tau_is_scipys_tau_b_ties_and_all(rng: np.random.Generator, n: int, kinds: int) -> None:
    ours, theirs = rng.integers(0, kinds, n).astype(float), rng.integers(0, kinds, n).astype(float)

    found = rank_agreement(ours.tolist(), theirs.tolist(), folds=10)

    expected = stats.kendalltau(ours, theirs).statistic
    assert found.tau == pytest.approx(expected, nan_ok=True)
    assert math.isnan(found.p) == math.isnan(expected)


@given(SEEDED, st.integers(3, 9), st.sampled_from([0.2, 0.5, 1.0]))
def test_gaps_below_the_tie_are_no_order_pair_by_pair(
    rng: np.random.Generator, n: int, tie: float
) -> None:
    ours = rng.normal(size=n).tolist()
    theirs = [*rng.integers(0, 30, n) / 10, 9.0]  # gaps of the tie itself occur: they are an order

    found = rank_agreement([*ours, 5.0], theirs, tie=tie, folds=10)

    rounded = [round(10 * value) for value in theirs]
    assert found.tau == pytest.approx(tau_by_scalars([*ours, 5.0], rounded, round(10 * tie)))


def test_a_tie_coarser_than_each_gap_is_scipys_tau_of_the_rounded_table() -> None:
    # Two groups, 0.1 wide and 5 apart: here a tie by a threshold is transitive.
    ours = [1.0, 3.0, 2.0, 6.0, 5.0, 4.0]
    theirs = [10.0, 10.1, 10.05, 15.0, 15.1, 15.05]

    found = rank_agreement(ours, theirs, tie=0.5)

    assert found.tau == pytest.approx(stats.kendalltau(ours, np.round(theirs, -1)).statistic)


@pytest.mark.parametrize("seed", range(6))
def test_the_permutation_p_of_few_cells_counts_all_orders(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ours, theirs = rng.integers(0, 5, 5).astype(float), rng.integers(0, 4, 5).astype(float)

    found = rank_agreement(ours.tolist(), theirs.tolist())

    taus = [abs(stats.kendalltau(ours, order).statistic) for order in permutations(theirs)]
    observed = abs(stats.kendalltau(ours, theirs).statistic)
    assert found.exact
    assert found.p == sum(tau >= observed - 1e-9 for tau in taus) / math.factorial(5)


@pytest.mark.parametrize("n", [5, 7, 8])
def test_the_permutation_p_without_ties_is_scipys_exact_one(n: int) -> None:
    rng = np.random.default_rng(n)
    ours = rng.normal(size=n)
    theirs = ours + rng.normal(size=n)

    found = rank_agreement(ours.tolist(), theirs.tolist())

    assert found.p == pytest.approx(stats.kendalltau(ours, theirs, method="exact").pvalue)


@pytest.mark.statistical
def test_the_permutation_p_of_many_cells_is_near_the_exact_one() -> None:
    # 100,000 folds, p near 0.03: standard error 0.0005. Five of them: false alarms below 1e-6.
    rng = np.random.default_rng(1)
    ours = rng.normal(size=12)
    theirs = ours + 1.6 * rng.normal(size=12)

    found = rank_agreement(ours.tolist(), theirs.tolist())

    expected = stats.kendalltau(ours, theirs, method="exact").pvalue
    assert not found.exact
    assert found.p == pytest.approx(expected, abs=5 * math.sqrt(expected / 1e5))
    assert found == rank_agreement(ours.tolist(), theirs.tolist())


@pytest.mark.parametrize("seed", range(4))
def test_ordered_pairs_are_permuted_by_operation_rows_and_columns_together(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ours, theirs = rng.normal(size=(2, 4, 4))
    theirs = theirs + ours

    found = rank_agreement(ours.ravel().tolist(), theirs.ravel().tolist(), pairs("abcd"))

    taus = [
        stats.kendalltau(ours.ravel(), theirs[np.ix_(order, order)].ravel()).statistic
        for order in permutations(range(4))
    ]
    assert found.tau == pytest.approx(taus[0])
    assert found.p == sum(abs(tau) >= abs(taus[0]) - 1e-9 for tau in taus) / 24


def test_a_table_of_two_axes_is_permuted_by_rows_and_by_columns() -> None:
    rng = np.random.default_rng(2)
    ours, theirs = rng.normal(size=(2, 3, 4))
    theirs = theirs + ours

    found = rank_agreement(ours.ravel().tolist(), theirs.ravel().tolist(), grid("abc", "wxyz"))

    taus = [
        stats.kendalltau(ours.ravel(), theirs[np.ix_(rows, columns)].ravel()).statistic
        for rows in permutations(range(3))
        for columns in permutations(range(4))
    ]
    assert found.p == sum(abs(tau) >= abs(taus[0]) - 1e-9 for tau in taus) / (6 * 24)


@settings(max_examples=20)
@given(SEEDED, st.permutations(range(9)))
def test_the_order_of_the_cells_changes_nothing(rng: np.random.Generator, order: list[int]) -> None:
    ours, theirs = rng.normal(size=(2, 9)).tolist()
    places = pairs("abc")

    found = rank_agreement(
        [ours[i] for i in order], [theirs[i] for i in order], [places[i] for i in order]
    )

    expected = rank_agreement(ours, theirs, places)
    assert (found.tau, found.p) == (pytest.approx(expected.tau), expected.p)


def test_three_operations_never_reach_a_p_below_a_sixth() -> None:
    rng = np.random.default_rng(0)
    tables = [tuple(rng.normal(size=9).tolist()) for _ in range(20)]

    assert num_orders(pairs("abc")) == 6
    assert min(smallest_p(table, pairs("abc"), 0.0) for table in tables) == pytest.approx(1 / 6)


def test_figure_5_against_itself_is_one_order_in_5040() -> None:
    values = YAML(typ="safe").load((PUBLISHED / "figure-5.yaml").read_text())["values"]
    places = [((*name.split("+"), name)[0:2] if "+" in name else (name, name),) for name in values]

    found = rank_agreement(list(values.values()), list(values.values()), places, tie=0.5)

    assert found.exact
    assert found.p == 1 / 5040


def test_a_table_with_holes_is_refused_with_the_cell_that_lacks() -> None:
    places = pairs("ab")[:3]

    assert incomplete(places) == "a is present, but b is not"
    with pytest.raises(ValueError, match="a is present, but b is not"):
        rank_agreement([1, 2, 3], [1, 2, 3], places)
