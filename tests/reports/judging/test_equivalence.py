"""Equivalence by two one-sided tests, against statsmodels, scipy and exact power."""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_evidence import beats, evidence
from scipy import integrate, stats
from statsmodels.stats.weightstats import ttost_paired

from reports.judging.contrasts import subject_of
from reports.judging.sequential_looks import judged_looks
from reports.judging.statistics import seeds_for_equivalence
from reports.judging.verdict import Decision, Verdict, verdicts
from reports.judging.verdict_board import board
from reports.spec import Equivalent, Evidence

SEEDED = st.integers(0, 2**32 - 1).map(np.random.default_rng)
HIGH = [50.0, 52.5, 51.0, 49.0, 50.5]
NOISE = [0.3, -0.2, 0.1, -0.3, 0.2]
OTHER = [-0.1, 0.2, 0.2, -0.3, 0.1]


def alike(*among: str, **changes: Any) -> Equivalent:
    """A primary claim that cells differ by less than 2 points, which cites section 1."""
    cited = {"source": "section 1", "statement": "The cells are alike."}
    fields = {"name": "alike", "among": among, "margin": 2.0, "primary": True}
    return Equivalent(**fields | cited | changes)


def above(size: float, noise: Sequence[float] = NOISE) -> list[float]:
    """Numbers `size` above `HIGH`, seed by seed, give or take the noise."""
    return [value + size + one for value, one in zip(HIGH, noise, strict=True)]


def judged(values: dict[str, Any], *claims: Any, **changes: Any) -> Verdict:
    """The verdict on the first claim; without claims, that all cells are alike."""
    made = evidence(values, claims=claims or (alike(*values),), **changes)
    return verdicts(made)[0]


def of_three(a: float, b: float, **changes: Any) -> Verdict:
    """Cells `a` and `b` at this height above cell `c`."""
    cells = {"a": above(a), "b": above(b, OTHER), "c": HIGH}
    return judged(cells, alike("a", "b", "c"), **changes)


@given(SEEDED, st.floats(-6, 6), st.floats(0.1, 5), st.integers(2, 12))
def test_within_the_margin_p_is_twice_that_of_statsmodels(
    rng: np.random.Generator, mean: float, margin: float, n: int
) -> None:
    a, b = rng.normal(50, 4, n), rng.normal(50, 4, n)
    a += b + mean
    looks = {"seeds": (n,), "shares": (1.0,)}
    verdict = judged(
        {"a": a.tolist(), "b": b.tolist()}, alike("a", "b", margin=margin), looks=looks
    )

    larger, *_ = ttost_paired(a, b, -margin, margin)
    end = math.copysign(margin, (a - b).mean())
    two_sided = stats.ttest_1samp(a - b, end).pvalue
    expected = 2 * larger if abs((a - b).mean()) < margin else two_sided
    assert verdict.p == pytest.approx(expected, rel=1e-6)
    assert verdict.p == pytest.approx(two_sided, rel=1e-6)


def test_each_word_needs_the_whole_interval_on_its_side() -> None:
    """Against statsmodels' TOST and scipy's intervals, over many drawn studies."""
    rng = np.random.default_rng(8)
    seen = set[Decision]()
    for mean in (-4.0, -2.0, -1.2, -0.2, 0.0, 0.9, 1.6, 2.3, 4.0):
        for _ in range(8):
            a, b = (rng.normal(m, 0.5, 5) + np.array(HIGH) for m in (mean, 0.0))
            low, high = stats.t.interval(0.975, 4, (a - b).mean(), stats.sem(a - b))
            larger, *_ = ttost_paired(a, b, -2.0, 2.0)
            expected = Decision.INCONCLUSIVE
            if larger <= 0.0125:
                assert -2 < low < high < 2
                expected = Decision.REPRODUCED
            elif low > 2 or high < -2:
                expected = Decision.CONTRADICTED
            seen.add(expected)

            found = judged({"a": a.tolist(), "b": b.tolist()})

            assert found.decision is expected
            assert found.estimate is not None
            assert found.estimate[1:3] == pytest.approx((low, high))
    assert seen == {Decision.REPRODUCED, Decision.CONTRADICTED, Decision.INCONCLUSIVE}


@pytest.mark.parametrize("size", [-9.0, 9.0])
def test_a_difference_far_beyond_either_end_contradicts(size: float) -> None:
    assert judged({"a": above(size), "b": HIGH}).decision is Decision.CONTRADICTED


@pytest.mark.parametrize("size", [-1.0, 1.0])
def test_the_same_numbers_are_alike_or_not_by_the_margin(size: float) -> None:
    words = {2.0: "reproduced", 1.1: "inconclusive", 0.2: "contradicted"}

    for margin, word in words.items():
        verdict = judged({"a": above(size), "b": HIGH}, alike("a", "b", margin=margin))
        assert verdict.words == f"{word} at laptop scale"


def test_no_significant_difference_is_no_equivalence() -> None:
    values = {"a": above(0, [6.0, -5.0, 4.0, -6.0, 1.5]), "b": HIGH}

    assert stats.ttest_rel(values["a"], values["b"]).pvalue > 0.9
    assert judged(values).decision is Decision.INCONCLUSIVE


def test_cells_are_compared_seed_by_seed() -> None:
    # Seeds differ by 30 points, the cells by less than one in each: only pairs can see it.
    seeds = [10.0, 20.0, 40.0, 25.0, 33.0]
    other = [s + d for s, d in zip(seeds, NOISE, strict=True)]
    assert not stats.ttest_ind(seeds, other).confidence_interval(0.975).low > -2

    verdict = judged({"a": other, "b": seeds})

    assert verdict.decision is Decision.REPRODUCED
    assert verdict.per_seed == pytest.approx(NOISE)


@settings(max_examples=50)
@given(SEEDED, st.sampled_from([0.0, 1.0, 2.0, 4.0]), st.integers(3, 5))
def test_every_two_cells_are_tested_and_one_pair_apart_is_enough_to_contradict(
    rng: np.random.Generator, spread: float, count: int
) -> None:
    cells = {
        name: rng.normal(50 + spread * rng.random(), 0.7, 5) + HIGH for name in "abcde"[:count]
    }
    pairs = list(combinations(cells.values(), 2))
    tost = [ttost_paired(a, b, -2, 2)[0] for a, b in pairs]
    beyond = [
        2 * min(stats.ttest_1samp(a - b, 2, alternative="greater").pvalue,
                stats.ttest_1samp(a - b, -2, alternative="less").pvalue)
        for a, b in pairs
    ]  # fmt: skip
    expected = Decision.INCONCLUSIVE
    if max(tost) <= 0.0125:
        expected = Decision.REPRODUCED
    elif min(beyond) <= 0.025 / len(pairs):  # Bonferroni
        expected = Decision.CONTRADICTED

    verdict = judged({name: column.tolist() for name, column in cells.items()})

    assert verdict.decision is expected


def test_beyond_the_margin_the_interval_allows_for_the_number_of_pairs() -> None:
    within, beyond = of_three(1.0, 0.5), of_three(0.4, 9.0)

    for verdict, level, difference in (
        (within, 0.975, np.subtract(above(1.0), HIGH)),
        (beyond, 1 - 0.025 / 3, np.subtract(above(9.0, OTHER), HIGH)),
    ):
        low, high = stats.t.interval(level, 4, difference.mean(), stats.sem(difference))
        assert verdict.estimate is not None
        assert verdict.estimate.level == pytest.approx(level)
        assert verdict.estimate[1:3] == pytest.approx((low, high))
    assert (within.shown_cells, beyond.shown_cells) == (("a", "c"), ("b", "c"))
    assert beyond.cells == ("a", "b", "c")


def test_the_verdict_says_in_words_which_pair_decided() -> None:
    assert judged({"a": above(0.4), "b": HIGH}).note == "the two differ by less than the margin"
    assert judged({"a": above(9.0), "b": HIGH}).note == "a and b differ by more than the margin"
    assert of_three(1.0, 0.5).note == (
        "no two of the 3 cells differ by as much as the margin; nearest to it: a minus c"
    )
    assert of_three(0.4, 9.0).note == "b and c differ by more than the margin"
    assert of_three(1.9, 0.0).note.startswith(
        "of 3 pairs the one nearest to an end of the margin is shown: a minus c; about "
    )
    assert of_three(2.1, 0.0).note.startswith(
        "of 3 pairs the one farthest beyond the margin is shown: a minus c; "
    )
    assert of_three(1.9, 0.0, synthetic_data=True).words == "inconclusive on synthetic data"
    assert of_three(0.4, 0.0, synthetic_data=True).words == "shown on synthetic data"


def test_the_board_has_both_ends_of_the_margin() -> None:
    (row,) = board(
        evidence({"a": above(0.4), "b": HIGH}, claims=(alike("a", "b", margin=1.5),))
    ).rows

    assert (row.margin, row.level, row.n) == ("±1.5 points", "97.5 %", 5)
    assert row.estimate == "+0.4 points"


def test_holm_and_looks_are_those_of_the_other_claims() -> None:
    cells = {"a": above(1.2), "b": HIGH, "c": above(9.0, OTHER)}
    claims = (alike("a", "b", margin=1.65), beats("c", "b"), beats("c", "a"))

    alone, beside = judged(cells, claims[0]), judged(cells, *claims)

    assert alone.estimate is not None
    assert beside.estimate is not None
    assert alone.p == beside.p
    assert 0.025 / 3 < alone.p < 0.025
    # The other two claims have smaller p-values, so this one is the last of Holm's steps.
    assert (alone.estimate.level, beside.estimate.level) == pytest.approx((0.975, 0.975))
    weaker = (claims[0], beats("b", "c", margin=-9.0), beats("a", "b", margin=1.2))
    assert judged(cells, *weaker).decision is Decision.INCONCLUSIVE


def test_the_first_decision_stands_and_waits_for_all_cells() -> None:
    later = {"a": [*above(0.4), *[70.0] * 5], "b": [*HIGH, 50.0, 51.0, 52.0, 49.0, 50.0]}

    assert judged(later).look == 5
    assert judged(later).decision is Decision.REPRODUCED
    missing = judged({"a": [*above(0.4)[:4], None], "b": HIGH, "c": HIGH})
    assert missing.decision is Decision.WAITING
    assert missing.note.endswith("missing: a seed 4")


def exact_power(mean: float, deviation: float, margin: float, n: int, rate: float) -> float:
    """P(both one-sided tests reject), over the distribution of the sample's deviation."""
    critical = stats.t.ppf(1 - rate / 2, n - 1)
    error = deviation / math.sqrt(n)

    def at(scale: float) -> float:
        reach = margin - critical * error * scale
        inside = stats.norm.cdf((reach - mean) / error) - stats.norm.cdf((-reach - mean) / error)
        density = 2 * scale * (n - 1) * stats.chi2.pdf((n - 1) * scale**2, n - 1)
        return float(inside * density)

    return integrate.quad(at, 0, margin / (critical * error), limit=200)[0]


@pytest.mark.parametrize("mean", [0.0, 0.5, -1.0, 1.5])
@pytest.mark.parametrize("deviation", [0.6, 1.5, 3.0])
@pytest.mark.parametrize("rate", [0.025, 0.025 / 3])
def test_the_seeds_still_needed_show_equivalence_four_times_in_five(
    mean: float, deviation: float, rate: float
) -> None:
    half = deviation / math.sqrt(2)  # two values with this deviation

    needed = seeds_for_equivalence([mean - half, mean + half], 2.0, rate)

    assert needed is not None
    assert exact_power(mean, deviation, 2.0, needed + 1, rate) >= 0.8
    if needed > 4:
        assert exact_power(mean, deviation, 2.0, needed - 2, rate) < 0.8


@pytest.mark.parametrize("values", [[1.0], [1.0, 1.0], [3.0, 5.0], [1.999, 2.001], [-90, 90]])
def test_no_number_of_seeds_is_named_where_none_can_be_told(values: list[float]) -> None:
    assert seeds_for_equivalence(values, 2.0, 0.025) is None


def test_an_open_claim_names_the_seeds_that_its_own_level_asks_for() -> None:
    values = [1.6, -0.6, 2.4, -0.4, 1.0]
    rate = 0.025
    expected = seeds_for_equivalence(values, 2.0, rate)

    verdict = judged({"a": [v + 50 for v in values], "b": [50.0] * 5})

    assert verdict.decision is Decision.INCONCLUSIVE
    assert verdict.note == (
        f"about {expected} seeds would be needed at this mean and spread; 5 seeds, next look at 10"
    )


def test_a_pair_without_spread_is_not_alike_and_hides_no_pair_that_differs() -> None:
    assert judged({"a": HIGH, "b": HIGH}).decision is Decision.INCONCLUSIVE
    assert "no spread: 5 seeds gave the same number, +0.00" in judged({"a": HIGH, "b": HIGH}).note
    same = judged({"a": HIGH, "b": HIGH, "c": above(0.2)})
    assert (same.decision, same.shown_cells) == (Decision.INCONCLUSIVE, ("a", "b"))
    apart = judged({"a": HIGH, "b": HIGH, "c": above(9.0)})
    assert (apart.decision, apart.shown_cells) == (Decision.CONTRADICTED, ("a", "c"))


def test_before_a_look_the_pair_is_the_nearest_so_far() -> None:
    verdict = judged({"a": above(0.4)[:1], "b": HIGH[:1], "c": [45.0]})

    assert verdict.decision is Decision.WAITING
    assert verdict.shown_cells == ("a", "c")
    assert judged({"a": [None], "b": HIGH[:1], "c": [45.0]}).per_seed == ()


def test_an_exploratory_claim_is_estimated_and_never_judged() -> None:
    verdict = judged({"a": above(0.4), "b": HIGH}, alike("a", "b", primary=False))

    assert (verdict.words, verdict.note) == ("exploratory, not judged", "")
    assert verdict.shown.level == 0.95


def test_a_role_of_many_cells_names_them_once() -> None:
    cells = {"a": above(0.4), "b": HIGH}
    roles = {"sizes": ("a", "b"), "best": "a"}

    assert judged(cells, alike("sizes", "best"), roles=roles).cells == ("a", "b")
    single = judged(cells, alike("best"), roles=roles)
    assert single.decision is Decision.NOT_JUDGED
    assert single.note == "a single cell has nothing to be compared with"
    empty = judged(cells, alike("sizes", "none such"), roles=roles)
    assert empty.note == "this scale has no cell for 'none such'"


def test_published_numbers_within_the_margin_are_a_citation() -> None:
    own = alike("a", "b", "c", source="", statement="")
    cells = {"a": above(0.4), "b": above(0.1, OTHER), "c": HIGH}

    for numbers, decision, cites in (
        ((60.0, 61.0, 59.5), Decision.REPRODUCED, "table 1"),
        ((60.0, 62.0, 59.5), Decision.SHOWN, ""),
        ((60.0, 61.0, None), Decision.SHOWN, ""),
    ):
        infos = {name: {"published": n} for name, n in zip("abc", numbers, strict=True)}
        found = judged(cells, own, cells=infos)
        assert (found.decision, found.cites) == (decision, cites)


def test_the_papers_difference_is_that_of_the_pair_and_a_spread_beyond_the_margin_is_told() -> None:
    infos = {name: {"published": n} for name, n in zip("abc", (60.0, 62.4, 59.9), strict=True)}

    found = of_three(1.0, 0.5, cells=infos)

    assert found.published == pytest.approx(0.1)
    assert found.note.endswith(
        "; the published numbers of its cells do not support the claim: 2.5, margin 2"
    )


def test_cells_that_learned_nothing_are_alike_and_show_nothing() -> None:
    cells = {"a": above(0.4), "b": HIGH, "c": above(20.0, [0.2, 0.1, -0.3, 0.1, -0.1])}
    claims = (alike("a", "b"), alike("a", "c", name="apart"), beats("c", "a"))

    first, second, third = verdicts(evidence(cells, claims=claims, floor=above(0.1, OTHER)))

    assert first.decision is Decision.WITHHELD
    assert first.note == (
        "alike, but encoders that learned nothing are alike: not significantly above random encoder "
        "and raw pixels: a, b"
    )
    assert (second.decision, third.decision) == (Decision.CONTRADICTED, Decision.REPRODUCED)
    assert verdicts(evidence(cells, claims=claims, pixels=51.0))[0].decision is Decision.WITHHELD
    assert verdicts(evidence(cells, claims=claims))[0].decision is Decision.REPRODUCED


def marked(made: Evidence, **seeds: tuple[int, ...]) -> Evidence:
    """The evidence with some trials marked as collapsed."""
    facts = {"collapsed": True, "collapse": {"step": 3}}
    records = tuple(
        r.model_copy(update={"facts": {**r.facts, **facts}})
        if r.seed in seeds.get(r.cell, ())
        else r
        for r in made.records
    )
    return made.model_copy(update={"records": records})


@pytest.mark.parametrize("collapsed", [(1,), (0, 1, 2, 3, 4)])
def test_collapsed_cells_that_are_alike_show_nothing(collapsed: tuple[int, ...]) -> None:
    made = evidence({"a": above(0.4), "b": HIGH}, claims=(alike("a", "b"),))

    (verdict,) = verdicts(marked(made, a=collapsed, b=collapsed))

    assert verdicts(made)[0].decision is Decision.REPRODUCED
    assert verdict.decision is Decision.WITHHELD
    assert "collapsed in" in verdict.note


@pytest.mark.statistical
@pytest.mark.parametrize("end", [-1, 1])
@pytest.mark.parametrize("margin", [0.5, 8.0])
def test_at_an_end_of_the_margin_equivalence_is_shown_in_half_of_the_level(
    end: int, margin: float
) -> None:
    """One pair, one look of five seeds at 5 %: alike by chance in at most 2.5 % of studies.

    The difference has a deviation of 1. The bounds are the 1e-6 quantiles of 1,000 studies; the
    lower one where the margin is many standard errors wide, so that the other end plays no part.
    """
    claim = alike("a", "b", margin=margin)
    made = evidence({"a": HIGH, "b": HIGH}, looks={"seeds": (5,), "shares": (1.0,)})
    rng = np.random.default_rng(6)
    shown = differ = 0
    for _ in range(1000):
        b = rng.normal(50, 3, 5)
        columns = {"a": b + rng.normal(end * margin, 1, 5), "b": b}
        numbers = {name: dict(enumerate(column.tolist())) for name, column in columns.items()}
        [look] = judged_looks([subject_of(claim, made, numbers)], made).values()
        shown += look.decided and abs(look.numbers.mean) < margin
        differ += look.decided and abs(look.numbers.mean) > margin

    most = stats.binom.ppf(1 - 1e-6, 1000, 0.025)
    assert shown <= most
    assert differ <= most
    if margin == 8.0:
        assert shown >= stats.binom.ppf(1e-6, 1000, 0.025)
