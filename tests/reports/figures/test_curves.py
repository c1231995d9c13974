"""Learning curves: what is averaged over what, which arms are drawn, and that names can be read."""

from typing import Any

import pytest
from made_evidence import evidence, record
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from reports.document.sections import document
from reports.figures import curves
from reports.judging.trial_outcomes import outcomes
from reports.spec.evidence import Evidence

STEPS = [float(step) for step in range(1, 81)]


def trained(**arms: list[list[float | None]]) -> Evidence:
    """Arms of ten epochs and 80 steps with one loss a step, one list for each seed."""
    made = evidence({arm: [50.0] * len(losses) for arm, losses in arms.items()}, pixels=None)
    records = tuple(
        one.model_copy(
            update={
                "config": {"epochs": 10},
                "curve": {"step": STEPS, "loss": arms[one.cell][one.seed]},
            }
        )
        if one.role == "arm"
        else one
        for one in made.records
    )
    return made.model_copy(update={"records": records})


def line(end: float) -> list[float | None]:
    """From 5 to an end, evenly."""
    return [5 + (end - 5) * step / 80 for step in STEPS]


def canvas(made: Evidence) -> Any:
    table = curves.values(outcomes(made), "loss")
    drawn = FigureCanvasAgg(Figure(figsize=curves.size(table)))
    curves.draw(drawn.figure, table, "loss (nats)")
    drawn.draw()
    return drawn.figure


def test_a_point_is_the_mean_over_seeds_of_each_seeds_average_within_its_part() -> None:
    first, second = [1.0, 3.0, *[0.0] * 78], [5.0, None, *[0.0] * 78]
    made = trained(a=[first, second])

    table = curves.values(outcomes(made), "loss").set_index("epoch")

    # 40 parts of 2 steps: seed 0 has the average 2, seed 1 its only value 5.
    assert len(table) == curves.BINS
    assert table.loc[0.25].to_dict() == {
        "arm": "a", "mean": 3.5, "low": 2.0, "high": 5.0, "n": 2, "logged": 2
    }  # fmt: skip
    assert table.index[-1] == 10.0


def test_a_curve_without_numbers_or_of_no_arm_is_left_out() -> None:
    plain = evidence(
        {"a": [1.0]}, extra=(record("x", 0, 1.0, curve={"step": [1.0], "loss": [2.0]}),)
    )

    assert curves.values(outcomes(plain), "loss").empty
    assert curves.values(outcomes(trained(a=[line(2.0)])), "knn/validation").empty
    assert "curves" not in [section.ident for section in document(plain).sections]


def test_the_report_has_one_figure_a_metric_with_its_band_explained() -> None:
    (section,) = [
        s for s in document(trained(a=[line(2.0), line(3.0)])).sections if s.ident == "curves"
    ]
    [drawn] = section.blocks

    assert drawn.kind == "drawing"
    assert drawn.ident == "curve-loss"
    assert drawn.caption.startswith("The band is the range over up to 2 seeds")
    assert (
        "At the end: a 2.5" in drawn.alt
    )  # the last two steps of 80, of lines that end at 2 and 3


def test_with_one_seed_there_is_no_band_and_the_caption_says_so() -> None:
    table = curves.values(outcomes(trained(a=[line(2.0)])), "loss")

    assert curves.caption(table).startswith("There is one seed, so no band")


@pytest.mark.parametrize(
    "ends", [(2.0, 2.01, 2.02, 2.03, 2.04), (4.9, 4.91, 4.92, 2.0), (2.0, 4.0)]
)
def test_the_names_at_the_ends_do_not_cover_each_other(ends: tuple[float, ...]) -> None:
    figure = canvas(trained(**{f"arm {nth}": [line(end)] for nth, end in enumerate(ends)}))

    names = [text for axes in figure.axes for text in axes.texts if text.get_text()]
    boxes, texts = [name.get_window_extent() for name in names], [name.get_text() for name in names]
    assert len(boxes) == len(ends)
    assert not [
        1 for at, one in enumerate(boxes) for other in boxes[at + 1 :] if one.overlaps(other)
    ]
    heights = sorted(zip([box.y0 for box in boxes], texts, strict=True))
    order = sorted(range(len(ends)), key=lambda nth: ends[nth])
    assert [text.partition("  ")[0] for _, text in heights] == [f"arm {nth}" for nth in order]


def test_more_arms_get_a_panel_each_and_too_many_leave_the_middle_out() -> None:
    six = trained(**{f"a{nth}": [line(2.0 + nth / 10)] for nth in range(6)})
    many = trained(**{f"a{nth}": [line(2.0 + nth / 10)] for nth in range(20)})

    panels = [axes.get_title(loc="left") for axes in canvas(six).axes if axes.axison]
    table = curves.values(outcomes(many), "loss")

    assert panels == [f"a{nth}" for nth in range(6)]
    assert curves.chosen(table) == [f"a{nth}" for nth in (*range(6), *range(14, 20))]
    assert "Of 20 arms those 12 are drawn that end highest and lowest" in curves.caption(table)


def test_the_axis_of_values_ends_where_the_bands_end() -> None:
    (axes,) = canvas(trained(a=[line(4.0), line(4.2)])).axes

    low, high = axes.get_ylim()
    assert 3.9 < low < 4.0
    assert 4.9 < high < 5.1
    assert axes.get_xlim() == (0, 10)


@pytest.mark.parametrize(
    ("every", "words"),
    [
        (1, "each point is an average over 1/40 of training."),
        (4, "each point is one logged step of each seed."),
    ],
)
def test_the_caption_says_of_what_a_point_is_made(every: int, words: str) -> None:
    some = [value if nth % every == 0 else None for nth, value in enumerate(line(1.0))]

    table = curves.values(outcomes(trained(a=[some, some])), "loss")

    assert len(table) == (40 if every == 1 else 20)
    assert words in curves.caption(table)
