"""Main effects and interactions, against statsmodels' repeated-measures ANOVA and scipy."""

import math
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_evidence import beats, evidence
from nothing_true import interaction, main_effect
from pydantic import ValidationError
from scipy import stats
from statsmodels.stats.anova import AnovaRM

from reports.document.findings import findings_of
from reports.document.results import claim_section
from reports.judging.decisions import Decision
from reports.judging.verdict import Verdict, verdicts
from reports.spec import Evidence, ExcludedCell

SEEDED = st.integers(0, 2**32 - 1).map(np.random.default_rng)
ONE_LOOK = {"seeds": (6,), "shares": (1.0,)}
Values = dict[str, list[float]]


def table(shape: tuple[int, ...], axes: str = "abc") -> dict[str, dict[str, str]]:
    """Cell -> levels 0, 1, ... of as many axes, the first slowest."""
    found = product(*(map(str, range(size)) for size in shape))
    return {" / ".join(one): dict(zip(axes, one, strict=False)) for one in found}


def drawn(rng: np.random.Generator, shape: tuple[int, ...], n: int = 6) -> Values:
    """Numbers with cells' and seeds' effects."""
    seeds = 5 * rng.normal(size=n)
    cells = table(shape)
    return {cell: (50 + 2 * rng.normal() + seeds + rng.normal(size=n)).tolist() for cell in cells}


def made(values: Values, shape: tuple[int, ...], *claims: Any, **changes: Any) -> Evidence:
    return evidence(values, claims=claims, scale_levels=table(shape), **changes)


def judged(values: Values, shape: tuple[int, ...], *claims: Any, **changes: Any) -> Verdict:
    """The verdict on the first claim."""
    return verdicts(made(values, shape, *claims, **changes))[0]


def anova(values: Values, shape: tuple[int, ...]) -> pd.DataFrame:
    """The repeated-measures ANOVA with the seed as subject, by statsmodels."""
    levels = table(shape)
    rows = [
        {"seed": seed, "value": value, **levels[cell]}
        for cell, column in values.items()
        for seed, value in enumerate(column)
    ]
    within = list("abc"[: len(shape)])
    return AnovaRM(pd.DataFrame(rows), "value", "seed", within=within).fit().anova_table


@settings(max_examples=25)
@given(SEEDED, st.sampled_from([(2, 2), (2, 3), (2, 2, 2), (2, 3, 2)]))
def test_a_main_effect_of_two_levels_is_that_of_the_repeated_measures_anova(
    rng: np.random.Generator, shape: tuple[int, ...]
) -> None:
    values = drawn(rng, shape)

    found = judged(values, shape, main_effect("a"), looks=ONE_LOOK)

    assert found.p == pytest.approx(anova(values, shape).loc["a", "Pr > F"], rel=1e-6)


@settings(max_examples=25)
@given(SEEDED, st.sampled_from([(2, 2), (2, 2, 2), (2, 2, 3)]))
def test_an_interaction_of_two_levels_each_is_that_of_the_repeated_measures_anova(
    rng: np.random.Generator, shape: tuple[int, ...]
) -> None:
    values = drawn(rng, shape)

    found = judged(values, shape, interaction("a", "b"), looks=ONE_LOOK)

    assert found.p == pytest.approx(anova(values, shape).loc["a:b", "Pr > F"], rel=1e-6)


@settings(max_examples=25)
@given(SEEDED, st.floats(-3, 3))
def test_estimate_interval_and_p_are_those_of_the_marginal_means_of_each_seed(
    rng: np.random.Generator, margin: float
) -> None:
    shape = (3, 2, 2)
    values = drawn(rng, shape)
    cube = np.array(list(values.values())).reshape(*shape, 6)
    effect = cube[2].mean((0, 1)) - cube[1].mean((0, 1))
    claim = main_effect("a", better="2", worse="1", margin=margin)

    found = judged(values, shape, claim, looks=ONE_LOOK)

    assert found.per_seed == pytest.approx(effect)
    assert found.p == pytest.approx(stats.ttest_1samp(effect, margin).pvalue, rel=1e-6)
    assert found.estimate is not None
    low, high = stats.t.interval(0.95, 5, effect.mean(), stats.sem(effect))
    assert found.estimate[:3] == pytest.approx((effect.mean(), low, high))


def test_an_interaction_is_the_first_difference_minus_the_second() -> None:
    shape, n = (2, 3), 5
    values = {cell: [10.0 + 0.1 * seed for seed in range(n)] for cell in table(shape)}
    values["1 / 2"] = [17.0 + 0.2 * seed for seed in range(n)]  # better at the larger level
    values["1 / 0"] = [12.0 + 0.1 * seed for seed in range(n)]

    claim = interaction("a", "b", larger_at="2", smaller_at="0")
    found = judged(values, shape, claim)

    assert found.per_seed == pytest.approx([5.0 + 0.1 * seed for seed in range(n)])
    assert found.decision is Decision.SHOWN
    assert found.note == "1 minus 0 is +7.2 at 2 and +2.0 at 0"
    opposite = interaction("a", "b", larger_at="0", smaller_at="2")
    assert judged(values, shape, opposite).decision is Decision.NOT_SHOWN


def test_cells_of_other_levels_play_no_part_and_each_combination_has_the_same_weight() -> None:
    shape = (2, 3)
    values = {cell: [50.0 + seed for seed in range(5)] for cell in table(shape)}
    values["1 / 0"] = [59.0 + seed + 0.1 * (seed % 2) for seed in range(5)]
    values["1 / 2"] = [value + 300.0 for value in values["1 / 2"]]

    found = judged(values, shape, main_effect("a", where={"b": ["0", "1"]}))

    assert found.cells == ("1 / 0", "1 / 1", "0 / 0", "0 / 1")
    assert found.per_seed == pytest.approx([4.5, 4.55, 4.5, 4.55, 4.5])


def test_a_main_effect_that_turns_over_says_so() -> None:
    rng = np.random.default_rng(1)
    shape = (2, 2)
    means = {"0 / 0": 50.0, "0 / 1": 50.0, "1 / 0": 47.0, "1 / 1": 59.0}
    values = {cell: (mean + rng.normal(0, 0.2, 5)).tolist() for cell, mean in means.items()}

    found = judged(values, shape, main_effect("a"))

    assert found.decision is Decision.SHOWN
    assert "over 2 combinations of the other levels the difference is between -3.1 and +8.9" in (
        found.note
    )
    assert found.note.endswith("so it is not the same everywhere")


@pytest.mark.parametrize("claim", [main_effect("a"), interaction("a", "b")])
def test_a_missing_cell_leaves_the_claim_waiting_and_nothing_takes_its_place(claim: Any) -> None:
    values = drawn(np.random.default_rng(0), (2, 2))
    lost = values.pop("1 / 1")

    found = judged(values, (2, 2), claim, scale_arms=tuple(table((2, 2))))

    assert found.decision is Decision.WAITING
    assert found.seeds == ()
    assert "needs all its cells, but these have not run: 1 / 1" in found.note
    values["1 / 1"] = lost
    assert judged(values, (2, 2), claim).look == 5


def test_only_seeds_that_all_cells_have_count() -> None:
    values: dict[str, Any] = drawn(np.random.default_rng(0), (2, 2))
    values["0 / 1"] = dict(enumerate(values["0 / 1"][:3])) | {5: 50.0}

    found = judged(values, (2, 2), main_effect("a"))

    assert found.seeds == (0, 1, 2, 5)
    assert found.decision is Decision.WAITING


@pytest.mark.parametrize("claim", [main_effect("a"), interaction("a", "b")])
def test_an_excluded_cell_makes_the_claim_inconclusive_with_its_reason(claim: Any) -> None:
    values = drawn(np.random.default_rng(0), (2, 2))
    del values["1 / 0"]
    out = (ExcludedCell(name="1 / 0", reason="it diverges"),)

    found = judged(values, (2, 2), claim, excluded=out)

    assert found.decision is Decision.INCONCLUSIVE
    assert found.words == "inconclusive at laptop scale"
    assert "a cell that the study excludes, so it has no number: 1 / 0 (it diverges)" in found.note
    assert math.isnan(found.shown.mean)


def test_without_the_levels_of_an_excluded_cell_the_rest_is_judged() -> None:
    values = drawn(np.random.default_rng(0), (2, 3))
    del values["1 / 0"]
    out = (ExcludedCell(name="1 / 0", reason="it diverges"),)
    claim = main_effect("a", where={"b": ["1", "2"]})

    assert judged(values, (2, 3), claim, excluded=out).look == 5


def test_an_excluded_claim_keeps_its_share_of_the_error_rate() -> None:
    values = drawn(np.random.default_rng(0), (2, 2))
    del values["1 / 0"]
    out = (ExcludedCell(name="1 / 0", reason="it diverges"),)
    claims = (beats("0 / 0", "0 / 1"), main_effect("a"))

    found = judged(values, (2, 2), *claims, excluded=out)

    assert found.estimate is not None
    assert found.estimate.level == pytest.approx(1 - 0.025 / 2)


def test_a_difference_with_an_excluded_cell_is_inconclusive_too() -> None:
    out = (ExcludedCell(name="b", reason="it diverges"),)

    values = drawn(np.random.default_rng(0), (2, 2))
    found = judged(values, (2, 2), beats("0 / 0", "b"), roles={"b": "b"}, excluded=out)

    assert found.decision is Decision.INCONCLUSIVE
    assert "b (it diverges)" in found.note


def test_a_level_that_a_scale_lacks_is_not_judged_there() -> None:
    values = drawn(np.random.default_rng(0), (2, 2))

    found = judged(values, (2, 2), main_effect("a", better="7"))
    both = judged(values, (2, 2), interaction("a", "b", larger_at="7"))

    assert found.decision is both.decision is Decision.NOT_JUDGED
    assert found.note == "this scale has no cell with '7'"
    assert both.note == "this scale has no cell with '1 and 7', '0 and 7'"


def test_published_numbers_of_all_cells_give_the_published_interaction() -> None:
    cells = table((2, 2))
    numbers = dict(zip(cells, (50.0, 51.0, 52.0, 56.0), strict=True))
    values = drawn(np.random.default_rng(0), (2, 2))
    infos = {cell: {"levels": cells[cell], "published": numbers[cell]} for cell in cells}

    found = judged(values, (2, 2), interaction("a", "b"), cells=infos)

    assert found.published == pytest.approx((56 - 51) - (52 - 50))
    assert found.cites == "table 1"


def test_the_table_of_claims_says_what_is_compared() -> None:
    values = drawn(np.random.default_rng(0), (2, 2, 2))
    claims = (main_effect("a"), interaction("a", "b", where={"c": "0"}))

    (shown,) = claim_section(findings_of(made(values, (2, 2, 2), *claims))).blocks

    names = [column.name for column in shown.columns]
    assert [row[names.index("cells")].text for row in shown.rows] == [
        "a: 1 against 0 (8 cells)",
        "a: 1 against 0, at b 1 against 0, where c 0 (4 cells)",
    ]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"worse": "1"}, "better and worse must differ, got '1' for both"),
        ({"where": {"a": ["0"]}}, "where: 'a' is an axis whose levels the claim compares"),
    ],
)
def test_a_comparison_with_itself_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        main_effect("a", **fields)


def test_levels_are_written_as_numbers_or_words() -> None:
    assert main_effect("a", where={"b": 256}).where == {"b": ("256",)}
    assert main_effect("a", where={"b": [0.1, "x"]}).where == {"b": ("0.1", "x")}
