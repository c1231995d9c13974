"""The illustrations of the page: the views that each operation makes, and a figure of each kind.

`ablations.reference.draw_illustrations` draws them. The numbers of the figures are the paper's; none was
measured here.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel

from ablations.study import PublishedTable, Study, published_table, read_study
from reports.spec import AnyFigure, MarginalMeans

ROOT = Path(__file__).parents[1]
"""The folder of the page."""

SEEDS = range(7)
"""The seeds of an operation's views."""

METRIC = "linear evaluation, top-1"
"""What the paper's tables measure."""

LONG = 600
"""Epochs from which figure 9's training is called long."""


class Illustration(NamedTuple):
    """An illustration below the heading of its kind."""

    file: str
    """Its path from ROOT."""

    alt: str
    """What it shows, for readers who do not see it."""

    caption: str


class Example(NamedTuple):
    """A figure of the paper's numbers."""

    figure: AnyFigure
    published: PublishedTable
    levels: dict[str, dict[str, str]]
    """Cell -> axis -> label."""

    metric: str
    """With its unit."""

    about: str
    """Where a user finds it, or what it averages."""

    dots: str = "a published number"
    """What a dot is."""


@cache
def illustrations() -> dict[type[BaseModel], Illustration]:
    """Kind -> its illustration: every operation but those of a user's file, every kind of figure."""
    shown = {model: _of_operation(model) for model in operations()}
    return shown | {kind: _of_figure(example) for kind, example in examples().items()}


def operations() -> list[type[BaseModel]]:
    """The kinds of operations that need no further field: a user's file does."""
    from simclr_core.augment import Symmetric
    from simclr_core.config import models_of

    family = models_of(Symmetric.model_fields["operations"].annotation)
    return [one for one in family if not any(f.is_required() for f in one.model_fields.values())]


@cache
def examples() -> dict[type[BaseModel], Example]:
    """Kind of figure -> an example of published numbers."""
    found = (*map(_of_study, ("compositions", "head-layers", "batch-size")), _of_factors())
    return {type(example.figure): example for example in found}


def _of_study(name: str) -> Example:
    """The first figure of a shipped study."""
    study, _, published, *_ = read_study(name)
    assert published is not None
    axes = [axis.name for axis in study.axes]
    levels = {
        cell: dict(zip(axes, cell.split(" / ") if axes[1:] else [cell], strict=True))
        for cell in published.values
    }
    [figure] = study.figures
    return Example(figure, published, levels, _metric(study), f"the figure of study `{name}`")


def _metric(study: Study) -> str:
    return f"{study.metric_name or METRIC} ({study.unit})"


def _of_factors() -> Example:
    """Figure 9 has the two factors that averaging needs; no shipped study has all of it."""
    published = published_table("figure-9")
    levels: dict[str, dict[str, str]] = {}
    for cell in published.values:
        batch, epochs = cell.split(" x ")
        training = "600 to 1000 epochs" if int(epochs) >= LONG else "100 to 500 epochs"
        levels[cell] = {"batch": batch, "training": training, "epochs": epochs}
    figure = MarginalMeans(
        title="Batch sizes in short and long training", axis="batch", group="training"
    )
    about, dots = "all batch sizes and epochs", "the mean of five published numbers"
    return Example(figure, published, levels, f"{METRIC} ({published.unit})", about, dots)


def _of_operation(model: type[BaseModel]) -> Illustration:
    from simclr_core.config import kind_of

    kind = kind_of(model)
    always = "probability 1 and all other" if "probability" in model.model_fields else "all"
    number = len(SEEDS)
    return Illustration(
        f"illustrations/operation-{kind}.png",
        f"Two images, each followed by {number} views that {kind} makes of it.",
        f"Left: two images of `textures`. Then their views by this operation alone, one column for each "
        f"of {number} seeds, with {always} fields at their defaults.",
    )


def _of_figure(example: Example) -> Illustration:
    figure, published = example.figure, example.published
    return Illustration(
        f"illustrations/figure-{figure.kind}.png",
        f"{figure.title}: {figure.kind.replace('_', ' ')} of {len(published.values)} published "
        "numbers.",
        f"Drawn from the paper's numbers, not from trials: {published.source}; {example.about}. Each dot "
        f"is {example.dots}; a report has our means instead, and a dot for each seed.",
    )


def lines_of(model: type[BaseModel]) -> Iterator[str]:
    """The illustration of a kind as markdown; nothing for a kind without one."""
    illustration = illustrations().get(model)
    if illustration is not None:
        yield f"![{illustration.alt}]({illustration.file})\n"
        yield f"{illustration.caption}\n"
