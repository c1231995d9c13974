"""The smallest difference that a claim can detect, against statsmodels' power of the t-test."""

import math
from pathlib import Path

import numpy as np
import pytest
from commands import STUDY, called, recorded, the_plan, written_study
from scipy import integrate, stats
from statsmodels.stats.power import TTestPower

from reports.judging.statistics import (
    seeds_for_equivalence,
    smallest_difference,
    smallest_margin,
)

TWO = """\
  - {kind: interaction, name: more so at small batches, axis: views, better: crop+colour, worse: crop,
     by: batch, larger_at: 16, smaller_at: 32, margin: 0, primary: true}
"""
FACTORIAL = (
    STUDY.replace(
        "axes:\n", "axes:\n  - {kind: levels, name: batch, field: batch_size, levels: [16, 32]}\n"
    )
    .replace(
        "roles: {with: crop+colour, without: crop}",
        'roles: {with: "32 / crop+colour", without: "32 / crop"}',
    )
    .replace(
        "figures:",
        TWO.replace("larger_at: 16, smaller_at: 32", 'larger_at: "16", smaller_at: "32"')
        + "figures:",
    )
)


@pytest.mark.parametrize("n", [5, 10, 30])
@pytest.mark.parametrize("level", [0.025, 0.025 / 3, 0.05])
def test_it_is_the_effect_of_eighty_per_cent_power(n: int, level: float) -> None:
    exact = TTestPower().solve_power(nobs=n, alpha=level, power=0.8)

    assert smallest_difference(1.5, n, level) == pytest.approx(1.5 * exact, rel=1e-3)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_its_power_by_integration_is_eighty_per_cent(n: int) -> None:
    """Over the sample's deviation; statsmodels' root search is off for so few seeds."""
    size, critical = smallest_difference(1.0, n, 0.0125), stats.t.isf(0.0125 / 2, n - 1)

    def above(deviation: float) -> float:
        density = stats.chi.pdf(deviation * math.sqrt(n - 1), n - 1) * math.sqrt(n - 1)
        return stats.norm.sf(critical * deviation - size * math.sqrt(n)) * density

    assert integrate.quad(above, 0, np.inf)[0] == pytest.approx(0.8, abs=1e-4)


@pytest.mark.parametrize("n", [4, 5, 10, 40])
def test_the_smallest_margin_is_the_one_that_so_many_seeds_show(n: int) -> None:
    margin = smallest_margin(2.0, n, 0.025)
    values = np.array([-1.0, 1.0] * 5) * 2.0 * math.sqrt(9 / 10)  # mean 0, deviation 2

    assert seeds_for_equivalence(values.tolist(), margin * 1.001, 0.025) == n
    assert seeds_for_equivalence(values.tolist(), margin * 0.999, 0.025) == n + 1


def test_each_primary_claim_has_its_size_at_each_look(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = written_study(here, FACTORIAL)

    claims = called(capsys, "plan", study, "--json").json["detectable"]
    said = called(capsys, "plan", study)

    assert [one["claim"] for one in claims] == ["colour helps", "more so at small batches"]
    for one in claims:
        # Holm's first level of two claims, at each look's half of the 5 %.
        exact = [TTestPower().solve_power(nobs=n, alpha=0.0125, power=0.8) for n in (5, 10)]
        assert [seeds for seeds, _ in one["sizes"]] == [5, 10]
        assert [size for _, size in one["sizes"]] == pytest.approx(exact, rel=1e-3)
        assert one["deviation"] is None
    both = "claims 'colour helps', 'more so at small batches': smallest detectable difference"
    assert f"{both} 2.5 SD at 5 seeds, 1.3 SD at 10 seeds (power 80 %; " in said.out
    assert "no three seeds are on record, and the study states no prior_spread" in said.out


def test_a_prior_spread_of_a_cell_becomes_that_of_the_claims_number(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = FACTORIAL + "prior_spread: {deviation: 1.5, source: five seeds of quickstart}\n"

    difference, interaction = called(capsys, "plan", written_study(here, text), "--json").json[
        "detectable"
    ]

    assert difference["deviation"] == pytest.approx(1.5 * math.sqrt(2))
    assert interaction["deviation"] == pytest.approx(1.5 * 2)  # four cells, each with weight 1
    assert difference["source"] == "the study's prior_spread: five seeds of quickstart"


def test_three_seeds_on_record_replace_it(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = STUDY + "prior_spread: {deviation: 1.5, source: five seeds of quickstart}\n"
    study = written_study(here, text)
    plan = the_plan(study, seeds=(0, 1, 2))
    store = recorded(Path("runs"), plan, crop=None)
    rng = np.random.default_rng(0)
    values = {}
    from commands import record_of

    for trial in plan.trials:
        if trial.cell == "crop":
            values[trial.seed] = 50.0 + trial.seed + float(rng.normal())
            told = {"values": {"top1": values[trial.seed]}}
            store.commit(record_of(trial, plan, **told), store.running / f"{trial.key}.log")

    (one,) = called(capsys, "plan", study, "--json").json["detectable"]

    paired = [50.0 + seed - value for seed, value in values.items()]
    assert one["deviation"] == pytest.approx(np.std(paired, ddof=1))
    assert one["source"] == "3 seeds on record"

    written_study(here, text.replace("epochs: 1", "epochs: 2"))
    (other,) = called(capsys, "plan", study, "--json").json["detectable"]
    assert other["source"] == "the study's prior_spread: five seeds of quickstart"


def test_a_claim_with_an_excluded_cell_detects_nothing_and_smoke_judges_none(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = FACTORIAL + 'exclude: [{where: {batch: "16", views: crop}, reason: it diverges}]\n'
    study = written_study(here, text)

    said = called(capsys, "plan", study)

    assert "claim 'more so at small batches': needs the excluded cell 16 / crop" in said.out
    assert called(capsys, "plan", study, "--scale", "smoke", "--json").json["detectable"] == []


def test_a_selection_names_what_it_leaves_out_and_the_claims_that_lack_it(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = written_study(here, FACTORIAL)

    some = called(capsys, "plan", study, "--only", "batch=32", "--json").json["notes"]
    recorded(here / "runs", the_plan(study, seeds=(0, 1, 2, 3, 4)))
    with_records = called(capsys, "plan", study, "--only", "batch=32", "--json").json["notes"]

    assert "--only leaves out 2 cells of this scale: 16 / crop, 16 / crop+colour" in some
    lacking = "cannot be judged without 16 / crop+colour, 16 / crop"
    assert f"claim 'more so at small batches' {lacking}" in some
    assert not any("'colour helps'" in note for note in some)
    assert not any("cannot be judged" in note for note in with_records)
