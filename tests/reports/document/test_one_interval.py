"""A claim has one interval wherever it appears, and beside it the error of the test images."""

import math

import numpy as np
import pytest
from made_evidence import beats, evidence
from scipy import stats

from reports.document.claim_page import claim_pages
from reports.document.findings import findings_of
from reports.document.results import claim_section
from reports.figures.forest import values
from reports.figures.svg import render_forest
from reports.judging.test_set_error import sampling_error
from reports.judging.trial_outcomes import outcomes
from reports.judging.verdict import verdicts
from reports.judging.verdict_board import board
from reports.spec import Equivalent, Evidence, Increases

UP = [9.0, 9.5, 8.5, 9.2, 8.8, 4.0, 14.0]
FLAT = [0.1, -0.2, 0.3, -0.1, 0.2, 0.0, 0.1]


def shown(made: Evidence) -> tuple[str, str, str, tuple[str, str]]:
    """The interval of the first claim on the board, the card, in the table and in the figure."""
    found = findings_of(made)
    (row, *_) = board(made).rows
    card = next(b for b in next(claim_pages(found)).blocks if b.kind == "card")
    (on_card,) = [f"{name}: {text}" for name, text in card.facts if "interval" in name]
    (table,) = claim_section(found).blocks
    names = [column.name for column in table.columns]
    in_table = [table.rows[0][names.index(name)].text for name in ("interval", "level")]
    drawn = values(found.judged).iloc[0]
    figure = (f"[{drawn['low']:+.1f}, {drawn['high']:+.1f}]", drawn["level"])
    return f"{row.level}: {row.interval}", on_card, ": ".join(in_table), figure


def test_the_caption_of_the_differences_states_no_level_that_a_whisker_has_not() -> None:
    made = evidence({"a": UP, "b": FLAT}, claims=(beats("a", "b"),))
    judged = findings_of(made).judged

    (level,) = set(values(judged)["level"])
    picture = render_forest(judged, "figure1", "%")

    assert picture is not None
    assert level == "97.5 %"
    assert "at the level printed under the claim's name" in picture.caption
    assert "Whiskers are 95 %" not in picture.caption


def test_a_judged_claim_has_the_interval_that_judged_everywhere() -> None:
    made = evidence({"a": UP, "b": FLAT}, claims=(beats("a", "b"),))
    differences = np.subtract(UP, FLAT)[:5]  # the look's seeds, not all seven
    low, high = stats.t.interval(0.975, 4, loc=differences.mean(), scale=stats.sem(differences))
    text = f"[{low:+.1f}, {high:+.1f}]"

    on_board, on_card, in_table, in_figure = shown(made)

    assert on_board == f"97.5 %: {text}"
    assert on_card == f"97.5 % interval: {text}"
    assert in_table == f"{text}: 97.5 %"
    assert in_figure == (text, "97.5 %")


def test_an_equivalence_has_the_interval_of_its_deciding_pair_and_both_ends_everywhere() -> None:
    claim = Equivalent(name="alike", among=tuple("abc"), margin=2.5, primary=True)
    made = evidence({"a": FLAT, "b": [v + 1 for v in UP], "c": UP}, claims=(claim,))
    difference = np.subtract(FLAT, [v + 1 for v in UP])[:5]
    level = 1 - 0.025 / 3
    low, high = stats.t.interval(level, 4, loc=difference.mean(), scale=stats.sem(difference))
    text = f"[{low:+.1f}, {high:+.1f}]"

    on_board, on_card, in_table, in_figure = shown(made)

    assert on_board == f"99.17 %: {text}"
    assert on_card == f"99.17 % interval: {text}"
    assert in_table == f"{text}: 99.17 %"
    assert in_figure == (text, "99.17 %")
    found = findings_of(made)
    drawn = values(found.judged).iloc[0]
    assert (drawn["margin"], drawn["lower_margin"]) == (2.5, -2.5)
    (listed,) = claim_section(found).blocks
    row = dict(zip([column.name for column in listed.columns], listed.rows[0], strict=True))
    assert row["cells"].text == "a against b, of 3 cells"
    assert row["margin"].text == "±2.5"
    assert "Of more than two cells every pair is tested" in listed.caption
    picture = render_forest(found.judged, "figure1", "%")
    assert picture is not None
    assert "the two ends of a margin of equivalence" in picture.caption


def test_before_a_look_the_interval_is_95_per_cent_and_a_description_everywhere() -> None:
    made = evidence({"a": UP[:3], "b": FLAT[:3]}, claims=(beats("a", "b"),))
    differences = np.subtract(UP, FLAT)[:3]
    low, high = stats.t.interval(0.95, 2, loc=differences.mean(), scale=stats.sem(differences))
    text = f"[{low:+.1f}, {high:+.1f}]"

    on_board, on_card, in_table, in_figure = shown(made)

    assert on_board == f"descriptive 95 %: {text}"
    assert on_card == f"descriptive 95 % interval: {text}"
    assert in_table == f"{text}: descriptive 95 %"
    assert in_figure == (text, "95 %")


def error_over_images(cells: dict[str, list[float]], claim: object, images: object = 1000) -> float:
    """The sampling error of the only claim, whose records name the number of test images."""
    made = evidence(cells, claims=(claim,))
    records = tuple(
        r.model_copy(update={"facts": {**r.facts, "data": {"test images": images}}})
        for r in made.records
    )
    made = made.model_copy(update={"records": records})
    (verdict,) = verdicts(made)
    return sampling_error(verdict, made, outcomes(made))


def test_the_error_of_the_test_images_is_that_of_two_binomials() -> None:
    found = error_over_images({"a": [60.0, 64.0], "b": [50.0, 50.0]}, beats("a", "b"))

    shares = (stats.binom.std(1000, 0.62) / 1000, stats.binom.std(1000, 0.5) / 1000)
    assert found == pytest.approx(100 * math.hypot(*shares))


def test_the_error_of_an_equivalence_is_that_of_its_deciding_pair() -> None:
    cells = {"a": [60.0, 64.0], "b": [50.0, 51.0], "c": [60.5, 63.0]}
    claim = Equivalent(name="alike", among=tuple(cells), margin=2.0)

    found = error_over_images(cells, claim)

    nearest = error_over_images({"a": cells["a"], "b": cells["b"]}, beats("a", "b"))
    other = error_over_images({"b": cells["b"], "c": cells["c"]}, beats("c", "b"))
    assert found in (nearest, other)
    (verdict,) = verdicts(evidence(cells, claims=(claim,)))
    assert found == (nearest if verdict.shown_cells == ("a", "b") else other)


def test_the_error_of_a_slope_bounds_that_of_cells_that_agree_on_each_image() -> None:
    cells = {"a": [40.0] * 2, "b": [50.0] * 2, "c": [60.0] * 2, "d": [70.0] * 2}
    claim = Increases(name="rises", along=tuple("abcd"), primary=True)
    # The same image is right in every cell whose accuracy passes its difficulty.
    rng = np.random.default_rng(0)
    difficulty = rng.random((4000, 1000))
    right = np.stack([(difficulty < share).mean(1) for share in (0.4, 0.5, 0.6, 0.7)])
    slopes = 100 * (right * np.array([-0.3, -0.1, 0.1, 0.3])[:, None]).sum(0)

    assert slopes.std() < error_over_images(cells, claim)


@pytest.mark.parametrize("images", [None, 0, "many"])
def test_without_a_number_of_test_images_the_error_is_unknown(images: object) -> None:
    assert math.isnan(
        error_over_images({"a": [60.0] * 2, "b": [50.0] * 2}, beats("a", "b"), images)
    )
