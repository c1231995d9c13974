"""One page a claim: the rule, the number with its one interval, every seed, deviations, threats."""

import math
from typing import Any

import pytest
from made_document import document_of
from made_evidence import beats, evidence, failed
from made_studies import STUDIES, batch_size, compositions, quickstart
from scipy import stats

from reports.document.blocks import Facts, Section, Table
from reports.document.deviation_order import largest
from reports.figures.svg import render_claim
from reports.judging import table, verdicts
from reports.judging.statistics import detectable
from reports.judging.trial_outcomes import outcomes
from reports.spec import Deviation, Equivalent, Increases, Pretraining, RanksLike, Scope, Stamp
from reports.spec.evidence import Evidence
from sweeps.intervals import interval

UP = [9.0, 9.5, 8.5, 9.2, 8.8]
FLAT = [0.1, -0.2, 0.3, -0.1, 0.2]


def page(made: Evidence, nth: int = 1) -> Section:
    return next(s for s in document_of(made).sections if s.ident == f"claim{nth}")


def facts(made: Evidence, title: str, nth: int = 1) -> dict[str, str]:
    blocks = page(made, nth).blocks
    return dict(next((b.facts for b in blocks if isinstance(b, Facts) and b.title == title), ()))


def judged(made: Evidence) -> dict[str, str]:
    return facts(made, "How it is judged")


def threats(made: Evidence) -> dict[str, str]:
    return facts(made, "Threats to validity")


def tables(made: Evidence, nth: int = 1) -> dict[str, list[list[str]]]:
    blocks = [block for block in page(made, nth).blocks if isinstance(block, Table)]
    return {b.ident: [[cell.text for cell in row] for row in b.rows] for b in blocks}


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.__name__)
def test_each_claim_has_a_page_of_its_own_and_the_figures_begin_another(study: Any) -> None:
    sections = document_of(study()).sections

    pages = [section for section in sections if section.ident.startswith("claim")]
    named = [section.title for section in pages if section.ident != "claims"]
    primary_first = sorted(study().claims, key=lambda claim: not claim.primary)
    assert named == [f"Claim {nth}: {c.name}" for nth, c in enumerate(primary_first, 1)]
    assert [s.ident for s in sections if s.page] == [
        *(f"claim{nth}" for nth in range(1, len(named) + 1)),
        "figures",
    ]


@pytest.mark.parametrize(
    ("margin", "rule"),
    [
        (0.0, "shown if the interval is above it, not shown if it is below it, else"),
        (2.0, ("shown if the interval is above it, not shown if it is below it and below 0, "
              "smaller than claimed if it is below the margin but not below 0, else")),
        (-2.0, ("shown if the interval is above it and above 0, not shown if it is below it, "
               "no worse than its margin if it is above the margin but not above 0, else")),
    ],
)  # fmt: skip
def test_the_rule_says_what_each_result_would_have_meant(margin: float, rule: str) -> None:
    claim = beats("a", "b", margin=margin, source="", statement="")
    made = evidence({"a": UP, "b": FLAT}, claims=(claim,))

    told = judged(made)["rule"]

    assert told.startswith(
        "a minus b, one number per seed, by a two-sided t-test against the margin"
    )
    assert f"margin of {margin:+g} points: {rule} inconclusive." in told


def test_rules_of_other_kinds_name_their_tests_and_verdicts() -> None:
    kinds = (
        Increases(name="i", along=("a", "b"), primary=True, source="s", statement="t"),
        Equivalent(name="e", among=("a", "b"), margin=2.5, primary=True),
        RanksLike(name="r", primary=False),
    )
    made = evidence({"a": FLAT, "b": UP}, claims=kinds)

    rise, alike, ranks = (facts(made, "How it is judged", nth)["rule"] for nth in (1, 2, 3))

    assert rise.startswith("The least-squares slope along a, b, one number per seed")
    assert "reproduced if the interval is above it, contradicted if" in rise
    assert "shown if the interval of every pair lies within ±2.5 points" in alike
    assert ranks == "Exploratory: the number is an estimate and is not judged."
    (ranked,) = verdicts(
        batch_size().model_copy(update={"claims": (RanksLike(name="r", primary=True),)})
    )
    assert ranked.published_cells == (57.5, 60.7, 62.8, 64.0, 64.6, 64.8)


def test_the_rule_and_its_date_are_those_before_the_first_trial() -> None:
    made = evidence({"a": UP, "b": FLAT}, claims=(beats("a", "b"),))
    fixed = Stamp(fixed="2026-11-20T10:00:00Z", sha256="ab" * 32)

    assert "fixed" not in judged(made)
    told = judged(made.model_copy(update={"stamp": fixed}))["fixed"]
    assert told == "before the first trial, on 2026-11-20T10:00:00Z (sha256 abababababababab)"
    lost = made.model_copy(update={"stamp": Stamp(unknown="the stamp is damaged")})
    assert judged(lost)["fixed"] == "the stamp is damaged"


def test_the_interval_is_explained_by_the_level_of_the_claims_test() -> None:
    before = evidence({"a": UP[:3], "b": FLAT[:3]}, claims=(beats("a", "b"),))
    after = evidence({"a": UP, "b": FLAT}, claims=(beats("a", "b"),))

    assert judged(before)["interval"].startswith("95 % over all 3 seeds that every cell has")
    assert judged(after)["interval"] == (
        "97.5 % over the 5 seeds of the look, because the test of this claim has an error rate of 2.5 %: "
        "it lies to one side of the margin exactly where the test rejects"
    )
    assert (
        "at 5 seeds (error rate 2.5 %) and 10 seeds (error rate 2.5 %), by it alone"
        in judged(after)["judged"]
    )
    assert judged(after)["other error"].startswith("the choice of test images, of unknown size")


def test_every_seed_is_listed_with_the_number_that_is_tested() -> None:
    made = evidence({"a": UP[:3], "b": [*FLAT[:2], None]}, claims=(beats("a", "b"),))

    assert tables(made)["claim1-seeds"] == [
        ["a", "9.00", "9.50", "8.50"],
        ["b", "0.10", "-0.20", ""],
        ["difference", "+8.90", "+9.70", ""],
    ]


def test_every_seed_is_drawn_and_those_after_the_look_are_hollow() -> None:
    made = evidence({"a": [*UP, 4.0, 14.0], "b": [*FLAT, 0.0, 0.1]}, claims=(beats("a", "b"),))
    found = outcomes(made)
    (verdict,) = verdicts(made, found)

    drawn = render_claim(verdict, table(found), "claim1", "top-1 (%)", "points")

    assert drawn is not None
    assert "hollow if the look that judged did not use it" in drawn.caption
    # 2 x 7 dots of the cells, 7 of the differences: 2 of these without a filling.
    assert drawn.svg.count("<use ") - drawn.svg.count("tick") >= 21 - 7
    assert drawn.alt == "All seeds of the claim a>b. Means by cell: a 9.0; b 0.1."


def test_before_a_seed_is_complete_there_is_nothing_to_draw() -> None:
    made = evidence({"a": [None] * 5, "b": [1.0, *[None] * 4]}, claims=(beats("a", "b"),))

    assert [block.kind for block in page(made).blocks] == ["card", "facts"]


def test_the_largest_deviation_of_each_part_comes_first() -> None:
    told = (
        ("optimizer.weight_decay", "0.0001", "1e-06"),
        ("data.size", "32", "224"),
        ("data.kind", "textures", "folder"),
        ("epochs", "10", "100"),
        ("encoder.width", "0.25", "1.0"),
        ("encoder.depth", "18", "50"),
        ("batch_size", "256", "4096"),
        ("loss.temperature", "0.5", "0.1"),
    )
    given = [Deviation(field=field, here=here, paper=paper) for field, here, paper in told]

    assert [one.field for one in largest(given)] == [
        "data.kind",
        "epochs",
        "encoder.width",  # a ratio of 4, of depths 2.8
        "batch_size",
        "loss.temperature",
        "optimizer.weight_decay",
        "data.size",
        "encoder.depth",
    ]


def test_five_deviations_are_listed_and_all_are_counted() -> None:
    many = tuple(Deviation(field=f"loss.f{nth}", here="1", paper="2") for nth in range(7))
    cells = {cell: {"deviations": many} for cell in "ab"}
    made = evidence({"a": UP, "b": FLAT}, claims=(beats("a", "b"),), cells=cells)

    [block] = [b for b in page(made).blocks if getattr(b, "ident", "") == "claim1-deviations"]

    assert isinstance(block, Table)
    assert len(block.rows) == 5
    assert block.caption.startswith("The largest 5 of 7 deviations of its cells from the paper:")


def test_threats_are_those_that_the_records_show() -> None:
    plain = evidence({"a": UP, "b": FLAT}, claims=(beats("a", "b"),), floor=FLAT)
    lost = evidence({"a": [*UP, None], "b": [*FLAT, 0.0]}, claims=(beats("a", "b"),),
                    extra=(failed("a", 5),))  # fmt: skip

    assert list(threats(plain)) == ["nothing learned", "seeds", "records", "shared images"]
    assert threats(plain)["nothing learned"].endswith("on average: b")
    assert threats(lost)["failures"].startswith("without a number: a seed 5")
    assert "images" in threats(quickstart())
    assert threats(compositions())["controls"] == "not passed: something learned (not decided yet)"


def test_scale_probe_code_and_machines_are_threats_with_their_numbers() -> None:
    untuned = Deviation(field="optimizer.learning_rate", here="not tuned", paper="tuned")
    made = evidence(
        {"a": UP, "b": FLAT}, claims=(beats("a", "b"),), cells={"a": {"deviations": (untuned,)}}
    )
    about: dict[str, Any] = {"data": "d", "images": 1, "size": 1, "epochs": 1, "batch": 1}
    small, large = (
        Pretraining(**about, network="n", operations=number) for number in (3, 4_000_000_000)
    )
    scope = Scope(here={"a": small, "b": small}, full={"a": large, "b": large})
    records = tuple(
        one.model_copy(
            update={
                "facts": one.facts | {"l2_at_the_edge": one.seed == 0, "probe_converged": False},
                "provenance": {
                    "code": {"commit": "abc"[one.seed % 3], "dirty": one.seed == 1},
                    "machine": {"cpu": "one" if one.seed else "another"},
                },
            }
        )
        for one in made.records
    )

    told = page(made.model_copy(update={"records": records, "scope": scope})).blocks

    [found] = [one.facts for one in told if getattr(one, "title", "") == "Threats to validity"]
    kinds = ("scale", "tuning", "probe", "code", "machines")
    assert [f"{name}: {text}" for name, text in found if name in kinds] == [
        (
            "scale: a full replication trains its encoders with 1,330,000,000 times as many "
            "operations; what is learned late may differ"
        ),
        "tuning: not tuned here, but in the paper: optimizer.learning_rate",
        "probe: its l2 is at the edge of the candidates in 2 of 10 trials",
        "probe: it did not converge in 10 of 10 trials",
        "code: uncommitted changes in 2 of 10 trials",
        "code: trials come from 3 commits",
        "machines: trials ran on 2 kinds of machine, between which numbers differ by rounding",
    ]


@pytest.mark.parametrize("level", [0.95, 0.975])
def test_the_effect_that_the_seeds_can_find_has_the_power_that_it_claims(level: float) -> None:
    """By the distribution function of the noncentral t."""
    shown = interval(UP, level)

    least = detectable(shown)

    assert least is not None
    shift = least * math.sqrt(shown.n) / shown.deviation
    critical = stats.t.ppf((1 + level) / 2, shown.n - 1)
    assert stats.nct.sf(critical, shown.n - 1, shift) == pytest.approx(0.8, abs=1e-6)
    assert detectable(interval([1.0])) is None
