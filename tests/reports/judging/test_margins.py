"""Marginal means in tables and figures, against numpy and scipy."""

from itertools import product

import numpy as np
import pytest
from made_evidence import evidence
from scipy import stats

from reports.document.findings import findings_of
from reports.document.results import number_section
from reports.figures.frame import tidy
from reports.figures.svg import render, values
from reports.judging import marginal_means, outcomes
from reports.spec import Evidence, MarginalMeans

SHAPE = (2, 3, 2)
N = 5
CUBE = np.random.default_rng(3).normal(50, 4, (*SHAPE, N))
LEVELS = {
    f"h{i} / b{j} / t{k}": {"head": f"h{i}", "batch": f"b{j}", "temperature": f"t{k}"}
    for i, j, k in product(*map(range, SHAPE))
}


def made(*without: str, seeds_of: dict[str, int] | None = None) -> Evidence:
    columns = dict(zip(LEVELS, CUBE.reshape(-1, N).tolist(), strict=True))
    kept = {
        cell: column[: (seeds_of or {}).get(cell, N)]
        for cell, column in columns.items()
        if cell not in without
    }
    cells = {cell: {"levels": LEVELS[cell]} for cell in kept}
    return evidence(kept, cells=cells, scale_levels=LEVELS)


FIGURE = MarginalMeans(title="t", axis="batch", group="head")


def test_a_marginal_mean_is_over_all_cells_of_a_level_within_each_seed() -> None:
    told = made()

    found = {(one.axis, one.level): one for one in marginal_means(told, outcomes(told))}

    assert list(found) == [(a, label) for a, labels in (
        ("head", ("h0", "h1")), ("batch", ("b0", "b1", "b2")), ("temperature", ("t0", "t1")),
    ) for label in labels]  # fmt: skip
    seeds = CUBE[:, 1].mean((0, 1))
    low, high = stats.t.interval(0.95, N - 1, seeds.mean(), stats.sem(seeds))
    assert found["batch", "b1"].mean[:3] == pytest.approx((seeds.mean(), low, high))
    assert len(found["batch", "b1"].cells) == 4


def test_a_level_without_one_of_its_cells_has_no_mean_and_says_which() -> None:
    told = made("h1 / b2 / t0", seeds_of={"h0 / b0 / t0": 3})

    found = {(one.axis, one.level): one for one in marginal_means(told, outcomes(told))}
    table = next(b for b in number_section(findings_of(told)).blocks if b.kind == "table"
                 and b.ident == "marginal-means")  # fmt: skip

    assert found["batch", "b2"].mean.n == 0
    assert found["batch", "b2"].lacking == ("h1 / b2 / t0",)
    assert found["batch", "b0"].mean.n == 3
    rows = {row[1].text: [cell.text for cell in row] for row in table.rows}
    assert rows["b2"][2:] == ["", "", "0", "4", "h1 / b2 / t0"]
    assert rows["b1"][4:] == ["5", "4", ""]


def test_a_study_of_one_axis_has_no_such_table() -> None:
    told = evidence({"a": [1.0, 2.0], "b": [1.0, 3.0]})

    assert marginal_means(told, outcomes(told)) == ()


def test_the_figure_averages_over_the_axes_that_it_does_not_name() -> None:
    table = values(FIGURE, tidy(made()))

    means = CUBE.mean(2)
    for i, j in product(range(2), range(3)):
        rows = table[(table["group"] == f"h{i}") & (table["place"] == f"b{j}")]
        assert rows["value"].tolist() == pytest.approx(means[i, j].tolist())
        low, high = stats.t.interval(0.95, N - 1, means[i, j].mean(), stats.sem(means[i, j]))
        assert rows[["mean", "low", "high"]].iloc[0].tolist() == pytest.approx(
            [means[i, j].mean(), low, high]
        )
        assert set(rows["cells"]) == {2}


def test_a_point_of_the_figure_that_lacks_a_cell_is_not_drawn_over_the_others() -> None:
    told = made("h1 / b2 / t0")

    table = values(FIGURE, tidy(told))
    drawn = render(FIGURE, tidy(told), "figure1", "top-1 (%)")

    lost = table[table["mean"].isna()]
    assert lost["cell"].tolist() == ["b2, h1"]
    assert drawn is not None
    assert "1 mean without a number of each of its cells is left out." in drawn.caption
    assert "a mean over 2 cells of one seed" in drawn.caption


def test_without_a_group_the_figure_has_one_line() -> None:
    table = values(MarginalMeans(title="t", axis="temperature"), tidy(made()))

    assert table.drop_duplicates("cell")["mean"].tolist() == pytest.approx(
        CUBE.mean((0, 1)).mean(1).tolist()
    )
