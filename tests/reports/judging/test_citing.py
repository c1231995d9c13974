"""Only a claim that cites a publication can be reproduced or contradicted."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from made_evidence import evidence
from pydantic import TypeAdapter, ValidationError
from scipy import stats

from reports.document.sections import document
from reports.judging.verdict import Decision, Verdict, verdicts
from reports.judging.verdict_board import board
from reports.spec import Beats, Evidence, Increases
from reports.spec.claims import AnyClaim

UP = [9.0, 9.5, 8.5, 9.2, 8.8]
FLAT = [0.1, -0.2, 0.3, -0.1, 0.2]
TABLE = "A. Author 2020, table 2"


def claim(**more: Any) -> Beats:
    """That a beats b; it cites nothing unless `more` says so."""
    return Beats(name="a>b", better="a", worse="b", primary=True, **more)


def judged(
    one: Any,
    values: Mapping[str, Any] | None = None,
    numbers: Mapping[str, float | None] | None = None,
    **changes: Any,
) -> Verdict:
    """The verdict on one claim, where `numbers` are the published ones of the cells."""
    cells = {name: {"published": number} for name, number in (numbers or {}).items()}
    made = evidence(values or {"a": UP, "b": FLAT}, cells=cells, claims=(one,), **changes)
    (verdict,) = verdicts(made)
    return verdict


def everything(made: Evidence) -> str:
    return document(made).model_dump_json()


def test_a_claim_that_says_nothing_of_its_origin_is_shown_and_never_reproduced() -> None:
    for scale in ("laptop", "gpu", "paper"):
        for values in ({"a": UP, "b": FLAT}, {"a": FLAT, "b": UP}):
            made = evidence(values, claims=(claim(),), scale=scale)
            (verdict,) = verdicts(made)
            assert verdict.decision in (Decision.SHOWN, Decision.NOT_SHOWN)
            assert verdict.words.startswith(f"{verdict.decision.value} at {scale} scale")
            shown = str([document(made).sections[:2]])
            assert "reproduced" not in shown
            assert "contradicted" not in shown


def test_a_claim_with_a_source_and_its_statement_is_reproduced_or_contradicted() -> None:
    cited = claim(source="section 4.2, figure 8", statement="A is better than B.")

    assert judged(cited).words == "reproduced at laptop scale"
    assert judged(cited, {"a": FLAT, "b": UP}).words == "contradicted at laptop scale"
    assert judged(cited).cites == "section 4.2, figure 8"


@pytest.mark.parametrize(
    ("numbers", "source", "decision"),
    [
        ({"a": 60.0, "b": 50.0}, TABLE, Decision.REPRODUCED),
        ({"a": 60.0, "b": None}, TABLE, Decision.SHOWN),
        ({"a": 60.0, "b": 50.0}, "", Decision.SHOWN),
        # A table that says the opposite, or too little, is no source of this claim.
        ({"a": 50.0, "b": 60.0}, TABLE, Decision.SHOWN),
        ({"a": 55.0, "b": 50.0}, TABLE, Decision.SHOWN),
    ],
)
def test_published_numbers_of_all_cells_are_a_citation_where_they_say_the_same(
    numbers: dict[str, float | None], source: str, decision: Decision
) -> None:
    verdict = judged(claim(margin=6.0), numbers=numbers, published_source=source)

    assert verdict.decision is decision
    assert verdict.cites == (source if decision is Decision.REPRODUCED else "")


def test_a_slope_cites_the_table_that_rises_over_all_of_its_cells() -> None:
    rising = Increases(name="rises", along=("a", "b", "c"), primary=True)
    values = {cell: [10.0 * i + s for s in FLAT] for i, cell in enumerate("abc")}
    values["c"] = [v + 0.1 * i for i, v in enumerate(values["c"])]

    for numbers, decision in (
        ({"a": 1.0, "b": 2.0, "c": 3.0}, Decision.REPRODUCED),
        ({"a": 3.0, "b": 2.0, "c": 1.0}, Decision.SHOWN),
        ({"a": 1.0, "b": 2.0, "c": None}, Decision.SHOWN),
    ):
        found = judged(rising, values, numbers, published_source=TABLE)
        assert found.decision is decision


@pytest.mark.parametrize("margin", [0.0, 2.0])
@pytest.mark.parametrize("source", ["", "figure 8"])
def test_the_word_of_the_opposite_needs_the_opposite_to_be_significant(
    margin: float, source: str
) -> None:
    """Each word against scipy's intervals at the level that judged, over many drawn studies."""
    one = claim(margin=margin, source=source, statement="A is better." if source else "")
    words = {
        "above": Decision.REPRODUCED if source else Decision.SHOWN,
        "below": Decision.CONTRADICTED if source else Decision.NOT_SHOWN,
        "small": Decision.SMALLER,
        "open": Decision.INCONCLUSIVE,
    }
    rng = np.random.default_rng(8)
    seen = set[str]()
    for mean in (-3.0, -1.0, -0.2, 0.2, 1.0, 1.6, 3.0):
        for _ in range(8):
            values = rng.normal(mean, 0.5, 5)
            low, high = stats.t.interval(0.975, 4, values.mean(), stats.sem(values))
            expected = "open"
            if low > margin:
                expected = "above"
            elif high < margin:
                expected = "below" if high < 0 else "small"
            seen.add(expected)

            found = judged(one, {"a": (values + 40).tolist(), "b": [40.0] * 5})

            assert found.decision is words[expected], (mean, values)
    assert seen == set(words) - ({"small"} if margin == 0 else set())


def test_what_is_smaller_than_claimed_says_so_with_the_scale() -> None:
    small = [2.3, 2.1, 2.4, 2.5, 2.2]
    one = claim(margin=10.0, source="section 4.2", statement="By more than 10 points.")

    assert judged(one, {"a": small, "b": [0.0] * 5}).words == "smaller than claimed at laptop scale"
    made = {"a": small, "b": [0.0] * 5}
    assert judged(one, made, synthetic_data=True).words == "smaller than claimed on synthetic data"


def test_below_a_negative_margin_is_the_opposite_direction() -> None:
    worse = [-5.0, -5.1, -4.9, -5.2, -4.8]

    found = judged(claim(margin=-2.0), {"a": worse, "b": [0.0] * 5})

    assert found.decision is Decision.NOT_SHOWN


@pytest.mark.parametrize(("b", "difference"), [(50.0, ""), (58.0, "+2.0"), (70.0, "-10.0")])
def test_published_numbers_that_deny_a_claim_with_a_source_are_told(
    b: float, difference: str
) -> None:
    one = claim(margin=6.0, source="section 4.2", statement="By more than 6 points.")

    found = judged(one, numbers={"a": 60.0, "b": b}, published_source=TABLE)

    assert found.decision is Decision.REPRODUCED
    text = f"the published numbers of its cells do not support the claim: {difference}, margin 6"
    assert found.note == (text if difference else "")


@pytest.mark.parametrize("source", ["", "figure 8"])
@pytest.mark.parametrize("mean", [-5.0, 0.0, 0.1, 5.0])
def test_above_a_negative_margin_is_not_yet_the_direction_that_is_claimed(
    source: str, mean: float
) -> None:
    """A loss of 5 points within a margin of -20 is no "a beats b"."""
    values = mean + np.array([0.3, -0.2, 0.1, -0.3, 0.1])
    low, _ = stats.t.interval(0.975, 4, values.mean(), stats.sem(values))
    one = claim(margin=-20.0, source=source, statement="A is better." if source else "")

    found = judged(one, {"a": values.tolist(), "b": [0.0] * 5}).words

    positive = "reproduced" if source else "shown"
    assert found == f"{positive if low > 0 else 'no worse than its margin'} at laptop scale"


def test_on_synthetic_data_nothing_is_reproduced_whatever_is_cited() -> None:
    cited = claim(source="section 4.2, figure 8", statement="A is better than B.")

    found = judged(cited, synthetic_data=True)
    assert (found.decision, found.words) == (Decision.SHOWN, "shown on synthetic data")
    found = judged(cited, {"a": FLAT, "b": UP}, synthetic_data=True)
    assert (found.decision, found.words) == (Decision.NOT_SHOWN, "not shown on synthetic data")


def test_the_reports_say_what_a_claim_cites_and_that_another_cites_nothing() -> None:
    cited = claim(source="section 4.2, figure 8", statement="A is better than B.")
    own = Beats(name="b>a", better="b", worse="a", primary=True)
    made = evidence({"a": UP, "b": FLAT}, claims=(cited, own))

    rows = {row.claim: row for row in board(made).rows}

    assert rows["a>b"].cites == "section 4.2, figure 8"
    assert rows["b>a"].cites == "no publication (this study's own claim)"
    blocks = [b for s in document(made).sections for b in s.blocks]
    cards = [b for b in blocks if b.kind == "card"]
    facts = {card.claim: dict(card.facts) for card in cards}
    assert facts["a>b"]["cites"] == "section 4.2, figure 8"
    assert facts["b>a"]["cites"] == "no publication (this study's own claim)"
    (table,) = [
        b for s in document(made).sections if s.ident == "claims" for b in s.blocks
        if b.kind == "table"
    ]  # fmt: skip
    at = [column.name for column in table.columns].index("cites")
    assert [row[at].text for row in table.rows] == [rows[n].cites for n in ("a>b", "b>a")]


@pytest.mark.parametrize("statement", ["", "  "])
def test_a_source_without_a_statement_is_refused_with_the_fix(statement: str) -> None:
    told = {
        "kind": "beats", "name": "x", "better": "a", "worse": "b",
        "source": "figure 8", "statement": statement,
    }  # fmt: skip

    with pytest.raises(ValidationError, match="source: 'figure 8' needs statement:"):
        TypeAdapter[AnyClaim](AnyClaim).validate_python(told)


def test_a_source_of_blanks_cites_nothing() -> None:
    assert judged(claim(source="  ", statement="So.")).decision is Decision.SHOWN
