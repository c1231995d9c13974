"""When claims are judged: looks at fixed seed counts; the first decision stands."""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_evidence import beats, evidence, failed
from pydantic import ValidationError
from scipy import stats

from reports.judging.verdict import Decision, Verdict, verdicts
from reports.spec import Evidence, Looks

DECIDED = {Decision.REPRODUCED, Decision.CONTRADICTED}
Column = Sequence[float | None]


def judged(columns: Mapping[str, Column], *claims: tuple[str, str], **changes: object) -> Evidence:
    """Evidence with a primary claim for each pair of cells, the better one first."""
    told = tuple(beats(better, worse) for better, worse in claims)
    return evidence(columns, claims=told, **changes)


def one(evidence: Evidence) -> Verdict:
    """The verdict of the only claim."""
    (verdict,) = verdicts(evidence)
    return verdict


def around(mean: float, n: int, spread: float = 1.0) -> list[float]:
    """Numbers with exactly that mean, when n is even or odd, and a spread."""
    places = np.linspace(-1, 1, n)
    return (mean + spread * places).tolist()


ZEROS = [0.0] * 12


def test_before_the_first_look_the_board_says_how_far_it_is() -> None:
    verdict = one(judged({"a": [9.0, 9.1, 9.2], "b": ZEROS[:3]}, ("a", "b")))

    assert verdict.decision is Decision.WAITING
    assert verdict.words == "3 seeds, next look at 5"
    assert (verdict.look, verdict.estimate) == (None, None)


def test_one_seed_is_spoken_of_in_the_singular() -> None:
    assert one(judged({"a": [9.0], "b": [0.0]}, ("a", "b"))).words == "1 seed, next look at 5"


@given(st.lists(st.floats(-1e3, 1e3), min_size=0, max_size=4))
def test_seeds_between_the_looks_move_estimates_and_never_a_verdict(later: list[float]) -> None:
    first = around(1.0, 5)
    before = one(judged({"a": first, "b": ZEROS[:5]}, ("a", "b")))

    after = one(judged({"a": first + later, "b": ZEROS[: 5 + len(later)]}, ("a", "b")))

    assert after.so_far.mean == pytest.approx(np.mean(first + later))
    assert (after.decision, after.look, after.estimate, after.p) == (
        before.decision,
        5,
        before.estimate,
        before.p,
    )


def test_a_look_at_five_uses_seeds_0_to_4_and_no_others() -> None:
    numbers = dict(enumerate(around(9.0, 5)))
    elsewhere = {seed + 100: -50.0 for seed in range(3)}
    zeros = dict.fromkeys([*numbers, *elsewhere], 0.0)

    verdict = one(judged({"a": numbers | elsewhere, "b": zeros}, ("a", "b")))

    assert verdict.decision is Decision.REPRODUCED
    assert verdict.estimate is not None
    assert (verdict.estimate.mean, verdict.estimate.n) == (pytest.approx(9.0), 5)
    assert verdict.so_far.n == 8


def test_five_other_seeds_do_not_make_a_look() -> None:
    numbers = dict(zip((7, 8, 9, 10, 11), around(9.0, 5), strict=True))

    verdict = one(judged({"a": numbers, "b": dict.fromkeys(numbers, 0.0)}, ("a", "b")))

    assert verdict.decision is Decision.WAITING
    assert verdict.words == "5 seeds, next look at 5"
    assert verdict.note == "the look uses only seeds 0 to 4, of which 0 are available"


def test_a_look_needs_every_seed_in_every_cell_of_the_claim() -> None:
    lacking = judged(
        {"a": [9.0, None, 9.2, 9.3, 9.4], "b": ZEROS[:5]}, ("a", "b"), extra=(failed("a", 1),)
    )

    verdict = one(lacking)

    assert verdict.decision is Decision.WAITING
    assert verdict.note == "failed: a seed 1"
    assert verdict.seeds == (0, 2, 3, 4)


def test_the_first_decision_stands_whatever_comes_later() -> None:
    against = [-200.0, -201.0, -202.0, -203.0, -204.0]

    verdict = one(judged({"a": around(9.0, 5) + against, "b": ZEROS[:10]}, ("a", "b")))

    assert (verdict.decision, verdict.look) == (Decision.REPRODUCED, 5)
    assert verdict.so_far.mean < 0


def test_a_claim_that_the_first_look_left_open_is_judged_at_the_second() -> None:
    numbers = [3.0, -1.0, 2.0, 0.0, 1.5, 2.5, 2.0, 1.0, 2.2, 1.8]

    first = one(judged({"a": numbers[:5], "b": ZEROS[:5]}, ("a", "b")))
    between = one(judged({"a": numbers[:9], "b": ZEROS[:9]}, ("a", "b")))
    second = one(judged({"a": numbers, "b": ZEROS[:10]}, ("a", "b")))

    assert first.decision is between.decision is Decision.INCONCLUSIVE
    assert "5 seeds, next look at 10" in first.note
    assert "9 seeds, next look at 10" in between.note
    assert (second.decision, second.look) == (Decision.REPRODUCED, 10)
    assert second.p == pytest.approx(stats.ttest_1samp(numbers, 0).pvalue)


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, Decision.INCONCLUSIVE), (0.9, Decision.REPRODUCED)]
)
def test_a_look_spends_its_own_share_of_the_five_per_cent(share: float, expected: Decision) -> None:
    numbers = around(1.0, 5, spread=0.95)
    p = stats.ttest_1samp(numbers, 0).pvalue
    assert 0.025 < p < 0.045

    verdict = one(
        judged(
            {"a": numbers, "b": ZEROS[:5]},
            ("a", "b"),
            looks=Looks(seeds=(5, 10), shares=(share, 1 - share)),
        )
    )

    assert verdict.decision is expected
    assert verdict.estimate is not None
    assert verdict.estimate.level == pytest.approx(1 - share * 0.05)


def test_the_boards_interval_has_the_level_that_judged() -> None:
    columns = {"a": around(9.0, 5), "b": around(7.0, 5, 0.5)[::-1], "c": ZEROS[:5]}

    found = verdicts(judged(columns, ("a", "b"), ("a", "c"), ("b", "c")))

    for verdict in found:
        assert verdict.estimate is not None
        level = verdict.estimate.level
        low, high = stats.t.interval(
            level, 4, loc=np.mean(verdict.per_seed), scale=stats.sem(verdict.per_seed)
        )
        assert (verdict.estimate.low, verdict.estimate.high) == pytest.approx((low, high))
        assert verdict.so_far.level == 0.95
    levels = sorted(1 - verdict.estimate.level for verdict in found if verdict.estimate)
    assert levels == pytest.approx([0.025 / 3, 0.025 / 2, 0.025])


def test_a_claim_whose_seeds_lack_counts_with_p_1_and_costs_the_others() -> None:
    numbers = around(1.0, 5, spread=0.78)
    p = stats.ttest_1samp(numbers, 0).pvalue
    assert 0.0125 < p < 0.025

    alone = verdicts(judged({"a": numbers, "b": ZEROS[:5]}, ("a", "b")))
    beside = verdicts(
        judged({"a": numbers, "b": ZEROS[:5], "c": [None] * 5}, ("a", "b"), ("a", "c"))
    )

    assert alone[0].decision is Decision.REPRODUCED
    assert [v.decision for v in beside] == [Decision.INCONCLUSIVE, Decision.WAITING]


def test_a_later_look_shares_its_part_among_the_claims_still_open() -> None:
    open_ = [3.0, -1.0, 2.0, 0.0, 1.5, 2.5, 2.0, -0.6, 2.2, 0.8]
    p = stats.ttest_1samp(open_, 0).pvalue
    assert 0.0125 < p < 0.025
    columns = {"sure": around(50.0, 10), "a": open_, "b": ZEROS[:10]}

    sure, left = verdicts(judged(columns, ("sure", "b"), ("a", "b")))

    assert (sure.look, left.look) == (5, 10)
    assert left.estimate is not None
    assert left.estimate.level == pytest.approx(0.975)


VALUE = st.one_of(st.none(), st.integers(-40, 40).map(lambda v: v / 10))


@settings(max_examples=60)
@given(
    first=st.lists(st.integers(-20, 40).map(lambda v: v / 10), min_size=15, max_size=15),
    later=st.lists(st.lists(VALUE, min_size=3, max_size=3), min_size=0, max_size=8),
)
def test_seeds_that_come_later_never_take_a_decision_back(
    first: list[float], later: list[list[float | None]]
) -> None:
    columns = {cell: first[5 * i : 5 * i + 5] for i, cell in enumerate("abc")}
    claims = (("a", "b"), ("b", "c"), ("a", "c"))
    before = verdicts(judged(columns, *claims))

    more = {cell: [*columns[cell], *(row[i] for row in later)] for i, cell in enumerate("abc")}
    after = verdicts(judged(more, *claims, floor=[-1000.0] * 20))

    for old, new in zip(before, after, strict=True):
        if old.decision in DECIDED:
            assert (new.decision, new.look, new.estimate) == (old.decision, 5, old.estimate)


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_verdicts_agree_with_a_restatement_by_closed_tests(seed: int) -> None:
    """Holm's procedure is the closed test of Bonferroni's (Marcus, Peritz and Gabriel 1976)."""
    rng = np.random.default_rng(seed)
    shift = rng.choice([0.0, 0.8, 2.0], 3)
    table = rng.normal(size=(4, 10)) + rng.normal(size=10)
    table[:3] += shift[:, None]
    pairs = [("a", "d"), ("b", "d"), ("c", "d")]

    found = verdicts(judged({cell: table[i].tolist() for i, cell in enumerate("abcd")}, *pairs))

    expected: dict[int, tuple[str, int]] = {}
    for n in (5, 10):
        tests = {
            i: stats.ttest_rel(table[i, :n], table[3, :n]) for i in range(3) if i not in expected
        }
        for i, test in tests.items():
            families = [
                set(family)
                for size in range(1, len(tests) + 1)
                for family in combinations(tests, size)
                if i in family
            ]
            if all(
                min(tests[j].pvalue for j in family) <= 0.025 / len(family) for family in families
            ):
                expected[i] = ("reproduced" if test.statistic > 0 else "contradicted", n)
    told = {i: (str(v.decision), v.look) for i, v in enumerate(found) if v.decision in DECIDED}
    assert told == expected


@settings(max_examples=20)
@given(st.permutations(range(22)))
def test_the_order_of_the_records_changes_nothing(order: list[int]) -> None:
    made = judged(
        {"a": around(2, 5), "b": around(1, 5, 0.4), "c": ZEROS[:5]}, ("a", "b"), ("b", "c")
    )
    assert len(made.records) == 22

    shuffled = made.model_copy(update={"records": tuple(made.records[i] for i in order)})

    assert verdicts(shuffled) == verdicts(made)


@pytest.mark.parametrize(
    ("looks", "words"),
    [
        ({"seeds": (5, 5)}, r"looks must be at least 2 seeds and increasing, got \[5, 5\]"),
        ({"seeds": (1, 5)}, "at least 2 seeds"),
        ({"shares": (0.6, 0.6)}, r"sum to at most 1, got \[0.6, 0.6\]"),
        ({"shares": (0.0, 0.5)}, "above 0"),
        ({"shares": (0.5, math.nan)}, "sum to at most 1"),
        ({"shares": (math.nan, 0.5)}, "above 0"),
        ({"seeds": (5, 10, 20)}, r"each look needs one share: 3 seed counts .* 2 shares"),
    ],
)
def test_looks_that_cannot_be_are_refused_with_the_rule(
    looks: dict[str, tuple[float, ...]], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        Looks.model_validate(looks)


def test_without_spread_a_claim_is_inconclusive_in_words() -> None:
    learned = [9.0, 9.1, 9.2, 9.3, 9.4]
    verdict = one(judged({"a": [9.0] * 5, "b": [4.0] * 5, "c": learned}, ("a", "b")))

    assert verdict.decision is Decision.INCONCLUSIVE
    assert verdict.note.startswith("no spread: 5 seeds gave the same number, +5.00")
    assert math.isnan(verdict.p)
