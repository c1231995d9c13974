"""Four studies as the shipped ones look, with numbers that never ran: one a figure's layout."""

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import pytest
from made_evidence import PERMUTED, beats, evidence, failed, record

from reports.spec import Bars, Deviation, Evidence, Fact, Heatmap, Increases, Lines, RanksLike

OPERATIONS = ("crop", "cutout", "colour", "sobel", "noise", "blur", "rotation")
DEVIATIONS = tuple(
    Deviation(field=field, here=here, paper=paper)
    for field, here, paper in (
        ("encoder.width", "0.25", "1.0"),
        ("batch_size", "256", "4096"),
        ("epochs", "10", "100"),
        ("optimizer.kind", "adamw", "lars"),
    )
)


def seeds(mean: float, n: int = 5, spread: float = 1.0) -> list[float]:
    """Numbers around a mean that look drawn and are the same each time."""
    return [mean + spread * math.sin(7 * mean + 2.4 * i) for i in range(n)]


def cells(
    axis: str, published: Mapping[str, float | None], deviations: Sequence[Deviation] = DEVIATIONS
) -> dict[str, dict[str, Any]]:
    """The cells of a study with one axis."""
    return {
        name: {"levels": {axis: name}, "published": number, "deviations": tuple(deviations)}
        for name, number in published.items()
    }


@cache
def quickstart() -> Evidence:
    """Three arms, their floor and the control, 5 seeds, on synthetic data."""
    return evidence(
        {
            "crop": seeds(19.8),
            "crop+colour": seeds(69.2),
            "crop+colour+rotation": seeds(36.6),
        },
        floor=seeds(39.0),
        cells=cells("views", {"crop": 33.1, "crop+colour": 56.3, "crop+colour+rotation": None}),
        roles={
            "with colour": "crop+colour",
            "alone": "crop",
            "with rotation": "crop+colour+rotation",
            "floor": "random encoder",
        },
        claims=(
            beats(
                "with colour",
                "alone",
                name="colour helps cropping",
                statement="One composition stands out: random cropping and colour distortion.",
            ),
            beats("with colour", "floor", name="something is learned"),
            beats("with colour", "with rotation", name="rotation hurts"),
        ),
        figures=(Bars(title="Accuracy by augmentation", axis="views"),),
        synthetic_data=True,
        data_name="textures (synthetic, 2000 images)",
        published_source="figure 5",
        published_about="printed to 0.1",
        methods=(Fact(name="encoder", text="resnet, blocks [1, 1, 1], width 0.25"),),
    )


@cache
def compositions() -> Evidence:
    """Figure 5's 49 ordered pairs, 3 seeds, some of them missing, one failed, one record astray."""
    values, published = dict[str, list[float | None]](), dict[str, float | None]()
    for i, first in enumerate(OPERATIONS):
        for j, second in enumerate(OPERATIONS):
            name = first if first == second else f"{first}+{second}"
            published[name] = round(5.0 + 50 * abs(math.sin(i + 2.3 * j + 1)), 1)
            have = (3, 3, 3, 2, 3, 1, 0)[(3 * i + 5 * j + 4) % 7] if i != 2 else 3
            column = seeds(30 + 12 * abs(math.sin(i + 2.3 * j + 1)), 3)
            values[name] = [value if at < have else None for at, value in enumerate(column)]
    gone = next(name for name, column in values.items() if column[2] is None)
    return evidence(
        values,
        floor=seeds(33.5, 3, 0.4),
        cells=cells("operations", published),
        study="compositions",
        title="Composition of data augmentations",
        question="Which operations must be composed for a good representation?",
        roles={"both": "crop+colour", "crop alone": "crop", "colour alone": "colour"},
        claims=(
            beats("both", "crop alone", name="crop and colour beat crop alone"),
            beats("both", "colour alone", name="crop and colour beat colour alone"),
            RanksLike(name="the compositions follow the paper's order", primary=True),
        ),
        figures=(Heatmap(title="Linear evaluation by composition", axis="operations"),),
        extra=(failed(gone, 2), record("elsewhere", 0, 11.1)),
    )


@cache
def projection_head() -> Evidence:
    """Bars; three primary claims and one that only explores."""
    published = {"none": 50.2, "linear 64": 61.3, "mlp 64": 63.7, "mlp 128": 64.0, "mlp 32": 63.8}
    ours = {"none": 40.0, "linear 64": 45.0, "mlp 64": 48.0, "mlp 128": 48.5, "mlp 32": 47.0}
    return evidence(
        {name: seeds(mean) for name, mean in ours.items()} | {"mlp 64 2-hidden": seeds(47.6)},
        floor=seeds(33.0),
        cells=cells("head", published | {"mlp 64 2-hidden": None}),
        study="projection-head",
        title="The projection head",
        claims=(
            beats("mlp 64", "linear 64", name="a non-linear head beats a linear one"),
            beats("mlp 64", "none", name="a non-linear head beats none"),
            RanksLike(name="the heads follow the paper's order"),
        ),
        figures=(Bars(title="Linear evaluation by projection head", axis="head"),),
    )


@cache
def batch_size() -> Evidence:
    """Lines at paper scale without a deviation; its control failed, so no verdict is given."""
    published = {"256": 57.5, "512": 60.7, "1024": 62.8, "2048": 64.0, "4096": 64.6, "8192": 64.8}
    return evidence(
        {name: seeds(40.0 + 2 * at) for at, name in enumerate(published)},
        floor=seeds(33.0),
        cells=cells("batch", published, ()),
        study="batch-size",
        title="Larger batches",
        scale="paper",
        roles={"batches": tuple(published)},
        control=PERMUTED | {"permuted/mean": 12.9},
        claims=(Increases(name="accuracy rises with the batch", along=("batches",), primary=True),),
        figures=(Lines(title="Linear evaluation by batch size", axis="batch"),),
    )


STUDIES = (quickstart, compositions, projection_head, batch_size)
WHOLE = tuple(
    pytest.param(
        study,
        id=study.__name__,
        marks=() if study in (quickstart, batch_size) else pytest.mark.proof,
    )
    for study in STUDIES
)
"""For tests that write a report from end to end: two in `make test`, all in the proof."""
