"""A study: a question to the paper as one file of data, without code."""

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
from sweeps.planning import AnyAxis

ScaleName = Literal["smoke", "laptop", "gpu", "paper"]
"""What a study may cost and what it can show."""

SCALES: tuple[ScaleName, ...] = ("smoke", "laptop", "gpu", "paper")

FLOOR = "random encoder"
"""The baseline of every study: an encoder that is evaluated but not trained."""

PIXELS = "raw pixels"
"""The baseline without any network: the same probe on the images themselves."""

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
            raise ValueError(f"a number of seeds is 1 to 10000, got {value}")
        return tuple(range(value))
    return value


def _each_once(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if twice := sorted(seed for seed, times in Counter(seeds).items() if times > 1):
        raise ValueError(
            f"each seed may be given once, got {', '.join(map(str, twice))} more than once"
        )
    return seeds


Seeds = Annotated[
    tuple[Annotated[int, Field(ge=0, lt=2**31, strict=True)], ...],
    BeforeValidator(_as_seeds),
    AfterValidator(_each_once),
    Field(min_length=1),
]
"""Seeds by name, or a count n for 0 to n - 1."""

Roles = dict[str, str | tuple[str, ...]]
"""A name for a cell, or for several in order."""


class Published(Frozen):
    """The paper's numbers for a study's cells: by the name of a table, or written here."""

    from_: str | None = Field(default=None, alias="from")
    """A table of `ablations/published`, or a YAML file of that form next to the study."""

    cells: dict[str, str] | None = None
    """Cell of the study -> name in the table; left out: the names are the same."""

    values: dict[str, float] | None = None
    """Cell of the study -> number, instead of a table."""

    source: Annotated[str, StringConstraints(strip_whitespace=True)] = ""
    """Where the numbers are published; required with `values`."""

    precision: str = ""
    """How exact they are."""

    tie: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """With `values`: numbers closer than this are in no order; a table has its own."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.from_ is None) == (self.values is None):
            raise ValueError(
                "the paper's numbers are given by from: or by values:, exactly one of them"
            )
        if self.values is not None and not self.source:
            raise ValueError("values: need source:, the place in the paper where they are printed")
        if self.from_ is not None and self.tie:
            raise ValueError("tie: belongs to values:; a table of from: has its own")
        if self.values is not None and self.cells is not None:
            raise ValueError("cells: belongs to from:; values: names the cells itself")
        return self


class DeclaredDeviation(Deviation):
    """A deviation from the paper that no field of the configuration shows, such as untuned rates."""

    cells: tuple[str, ...] | None = None
    """The cells that deviate; None: every arm."""

    @property
    def deviation(self) -> Deviation:
        """As the report lists it."""
        return Deviation(field=self.field, here=self.here, paper=self.paper)


class Scale(Preset):
    """What a study changes to run at one cost. An empty scale is its base over the paper's protocol."""

    protocol: str | None = None
    """A shipped protocol, or a YAML file relative to the study's; the study's base is set over it."""

    axes: tuple[AnyAxis, ...] | None = Field(default=None, min_length=1)
    """Other values for levels of the study's axes, by name and label; the rest stays. An axis with a
    label of its own replaces the study's, and an axis of its own replaces all."""

    only: tuple[str, ...] | None = None
    """The cells that are run at this scale; left out: all, and at smoke at most four of them."""

    seeds: Seeds | None = None
    """Seeds instead of the study's own."""

    roles: Roles = Field(default_factory=dict)
    """Roles of other cells at this scale."""

    deviations: tuple[DeclaredDeviation, ...] = ()
    """What differs from the paper beyond the configuration; listed with each verdict."""


class Scales(Frozen):
    """The four costs of a study; left-out ones are the study's base."""

    smoke: Scale = Scale()
    """A few cells and seconds in all: shows that the machine runs."""

    laptop: Scale = Scale()
    """Two cores and minutes to hours."""

    gpu: Scale = Scale()
    """One accelerator and hours to days."""

    paper: Scale = Scale()
    """The paper's own protocol."""


class Study(Frozen):
    """One question, what is run to answer it, and what is claimed before it is run."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    """Lower-case letters, digits and hyphens; the command line and the store use it."""

    title: str = Field(min_length=1)
    """The title of the report."""

    question: str = Field(min_length=1)
    """The question, as one sentence."""

    source: str = Field(min_length=1)
    """Where in the paper the answer is."""

    base: dict[str, Any] = Field(default_factory=dict)
    """Field of the configuration -> value; what is left out is the paper's own protocol."""

    axes: tuple[AnyAxis, ...] = Field(min_length=1)
    """What is varied."""

    design: Literal["factorial", "one_at_a_time"] = "factorial"
    """All combinations of the axes' levels, or each axis by itself from the first levels."""

    seeds: Seeds = tuple(range(NUM_SEEDS))
    """A count, or a list."""

    looks: Looks = Looks()
    """When the primary claims are judged."""

    scales: Scales = Scales()

    control_arm: str | None = None
    """The cell whose encoder the controls use, best one that learns; None is the first that runs,
    which is also used where this one was not requested."""

    metric: str = "top1"
    """The recorded value that claims and figures are about."""

    metric_name: str | None = None
    """The metric in words; left out: derived from the arms' evaluations."""

    unit: str = "%"

    published: Published | None = None

    roles: Roles = Field(default_factory=dict)
    """Names for cells, used by claims where the cell depends on the scale."""

    claims: tuple[AnyClaim, ...] = ()

    figures: tuple[AnyFigure, ...] = ()

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
        """The roles as this scale fills them; a cell that a claim names is a role of its own."""
        cells: Roles = {name: name for claim in self.claims for name in claim.roles()}
        return {**cells, **self.roles, **self.scale(name).roles}


class PublishedTable(Frozen):
    """One table or figure of a paper, written down once."""

    name: str
    source: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    """Paper, version, figure or table."""

    what: str
    """What was measured, on what."""

    precision: str
    """How exact the numbers are, and how they were read."""

    unit: str

    tie: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Numbers closer than this, in the unit, are in no order: seeds alone can set them apart."""

    values: dict[str, float] = Field(min_length=1)
