"""A study: a question about the paper as one data file, without code."""

from collections import Counter
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    model_validator,
)

from ablations.study.protocols import Preset
from ablations.study.scale_axes import Layer, merged
from reports.spec import AnyClaim, AnyFigure, Deviation, Looks
from sweeps.base import Frozen
from sweeps.planning import AnyAxis, Exclusion

ScaleName = Literal["smoke", "laptop", "gpu", "paper"]
"""The scales of a study, by cost."""

SCALES: tuple[ScaleName, ...] = ("smoke", "laptop", "gpu", "paper")

FLOOR = "random encoder"
"""The baseline of every study: an encoder that is evaluated but not trained."""

PIXELS = "raw pixels"
"""The baseline without any network: the same probe on the raw pixels."""

PIXEL_SIDES: dict[ScaleName, int] = {"laptop": 16, "gpu": 32, "paper": 32}
"""Scale -> the side in pixels that larger images are averaged down to; smoke has no such cell."""

CONTROL = "permuted labels"
"""The control in which a probe must find nothing: randomly permuted labels."""

PERMUTATIONS = 20

SHUFFLED = "shuffled positives"
"""The control in which pre-training must learn nothing: pairs of different images. Not at smoke."""

SHUFFLED_SEEDS = 2
"""Training runs of it; the rule takes its spread from all arms, so more would add little."""

MOST_SMOKE_CELLS = 4

NUM_SEEDS = 5


def _as_seeds(value: object) -> object:
    """A count means the first seeds: 5 is 0 to 4."""
    if isinstance(value, int) and not isinstance(value, bool):
        if not 1 <= value <= 10_000:
            raise ValueError(f"a number of seeds must be 1 to 10000, got {value}")
        return tuple(range(value))
    return value


def _each_once(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if twice := sorted(seed for seed, times in Counter(seeds).items() if times > 1):
        raise ValueError(
            f"each seed may be given only once, got {', '.join(map(str, twice))} more than once"
        )
    return seeds


Seeds = Annotated[
    tuple[Annotated[int, Field(ge=0, lt=2**31, strict=True)], ...],
    BeforeValidator(
        _as_seeds,
        json_schema_input_type=Annotated[int, Field(ge=1, le=10_000)]
        | Annotated[
            tuple[Annotated[int, Field(ge=0, lt=2**31)], ...],
            Field(min_length=1, json_schema_extra={"uniqueItems": True}),
        ],
    ),
    AfterValidator(_each_once),
    Field(min_length=1),
]
"""A list of seeds, or a count n for seeds 0 to n - 1."""

Roles = dict[str, str | tuple[str, ...]]
"""A name for a cell, or for several in order."""


class Published(Frozen):
    """The paper's numbers for a study's cells, by the name of a table or written in the study."""

    from_: str | None = Field(default=None, alias="from", examples=["figure-5"])
    """A table of `ablations/published`, or a YAML file of that form next to the study."""

    cells: dict[str, str] | None = Field(default=None, examples=[{"1x": "resnet-50 1x"}])
    """Cell of the study -> name in the table; left out: the names are the same."""

    values: dict[str, float] | None = Field(default=None, examples=[{"crop": 33.1}])
    """Cell of the study -> number, instead of a table."""

    source: Annotated[str, StringConstraints(strip_whitespace=True)] = Field(
        default="", examples=["section 3.1, figure 5"]
    )
    """Where the numbers are published; required with `values`."""

    precision: str = Field(default="", examples=["read off the figure, to 0.1 points"])
    """The precision of the numbers."""

    tie: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """With `values`: numbers that are closer than this count as tied; a table has its own threshold."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.from_ is None) == (self.values is None):
            raise ValueError("give the paper's numbers by exactly one of from: and values:")
        if self.values is not None and not self.source:
            raise ValueError(
                "values: needs source:, the place in the paper where the values are printed"
            )
        if self.from_ is not None and self.tie:
            raise ValueError(
                "tie: can only be used with values:; a table named by from: has its own"
            )
        if self.values is not None and self.cells is not None:
            raise ValueError("cells: can only be used with from:; values: names the cells itself")
        return self


class PriorSpread(Frozen):
    """What is known before the first trial of how much seeds differ."""

    deviation: float = Field(gt=0, allow_inf_nan=False, examples=[1.2])
    """The standard deviation of a cell's metric over seeds, in its unit, after the part that all cells
    of a seed share is taken out."""

    source: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)] = Field(
        examples=["five seeds of quickstart at laptop scale"]
    )
    """Where the number comes from."""


class DeclaredDeviation(Deviation):
    """A deviation from the paper that no field of the configuration shows, such as untuned rates."""

    cells: tuple[str, ...] | None = Field(default=None, examples=[["crop"]])
    """The cells that deviate; None: every arm."""

    @property
    def deviation(self) -> Deviation:
        """The deviation in the form that the report lists."""
        return Deviation(field=self.field, here=self.here, paper=self.paper)


class Scale(Preset):
    """The changes of a study at one scale. An empty scale is the study's base over the paper's protocol."""

    protocol: str | None = Field(default=None, examples=["laptop"])
    """A shipped protocol, or a YAML file relative to the study's file; the study's base overrides it."""

    axes: tuple[AnyAxis, ...] | None = Field(
        default=None,
        min_length=1,
        examples=[
            [{"kind": "levels", "name": "width", "field": "encoder.width", "levels": {"1x": 0.125}}]
        ],
    )
    """Different values for levels of the study's axes, by name and label; the other levels stay. An
    axis with a new label replaces the study's axis, and a new axis replaces all axes."""

    only: tuple[str, ...] | None = Field(default=None, examples=[["crop", "crop+colour"]])
    """The cells to run at this scale; by default all, and at `smoke` at most four."""

    seeds: Seeds | None = Field(default=None, examples=[2])
    """Seeds that replace the study's."""

    roles: Roles = Field(default_factory=dict, examples=[{"largest": "256"}])
    """Roles that name other cells at this scale."""

    deviations: tuple[DeclaredDeviation, ...] = Field(
        default=(),
        examples=[[{"field": "optimizer.learning_rate", "here": "not tuned", "paper": "tuned"}]],
    )
    """Differences from the paper that the configuration does not show; listed with each verdict."""


class Scales(Frozen):
    """The four scales of a study; a scale that is left out is the study's base."""

    smoke: Scale = Scale()
    """A few cells and seconds in total; checks that everything runs."""

    laptop: Scale = Scale()
    """Two cores and minutes to hours."""

    gpu: Scale = Scale()
    """One accelerator and hours to days."""

    paper: Scale = Scale()
    """The paper's own protocol."""


class Study(Frozen):
    """A question, the cells that answer it, and the claims, which are fixed before the first trial."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$", examples=["colour"])
    """Lower-case letters, digits and hyphens; the command line and the store use it."""

    title: str = Field(min_length=1, examples=["Colour distortion makes cropping work"])
    """The title of the report."""

    question: str = Field(min_length=1, examples=["Does cropping need colour distortion?"])
    """The question, as one sentence."""

    source: str = Field(min_length=1, examples=["section 3.1, figure 5"])
    """The place in the paper where the answer is."""

    base: dict[str, Any] = Field(default_factory=dict, examples=[{"loss.temperature": 0.5}])
    """Field of the configuration -> value; fields that are left out follow the paper's protocol."""

    axes: tuple[AnyAxis, ...] = Field(
        min_length=1,
        examples=[
            [{"kind": "levels", "name": "epochs", "field": "epochs", "levels": [100, 200, 400]}]
        ],
    )
    """The factors that are varied."""

    design: Literal["factorial", "one_at_a_time"] = "factorial"
    """All combinations of the axes' levels, or each axis on its own, starting from the first levels."""

    exclude: tuple[Exclusion, ...] = Field(
        default=(),
        examples=[[{"where": {"head": "none", "loss": "margin"}, "reason": "the loss diverges"}]],
    )
    """Cells that the axes span and the study does not have, each with a reason for the report. A claim
    that needs one of them is inconclusive."""

    seeds: Seeds = tuple(range(NUM_SEEDS))
    """A count, or a list."""

    looks: Looks = Looks()
    """When the primary claims are judged."""

    prior_spread: PriorSpread | None = Field(
        default=None, examples=[{"deviation": 1.2, "source": "five seeds of quickstart"}]
    )
    """From which `plan` computes the smallest difference that a claim can detect, until three seeds are on
    record; no verdict depends on it."""

    scales: Scales = Scales()
    """The changes at each scale."""

    control_arm: str | None = Field(default=None, examples=["crop+colour"])
    """The cell whose encoder the controls use, preferably one that learns well. None: the first
    cell that runs, which is also used if this cell was not requested."""

    metric: str = Field(default="top1", examples=["knn_top1"])
    """The recorded value that claims and figures compare."""

    metric_name: str | None = Field(default=None, examples=["linear probe, top-1"])
    """The metric in words; left out: derived from the arms' evaluations."""

    unit: str = "%"
    """The unit of the metric, margins and published numbers in reports."""

    published: Published | None = Field(
        default=None, examples=[{"from": "table-1", "cells": {"crop+colour": "strength 1"}}]
    )
    """The paper's numbers for the cells; None: the report shows none."""

    roles: Roles = Field(default_factory=dict, examples=[{"largest": "4096"}])
    """Names for cells, used by claims if the cell depends on the scale."""

    claims: tuple[AnyClaim, ...] = Field(
        default=(),
        examples=[
            [{"kind": "beats", "name": "colour helps", "better": "crop+colour", "worse": "crop"}]
        ],
    )
    """The statements that are judged or estimated, in the order of the report."""

    figures: tuple[AnyFigure, ...] = Field(
        default=(), examples=[[{"kind": "bars", "title": "Accuracy by views", "axis": "views"}]]
    )
    """The figures of the report, in order."""

    def scale(self, name: ScaleName) -> Scale:
        """One of the four."""
        scale: Scale = getattr(self.scales, name)
        return scale

    def layers(self, name: ScaleName) -> tuple[Layer, ...]:
        """The lists of axes that this scale is made of: the study's, then its own."""
        scale = self.scale(name)
        own = [Layer(("scales", name, "axes"), scale.axes)] if scale.axes else []
        return (Layer(("axes",), self.axes), *own)

    def axes_way(self, name: ScaleName) -> tuple[str, ...]:
        """The location in the file of this scale's axes."""
        return self.layers(name)[-1].way

    def axes_at(self, name: ScaleName) -> tuple[AnyAxis, ...]:
        """The axes as this scale varies them."""
        return merged(self.layers(name))

    def roles_at(self, name: ScaleName) -> Roles:
        """The roles at this scale; a cell that a claim names directly is its own role."""
        cells: Roles = {name: name for claim in self.claims for name in claim.roles()}
        return {**cells, **self.roles, **self.scale(name).roles}


class PublishedTable(Frozen):
    """One table or figure of a paper, written down once."""

    name: str
    source: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    """Paper, version, figure or table."""

    what: str
    """The measured quantity and its setting."""

    precision: str
    """The precision of the numbers, and how they were read."""

    unit: str

    tie: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Numbers that are closer than this, in the unit, count as tied: the seeds alone can explain
    the difference."""

    values: dict[str, float] = Field(min_length=1)
