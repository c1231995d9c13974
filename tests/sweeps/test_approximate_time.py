"""Durations in words."""

import pytest

from sweeps.approximate_time import duration


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.0, "0 s"),
        (27.4, "27 s"),
        (89.0, "89 s"),
        (90.0, "2 min"),
        (5399.0, "90 min"),
        (5400.0, "1.5 h"),
        (172_799.0, "48.0 h"),
        (216_000.0, "2.5 days"),
    ],
)
def test_a_duration_is_in_a_unit_that_fits(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected
