"""A rank claim speaks of the cells' means over seeds: not of one seed's table, nor of all in a row."""

import numpy as np
import pytest
from made_evidence import evidence
from scipy import stats

from reports.judging.verdict import verdicts
from reports.spec import RanksLike

CELLS = "abcdefgh"


@pytest.mark.parametrize("draw", range(4))
def test_tau_is_scipys_for_the_means_over_seeds(draw: int) -> None:
    rng = np.random.default_rng(draw)
    table = rng.normal(size=(len(CELLS), 1)) + rng.normal(size=(len(CELLS), 5))
    published = rng.permutation(len(CELLS)).astype(float)
    made = evidence(
        {cell: row.tolist() for cell, row in zip(CELLS, table, strict=True)},
        cells={cell: {"published": p} for cell, p in zip(CELLS, published, strict=True)},
        claims=(RanksLike(name="ranks", primary=True),),
    )

    [verdict] = verdicts(made)

    expected = stats.kendalltau(table.mean(1), published).statistic
    others = [stats.kendalltau(table[:, seed], published).statistic for seed in range(5)]
    others.append(stats.kendalltau(table.T.ravel(), np.tile(published, 5)).statistic)
    assert len({round(float(tau), 6) for tau in (expected, *others)}) > 1
    assert verdict.so_far.mean == pytest.approx(expected)
