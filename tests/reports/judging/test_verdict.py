"""What claims come to, in words that carry the scale, with the numbers behind them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from made_evidence import EPOCHS, FLOOR, beats, evidence, record
from scipy import stats

from reports.judging.verdict import Decision, Verdict, verdicts
from reports.judging.verdict_board import board
from reports.spec import Evidence, Increases, RanksLike

UP = [9.0, 9.5, 8.5, 9.2, 8.8]
FLAT = [0.1, -0.2, 0.3, -0.1, 0.2]
LETTERS = "abcdef"


def one(evidence: Evidence) -> Verdict:
    """The verdict of the only claim."""
    (verdict,) = verdicts(evidence)
    return verdict


def pair(a: Sequence[float | None] = UP, b: Sequence[float | None] = FLAT, **more: Any) -> Evidence:
    """Two cells with one claim, that a beats b."""
    claim = beats("a", "b", margin=more.pop("margin", 0.0), primary=more.pop("primary", True))
    return evidence({"a": a, "b": b}, claims=(claim,), **more)


@pytest.mark.parametrize(
    ("margin", "expected"),
    [
        (0.0, Decision.REPRODUCED),
        (8.0, Decision.REPRODUCED),
        (8.9, Decision.INCONCLUSIVE),
        (10.0, Decision.SMALLER),
        (-3.0, Decision.REPRODUCED),
    ],
)
def test_a_difference_is_judged_against_its_margin(margin: float, expected: Decision) -> None:
    verdict = one(pair(margin=margin))

    assert verdict.decision is expected
    differences = np.subtract(UP, FLAT)
    assert verdict.per_seed == pytest.approx(differences)
    assert verdict.p == pytest.approx(stats.ttest_1samp(differences, margin).pvalue)


def test_differences_are_paired_by_seed() -> None:
    # Seeds differ by 30 points and the cells by 1 in each: only a paired test can see it.
    seeds = [10.0, 20.0, 40.0, 25.0, 33.0]
    worse, better = seeds, [s + d for s, d in zip(seeds, (1.0, 1.1, 0.9, 1.2, 0.8), strict=True)]
    assert stats.ttest_ind(better, worse).pvalue > 0.5

    verdict = one(pair(better, worse))

    assert verdict.decision is Decision.REPRODUCED
    assert verdict.p == pytest.approx(stats.ttest_rel(better, worse).pvalue)


def test_rising_is_judged_by_the_slope_of_each_seed() -> None:
    rng = np.random.default_rng(0)
    table = np.arange(4)[:, None] * 0.8 + rng.normal(size=(4, 5)) + 10 * rng.normal(size=5)
    cells = dict(zip(LETTERS, table.tolist(), strict=False))
    claim = Increases(name="rises", along=("all",), primary=True, margin=0.1)

    verdict = one(evidence(cells, roles={"all": tuple("abcd")}, claims=(claim,)))

    slopes = [stats.linregress(range(4), column).slope for column in table.T]
    assert verdict.per_seed == pytest.approx(slopes)
    assert verdict.p == pytest.approx(stats.ttest_1samp(slopes, 0.1).pvalue)


def test_falling_does_not_show_that_it_rises() -> None:
    cells = {cell: [50 - 4 * i + s for s in FLAT] for i, cell in enumerate(LETTERS)}
    cells["a"] = [value + 1.0 * i for i, value in enumerate(cells["a"])]
    claim = Increases(name="rises", along=tuple(LETTERS), primary=True)

    assert one(evidence(cells, claims=(claim,))).decision is Decision.NOT_SHOWN


def ranked(published: Sequence[float], **changes: Any) -> Evidence:
    """Six cells whose means rise, and the paper's table of them."""
    cells = {cell: [10.0 * i + s for s in FLAT] for i, cell in enumerate(LETTERS)}
    infos = {cell: {"published": p} for cell, p in zip(LETTERS, published, strict=False)}
    claim = RanksLike(name="ranks", primary=True)
    return evidence(cells, cells=infos, **({"claims": (claim,)} | changes))


@pytest.mark.parametrize(
    ("published", "expected"),
    [
        ([1, 2, 3, 4, 5, 6], Decision.REPRODUCED),
        ([6, 5, 4, 3, 2, 1], Decision.CONTRADICTED),
        ([3, 1, 6, 2, 5, 4], Decision.INCONCLUSIVE),
    ],
)
def test_a_ranking_is_judged_by_tau_with_the_papers_table(
    published: list[float], expected: Decision
) -> None:
    verdict = one(ranked(published))

    theirs = stats.kendalltau(range(6), published, method="exact")
    assert verdict.decision is expected
    assert verdict.so_far.mean == pytest.approx(theirs.statistic)
    assert verdict.p == pytest.approx(theirs.pvalue)


def test_a_ranking_left_open_asks_for_cells_and_not_for_seeds() -> None:
    assert "more cells, not more seeds" in one(ranked([3, 1, 6, 2, 5, 4])).note


def test_a_ranking_whose_perfect_order_could_not_decide_is_not_judged() -> None:
    verdict = one(ranked([1, 2, 3, 4]))

    assert verdict.words == "not judged at this scale"
    assert verdict.note == (  # 2 of 4! orders are as extreme
        "4 cells have 24 orders of their levels, so even full agreement would have p = 0.083; a "
        "look allows at most 0.025"
    )


def pairs_of(items: str, ours: Any, published: Any, **changes: Any) -> Evidence:
    """A table of ordered pairs: cells `x` and `x+y`, with their places."""
    names = {(x, y): x if x == y else f"{x}+{y}" for x in items for y in items}
    cells = {
        names[place]: [ours[place] + seed for seed in FLAT] for place in names if place in ours
    }
    numbers = {name: published[place] for place, name in names.items()}
    claim = RanksLike(name="ranks", primary=True, **changes.pop("claim", {}))
    return evidence(
        cells,
        **{
            "cells": {name: {"published": numbers[name]} for name in cells},
            "claims": (claim,),
            "scale_arms": tuple(names.values()),
            "scale_published": numbers,
            "places": {name: (place,) for place, name in names.items()},
        }
        | changes,
    )


def additive(items: str, noise: float = 0.0, seed: int = 0) -> dict[tuple[str, str], float]:
    """First and second operation add up, each by its place in the alphabet."""
    rng = np.random.default_rng(seed)
    return {
        (x, y): 10.0 * ord(x) + 3.0 * ord(y) + noise * rng.normal() for x in items for y in items
    }


def test_a_table_of_five_operations_is_judged_by_its_120_orders() -> None:
    verdict = one(pairs_of("abcde", additive("abcde"), additive("abcde")))

    assert verdict.p == 2 / 120  # of an additive table the reversed alphabet is as extreme
    assert verdict.decision is Decision.REPRODUCED


def test_three_operations_are_never_judged() -> None:
    verdict = one(pairs_of("abc", additive("abc"), additive("abc")))

    assert verdict.decision is Decision.NOT_JUDGED
    assert "9 cells have 6 orders of their levels" in verdict.note
    assert "p = 0.33" in verdict.note  # an additive table reversed is an order of its own


def test_a_ranking_waits_for_all_published_cells_of_the_scale() -> None:
    table = additive("abcde")
    few = {place: value for place, value in table.items() if "e" not in place}

    verdict = one(pairs_of("abcde", few, table))

    assert verdict.decision is Decision.WAITING
    assert verdict.note.startswith(
        "the claim needs all its cells, but these have not run: a+e, b+e, c+e, d+e, e+a, e+b, 3 "
        "more"
    )


def test_significant_but_weak_agreement_is_inconclusive_in_words() -> None:
    table = additive("abcde")
    shown = pairs_of("abcde", additive("abcde", 12.0, seed=1), table, claim={"min_tau": 0.9})
    weak = one(shown)
    assert weak.p <= 0.025
    assert 0.3 < weak.so_far.mean < 0.9

    assert weak.decision is Decision.INCONCLUSIVE
    tau = f"tau-b {weak.so_far.mean:+.2f}"
    assert weak.note.startswith(f"agrees in rank, but weakly: {tau}, at least 0.9 was required")
    enough = shown.claims[0].model_copy(update={"min_tau": 0.3})
    assert one(shown.model_copy(update={"claims": (enough,)})).decision is Decision.REPRODUCED


def test_published_gaps_below_the_tie_are_no_order() -> None:
    # The two best are swapped, 0.1 apart in print: with a tie of 0.5 that is no disagreement.
    published = [1.0, 2.0, 3.0, 4.0, 5.1, 5.0]

    assert one(ranked(published)).so_far.mean == pytest.approx(13 / 15)
    assert one(ranked(published, published_tie=0.5)).so_far.mean == pytest.approx(
        14 / np.sqrt(15 * 14)
    )


def collapsed(cell: str, *seeds: int) -> Evidence:
    """`pair`, where some trials carry the mark of a collapse."""
    made = pair()
    facts = {"collapsed": True, "collapse": {"step": 3}}
    records = tuple(
        r.model_copy(update={"facts": {**r.facts, **facts}})
        if (r.cell, r.seed) in {(cell, seed) for seed in seeds}
        else r
        for r in made.records
    )
    return made.model_copy(update={"records": records})


def test_a_collapse_in_some_seeds_withholds_the_verdict_of_a_difference() -> None:
    verdict = one(collapsed("b", 1, 4))

    assert one(pair()).decision is Decision.REPRODUCED
    assert verdict.decision is Decision.WITHHELD
    assert verdict.note.startswith("collapsed in some seeds and not in others: b in seeds 1, 4")


def test_a_collapse_in_every_seed_is_told_and_withholds_nothing() -> None:
    verdict = one(collapsed("b", 0, 1, 2, 3, 4))

    assert verdict.decision is Decision.REPRODUCED
    assert verdict.note == "collapsed in every seed of the look: b"


def test_the_seeds_still_needed_are_told_at_the_level_that_holm_would_give() -> None:
    values = [3.0, -1.0, 2.0, 0.0, 1.5]
    cells = {"a": values, "b": [0.0] * 5, "c": FLAT, "d": [-v for v in FLAT]}

    alone, beside = (
        verdicts(evidence(cells, claims=claims))[0].note
        for claims in ((beats("a", "b"),), (beats("a", "b"), beats("c", "b"), beats("d", "b")))
    )

    mean, deviation = np.mean(values), np.std(values, ddof=1)
    for note, level in ((alone, 0.025), (beside, 0.025 / 3)):
        reach = [
            n
            for n in range(2, 1001)
            if (stats.t.ppf(1 - level / 2, n - 1) + stats.t.ppf(0.8, n - 1)) * deviation / n**0.5
            <= mean
        ]
        assert note.startswith(f"about {reach[0]} seeds would be needed")
    assert alone != beside


def test_a_claim_whose_role_this_scale_lacks_is_not_judged_at_this_scale() -> None:
    made = evidence(
        {"a": UP, "b": FLAT},
        roles={"with rotation": "a+rotation"},
        claims=(beats("a", "with rotation"), beats("a", "b")),
    )

    lacking, other = verdicts(made)

    assert (lacking.decision, lacking.words) == (Decision.NOT_JUDGED, "not judged at this scale")
    assert lacking.note == "this scale has no cell for 'with rotation'"
    assert other.decision is Decision.REPRODUCED


def test_a_claim_that_is_not_judged_costs_the_others_nothing() -> None:
    made = evidence({"a": UP, "b": FLAT}, claims=(beats("a", "b"), beats("a", "nobody")))

    judged = verdicts(made)[0]

    assert judged.estimate is not None
    assert judged.estimate.level == pytest.approx(0.975)


def test_roles_and_not_numbers_choose_the_cells() -> None:
    made = evidence(
        {"low": FLAT, "high": UP},
        roles={"better": "low", "worse": "high"},
        claims=(beats("better", "worse"),),
    )

    assert one(made).decision is Decision.CONTRADICTED
    assert one(made).cells == ("low", "high")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scale": "laptop"}, "reproduced at laptop scale"),
        ({"scale": "gpu"}, "reproduced at gpu scale"),
        ({"scale": "laptop", "a": FLAT, "b": UP}, "contradicted at laptop scale"),
        ({"scale": "laptop", "margin": 8.9}, "inconclusive at laptop scale"),
        ({"scale": "paper"}, "reproduced at paper scale, with 1 deviation"),
        ({"scale": "paper", "deviations": ()}, "reproduced"),
        ({"scale": "laptop", "synthetic_data": True}, "shown on synthetic data"),
        (
            {"scale": "laptop", "synthetic_data": True, "a": FLAT, "b": UP},
            "not shown on synthetic data",
        ),
        (
            {"scale": "laptop", "synthetic_data": True, "margin": 8.9},
            "inconclusive on synthetic data",
        ),
        ({"scale": "paper", "deviations": (), "synthetic_data": True}, "shown on synthetic data"),
    ],
)
def test_the_words_carry_the_scale_and_are_bare_at_the_papers_own_only(
    changes: dict[str, Any], words: str
) -> None:
    deviations = changes.pop("deviations", (EPOCHS,))

    verdict = one(pair(cells={cell: {"deviations": deviations} for cell in "ab"}, **changes))

    assert verdict.words == words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scale": "gpu"}, "shown at gpu scale"),
        ({"scale": "paper", "deviations": ()}, "shown at paper scale"),
        ({"scale": "paper"}, "shown at paper scale, with 1 deviation"),
        ({"scale": "laptop", "a": FLAT, "b": UP}, "not shown at laptop scale"),
        ({"scale": "laptop", "margin": 8.9}, "inconclusive at laptop scale"),
        ({"scale": "laptop", "synthetic_data": True}, "shown on synthetic data"),
    ],
)
def test_a_studys_own_claim_is_never_called_reproduced(changes: dict[str, Any], words: str) -> None:
    deviations = changes.pop("deviations", (EPOCHS,))
    found = pair(cells={cell: {"deviations": deviations} for cell in "ab"}, **changes)
    claims = tuple(claim.model_copy(update={"source": ""}) for claim in found.claims)

    verdict = one(found.model_copy(update={"claims": claims}))

    assert verdict.words == words


def test_synthetic_data_have_a_board_of_their_own() -> None:
    assert board(pair(synthetic_data=True)).title == "Verdicts on synthetic data"
    assert board(pair()).title == "Verdicts, laptop scale"


def test_an_exploratory_claim_is_estimated_and_never_judged() -> None:
    made = pair(primary=False)

    assert one(made).words == "exploratory, not judged"
    (row,) = board(made).rows
    low, high = stats.t.interval(
        0.95, 4, loc=np.mean(np.subtract(UP, FLAT)), scale=stats.sem(np.subtract(UP, FLAT))
    )
    assert (row.interval, row.level) == (f"[{low:+.1f}, {high:+.1f}]", "descriptive 95 %")
    assert row.p is None


def test_one_seed_has_no_interval_in_words() -> None:
    (row,) = board(pair([9.0], [1.0], primary=False)).rows

    assert (row.estimate, row.interval) == ("+8.0 points", "one seed, no interval")


def test_no_spread_has_no_interval_in_words() -> None:
    made = evidence({"a": [9.0] * 5, "b": [1.0] * 5, "c": UP}, claims=(beats("a", "b"),))
    (row,) = board(made).rows

    assert (row.decision, row.interval) == (Decision.INCONCLUSIVE, "no spread, no interval")


def test_an_open_claim_names_the_seeds_still_needed() -> None:
    values = [3.0, -1.0, 2.0, 0.0, 1.5]
    mean, deviation = np.mean(values), np.std(values, ddof=1)
    expected = next(
        n
        for n in range(2, 1001)
        if (stats.t.ppf(1 - 0.025 / 2, n - 1) + stats.t.ppf(0.8, n - 1)) * deviation / n**0.5
        <= mean
    )

    verdict = one(pair(values, [0.0] * 5))

    assert verdict.note == (
        f"about {expected} seeds would be needed at this mean and spread; 5 seeds, next look at 10"
    )


def test_after_the_last_look_an_open_claim_asks_for_a_new_study() -> None:
    values = [3.0, -3.0, 2.0, -2.0, 1.5, -1.4, 0.3, -0.2, 0.5, -0.4]

    verdict = one(pair(values, [0.0] * 10))

    assert verdict.look == 10
    assert "no look is left" in one(pair([v + 0.4 for v in values], [0.0] * 10)).note
    assert "next look" not in verdict.note


def test_the_papers_difference_stands_beside_ours() -> None:
    cells = {"a": {"published": 56.3}, "b": {"published": 33.1}}

    (row,) = board(pair(cells=cells)).rows

    assert row.published == "+23.2 points"
    assert one(pair(cells={"a": {"published": 56.3}})).published is None


def test_deviations_of_the_claims_cells_stand_beside_its_verdict_once() -> None:
    assert one(pair()).deviations == (EPOCHS,)


def test_a_floor_can_be_what_an_arm_must_beat() -> None:
    made = evidence(
        {"a": [30.0, 31.0, 29.0, 30.5, 29.5]},
        floor=[33.0, 34.0, 33.5, 32.5, 33.2],
        roles={"floor": FLOOR},
        claims=(beats("a", "floor"),),
    )

    verdict = one(made)

    assert verdict.so_far.mean == pytest.approx(-3.24)
    assert verdict.decision is Decision.WITHHELD


def test_a_difference_of_more_than_two_cells_is_not_judged_over_the_first_two() -> None:
    far = [50.0 + value for value in FLAT]
    made = evidence(
        {"a": UP, "b": FLAT, "c": far}, roles={"both": ("a", "b")}, claims=(beats("both", "c"),)
    )

    assert one(made).decision is Decision.NOT_JUDGED
    assert one(made).note == "the claim compares two cells, but its roles name 3"


def test_the_newest_attempt_counts_and_a_verdict_that_hangs_on_it_says_so() -> None:
    again = [record("a", seed, -value, attempt=2) for seed, value in enumerate(UP)]

    verdict = one(pair(extra=again))

    assert verdict.decision is Decision.CONTRADICTED
    assert verdict.note == "with the first attempts of repeated trials: reproduced at laptop scale"


def test_a_failed_later_attempt_leaves_the_number_of_the_earlier_one() -> None:
    again = [record("a", 0, None, state="failed", values={}, error="killed", attempt=2)]

    assert one(pair(extra=again)) == one(pair())


def test_a_record_that_is_not_planned_counts_nowhere() -> None:
    stray = record("a", 0, -500.0, key="of another configuration")

    assert one(pair(extra=(stray,))) == one(pair())


def test_numbers_that_are_not_finite_are_no_numbers() -> None:
    verdict = one(pair([9.0, float("nan"), 9.1, 9.2, 9.3]))

    assert verdict.seeds == (0, 2, 3, 4)
    assert verdict.note == "failed: a seed 1"
