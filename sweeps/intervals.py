"""The interval of a mean over seeds: one rule for MLflow, tables and verdicts."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Interval(NamedTuple):
    """A mean with its two-sided Student-t interval; the bounds are NaN if the spread is unknown."""

    mean: float
    low: float
    high: float
    deviation: float
    """Sample standard deviation, n - 1 in the denominator."""
    n: int
    level: float


def no_spread(values: Sequence[float]) -> bool:
    """Whether all values are equal, up to rounding (1e-9 relative)."""
    return max(values) - min(values) <= 1e-9 * max(1.0, *(abs(value) for value in values))


def interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """Mean -+ t(1 - (1 - level)/2; n - 1) s / sqrt(n); NaN bounds for one value or no spread.

    If all seeds gave the same number, the spread is unknown: the interval is NaN, not of zero width.
    """
    n = len(values)
    mean = math.fsum(values) / n if n else math.nan
    if n < 2 or no_spread(values):
        return Interval(mean, math.nan, math.nan, 0.0 if n > 1 else math.nan, n, level)
    from scipy import special  # tracking knows this type and should not wait for SciPy

    deviation = float(np.std(values, ddof=1))
    half = float(special.stdtrit(n - 1, (1 + level) / 2)) * deviation / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, deviation, n, level)
