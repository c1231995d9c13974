"""Everything that a report is made from: the study's statement, its cells, its plan and its records.

Reports are a pure function of the evidence: the same evidence gives the same bytes.
"""

from collections import Counter
from typing import Literal, Self

from pydantic import Field, model_validator

from reports.spec.claims import AnyClaim
from reports.spec.figure_specs import AnyFigure
from reports.spec.interim_looks import MAX_PRIMARY, Looks
from reports.spec.scope import Scope
from reports.spec.views_strip import ViewsStrip
from sweeps.base import Frozen
from sweeps.history_label import label_of
from sweeps.record import TrialRecord

SMOKE = "smoke"
"""The scale without verdicts: two epochs of a small network show no effect that a test detects."""

SMOKE_JUDGES_NOTHING = "the smoke scale only checks that everything runs; no claim is judged"


class Deviation(Frozen):
    """One field of a resolved configuration that differs from the same cell's at paper scale."""

    field: str = Field(examples=["optimizer.learning_rate"])
    """Dotted, as in the configuration."""

    here: str = Field(examples=["not tuned"])
    """The value of these runs, as text."""

    paper: str = Field(examples=["tuned"])
    """The value at paper scale, as text."""


class CellInfo(Frozen):
    """One cell of the study at this scale."""

    name: str
    """The name as in the plan; unique."""

    role: Literal["arm", "floor", "reference", "control"] = "arm"
    """Arms answer the question; floors are random encoders; references, such as raw pixels, are
    evaluated once, and an arm that learned something is above them; controls must show nothing."""

    control: Literal["permuted labels", "shuffled positives"] | None = None
    """For a control, its kind; None is permuted labels."""

    levels: dict[str, str] = Field(default_factory=dict)
    """Axis name -> level label, as in the plan."""

    floor: str | None = None
    """For an arm, or a control with shuffled positives: the cell that holds its random encoder."""

    predicts: str = "classes"
    """The target of the probe: classes, or the kind of a transformation."""

    published: float | None = None
    """The paper's number for this cell, in the metric's unit; None if there is none."""

    deviations: tuple[Deviation, ...] = ()
    """Derived, never written by hand."""


class ExcludedCell(Frozen):
    """A cell that the axes span and the study excludes."""

    name: str
    reason: str
    """As the study file gives it."""

    records: int = 0
    """How many trials of it are on record; none of them counts."""


class PlannedTrial(Frozen):
    """One trial of the report; cells that share one (a random encoder) each list it."""

    key: str
    """Content hash; a record counts if its key is planned."""

    cell: str
    """The name of a cell of the evidence."""

    seed: int

    reason: str
    """As in `plan`: finished, missing, failed: ..., data missing: ..., ..."""

    command: str
    """The command that runs exactly this trial again."""


class Fact(Frozen):
    """One named message or value, shown unchanged."""

    name: str
    text: str


class Change(Frozen):
    """One term of the verdicts that changed since the first trial."""

    claim: str = ""
    """The claim that it concerns; empty: all of them, or a removed one."""

    text: str
    """With the old and new values: "margin was -2 at the first run (2026-11-27), is -20 now"."""


class Stamp(Frozen):
    """What is known about the claims, margins and looks before the first trial."""

    fixed: str = ""
    """The time when they were recorded; empty if no stamp can be read."""

    sha256: str = ""
    unknown: str = ""
    """Why it is unknown whether they were fixed before the run; empty if it is known."""

    changes: tuple[Change, ...] = ()


class Stated(Frozen):
    """The statement of a study file, without resolving a configuration."""

    title: str
    question: str

    source: str
    """The place in the paper, such as "section 3.1, figure 5"."""

    metric: str = "top1"
    """The key in a record's values that is judged and drawn."""

    metric_name: str = "linear probe, top-1"
    """The metric in words."""

    unit: str = "%"
    claims: tuple[AnyClaim, ...] = ()
    figures: tuple[AnyFigure, ...] = ()
    looks: Looks = Looks()

    roles: dict[str, str | tuple[str, ...]] = Field(default_factory=dict)
    """Role -> its cell or its cells, in order; cells that this scale lacks may be named."""

    published_source: str = ""
    """The name of the table of the paper's numbers; without a name they do not count as a citation."""

    published_about: str = ""
    """What the paper measured there, in which setting, and the precision of the numbers."""

    published_tie: float = 0.0
    """Published numbers that are closer than this count as tied."""


def difference_unit(unit: str) -> str:
    """The unit of a difference between two values: points where the values are in %."""
    return "points" if unit == "%" else unit


class Evidence(Stated):
    """A study, its plan and its records; building it decides nothing about verdicts.

    `planned` must contain every trial of this study, scale and data that has a record or was requested,
    not only those of one launch: a record whose key is not planned is listed as excluded and counts
    nowhere.
    """

    study: str
    """The study's name."""

    scale: str
    """smoke, laptop, gpu, paper or the study's own name for one."""

    variation: str = ""
    """The difference of all cells from the study file, in one word; empty for the study itself."""

    changes: str = ""
    """The same as options of the command line, complete; empty for the study itself."""

    synthetic_data: bool
    """Whether the images are synthetic; if so, no claim counts as reproduced."""

    data_name: str

    data_facts: tuple[Fact, ...] = ()
    """Shown with the numbers: fingerprint, numbers of images, images in both splits."""

    cells: tuple[CellInfo, ...] = ()
    """Arms, floors and controls in the order of the study file."""

    scale_arms: tuple[str, ...] = ()
    """Names of all arms that the study has at this scale, requested or not: a claim over them stays
    in the family of claims that share the 5 %, whatever was run or is shown."""

    scale_levels: dict[str, dict[str, str]] = Field(default_factory=dict)
    """Cell -> axis -> label, of every cell that the axes span at this scale, excluded or not; those
    of other arms in `cells` are added."""

    excluded: tuple[ExcludedCell, ...] = ()
    """The cells that the study excludes at this scale, in its order."""

    scale_published: dict[str, float] = Field(default_factory=dict)
    """Published numbers of all arms that the study has at this scale, requested or not; those of
    `cells` are added."""

    places: dict[str, tuple[tuple[str, ...], ...]] = Field(default_factory=dict)
    """Arm -> where it is in the table of the axes: for each axis the items of its level, two for an
    ordered pair. Cells that share items are not exchangeable; without a place, each cell is."""

    scope: Scope = Scope()
    """The pre-training of the arms, here and in a full replication."""

    planned: tuple[PlannedTrial, ...] = ()
    records: tuple[TrialRecord, ...] = ()
    """All attempts, finished or failed."""

    gallery: tuple[ViewsStrip, ...] = ()
    """What the augmentations of the arms do to a few images; without arms whose records lack it."""

    stamp: Stamp = Stamp()
    """The claims, margins and looks before the first trial, compared with those of today."""

    methods: tuple[Fact, ...] = ()
    """The protocol in words: network, optimiser, evaluation, ..."""

    command: str = ""
    """The command that completes the study and writes this report again."""

    @property
    def label(self) -> str:
        """The name of the folder of its reports."""
        return label_of(self.study, self.scale, self.variation)

    @property
    def judges(self) -> bool:
        """Whether claims are judged at this scale: smoke only checks that everything runs."""
        return self.scale != SMOKE

    @property
    def comparable(self) -> bool:
        """Whether the paper's numbers are meant to be compared with these."""
        return self.judges and not self.synthetic_data

    @property
    def levels(self) -> dict[str, dict[str, str]]:
        """Cell -> axis -> label, of every arm that is known."""
        arms = {cell.name: cell.levels for cell in self.cells if cell.role == "arm"}
        return {**arms, **self.scale_levels}

    @property
    def publishes(self) -> bool:
        """Whether any cell has a published number."""
        return any(cell.published is not None for cell in self.cells)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for what, named in (("cell", self.cells), ("claim", self.claims)):
            times = Counter(one.name for one in named)
            if doubled := [name for name in times if times[name] > 1]:
                raise ValueError(f"{what} names must be unique; duplicates: {', '.join(doubled)}")
        if lost := {trial.cell for trial in self.planned} - {cell.name for cell in self.cells}:
            raise ValueError(f"planned trials refer to unknown cells: {', '.join(sorted(lost))}")
        primary = [claim.name for claim in self.claims if claim.primary]
        if len(primary) > MAX_PRIMARY:
            most = f"a study may have at most {MAX_PRIMARY} primary claims"
            raise ValueError(f"{most}, got {len(primary)}: {', '.join(primary)}")
        return self
