"""Statistics of few seeds: numbers in, numbers out.

The seed is the unit of replication. Unknown is NaN, never 0: one seed tells nothing about spread,
and neither do seeds that all gave the same number. Resampling is not used for intervals: at 5 seeds
a "95 %" bootstrap interval covers 83 % (3,000 repetitions, normal data), Student's t 95 %.
"""

import math
from collections.abc import Sequence
from itertools import permutations
from typing import NamedTuple

import numpy as np
from scipy import special

from sweeps.intervals import no_spread

POWER = 0.8
"""The chance of a decision for which `seeds_needed` plans."""

FOLDS = 100_000
"""Permutations drawn where all of them would be more."""

EXACT_UP_TO = 8
"""Cells of which all orders are gone through: 8! = 40,320."""

MOST_SEEDS = 1000
"""Beyond this `seeds_needed` says None: no study here will run so many."""


class HolmTest(NamedTuple):
    """What Holm's procedure says of one hypothesis."""

    rejected: bool
    level: float
    """The error rate at which it was tested: 1 - level is the interval's that agrees with it."""


class Allowance(NamedTuple):
    """How far a mean may stand above a margin by chance; `bound` is NaN without any spread."""

    bound: float
    deviation: float
    """Pooled sample standard deviation."""
    degrees: int
    """Of freedom, as counted."""


class RankAgreement(NamedTuple):
    """Kendall's tau-b and its two-sided permutation p-value; both NaN when one side is constant."""

    tau: float
    p: float
    exact: bool


def t_test(values: Sequence[float], margin: float) -> float:
    """The two-sided p-value of one-sample Student-t against the margin.

    Of paired differences this is the paired t-test. NaN for fewer than two values or no spread.
    """
    n = len(values)
    if n < 2 or no_spread(values):
        return math.nan
    distance = abs(math.fsum(values) / n - margin)
    error = float(np.std(values, ddof=1)) / math.sqrt(n)
    return 2 * float(special.stdtr(n - 1, -distance / error))


def allowance(
    values: Sequence[float], beside: Sequence[Sequence[float]], margin: float, error_rate: float
) -> Allowance:
    """The bound of a one-sided test that the mean of few `values` is above the margin.

    margin + t(1 - error_rate; f) s / sqrt(n), n the number of values. s^2 pools the sample variances
    of `values` and of the groups `beside`, whose spread is of the same kind: sum of squares over
    sum of (n_g - 1). Groups that share seeds are not independent, so f is the largest group's
    n_g - 1 and not that sum: with independent groups the error rate stays below the one asked for.
    """
    groups = [group for group in (values, *beside) if len(group) > 1]
    degrees = max((len(group) - 1 for group in groups), default=0)
    squares = math.fsum(float(np.var(group)) * len(group) for group in groups)
    if not degrees or all(no_spread(group) for group in groups):
        return Allowance(math.nan, math.nan, degrees)
    deviation = math.sqrt(squares / sum(len(group) - 1 for group in groups))
    reach = float(special.stdtrit(degrees, 1 - error_rate)) * deviation / math.sqrt(len(values))
    return Allowance(margin + reach, deviation, degrees)


def holm(p_values: Sequence[float], error_rate: float) -> list[HolmTest]:
    """Holm's step-down procedure (1979) at a family-wise error rate.

    The k-th smallest p (k from 0) is tested at error_rate / (m - k), until the first that is not
    rejected; all from there on share that one's level. NaN counts as 1.
    """
    p = [1.0 if math.isnan(value) else value for value in p_values]
    tests = [HolmTest(rejected=False, level=error_rate)] * len(p)
    going, level = True, error_rate
    for rank, index in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        if going:
            level = error_rate / (len(p) - rank)
            going = p[index] <= level
        tests[index] = HolmTest(rejected=going, level=level)
    return tests


def slope(values: Sequence[float]) -> float:
    """The least-squares slope over the positions 0, 1, 2, ..., in the values' unit per step."""
    x = np.arange(len(values)) - (len(values) - 1) / 2
    return float(x @ np.asarray(values) / (x @ x))


def rank_agreement(
    ours: Sequence[float], theirs: Sequence[float], *, folds: int = FOLDS, seed: int = 0
) -> RankAgreement:
    """Kendall's tau-b between two tables of cells, judged by permuting the cells of one.

    tau-b = sum of sign(dx) sign(dy) over pairs / sqrt(pairs untied in x * pairs untied in y). The
    p-value is the share of orders with |tau| at least as large: over all orders up to 8 cells, else
    over `folds` drawn ones with the observed order counted as one of them, (k + 1) / (folds + 1).
    """
    x, y = np.asarray(ours, float), np.asarray(theirs, float)
    first, second = np.triu_indices(len(x), 1)
    sign_x, sign_y = np.sign(x[first] - x[second]), np.sign(y[first] - y[second])
    untied = math.sqrt(float(np.abs(sign_x).sum() * np.abs(sign_y).sum()))
    if untied == 0:
        return RankAgreement(math.nan, math.nan, exact=True)
    observed = float(sign_x @ sign_y)
    exact = len(x) <= EXACT_UP_TO
    if exact:
        orders = np.array(list(permutations(range(len(x)))))
    else:
        rng = np.random.default_rng(seed)
        orders = rng.permuted(np.tile(np.arange(len(x)), (folds, 1)), axis=1)
    # Dense ranks as int16 and blocks of orders: 49 cells and 100,000 folds pass in about a second.
    ranks = np.unique(y, return_inverse=True)[1].astype(np.int16)
    weights, extreme = sign_x.astype(np.float32), 0
    for block in np.array_split(orders, max(1, len(orders) // 2000)):
        permuted = ranks[block]
        signs = np.sign(permuted[:, first] - permuted[:, second]).astype(np.float32)
        extreme += int((np.abs(signs @ weights) >= abs(observed) - 0.5).sum())
    p = extreme / len(orders) if exact else (extreme + 1) / (folds + 1)
    return RankAgreement(observed / untied, p, exact)


def seeds_needed(values: Sequence[float], margin: float, error_rate: float) -> int | None:
    """How many seeds would decide, if mean and spread stay as observed, in 80 % of repetitions.

    The smallest N with (t(1 - error_rate/2; N - 1) + t(0.8; N - 1)) s / sqrt(N) <= |mean - margin|.
    None when the spread is unknown, the mean stands on the margin, or N would pass 1,000.
    """
    if len(values) < 2 or no_spread(values):
        return None
    n = np.arange(2, MOST_SEEDS + 1)
    quantiles = special.stdtrit(n - 1, 1 - error_rate / 2) + special.stdtrit(n - 1, POWER)
    reach = quantiles * np.std(values, ddof=1) / np.sqrt(n)
    enough = np.flatnonzero(reach <= abs(math.fsum(values) / len(values) - margin))
    return int(n[enough[0]]) if len(enough) else None
