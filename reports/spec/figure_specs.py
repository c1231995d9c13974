"""Figures as data: the cells that are drawn, and their layout, which follows the paper's figures."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sweeps.base import Frozen


class Heatmap(Frozen):
    """One square for each cell, rows by columns (figure 5): our value large, the paper's small below it.

    Either `axis` names an axis of ordered pairs (rows 1st, columns 2nd, singles on the diagonal),
    or `rows` and `columns` name two axes.
    """

    kind: Literal["heatmap"] = "heatmap"

    title: str = Field(examples=["Linear evaluation by pair of operations"])
    """The title above the figure."""

    axis: str | None = Field(default=None, examples=["operations"])
    """An axis of ordered pairs."""

    rows: str | None = Field(default=None, examples=["batch"])
    """The axis down the side, if no axis of ordered pairs is named."""

    columns: str | None = Field(default=None, examples=["epochs"])
    """The axis along the top, if no axis of ordered pairs is named."""

    @model_validator(mode="after")
    def _one_layout(self) -> Self:
        if (self.axis is None) == (self.rows is None or self.columns is None):
            raise ValueError("a heatmap needs either axis, or both rows and columns")
        return self

    def axes(self) -> tuple[str, ...]:
        """The axes that the figure names."""
        return tuple(axis for axis in (self.axis, self.rows, self.columns) if axis is not None)


class Bars(Frozen):
    """One bar for each cell (figure 8), in groups if two axes are named; the paper's number is a mark."""

    kind: Literal["bars"] = "bars"

    title: str = Field(examples=["Accuracy by head"])
    """The title above the figure."""

    axis: str | None = Field(default=None, examples=["head"])
    """The axis along the bottom; None: every arm by its name."""

    group: str | None = Field(default=None, examples=["epochs"])
    """A second axis, distinguished by colour."""

    def axes(self) -> tuple[str, ...]:
        """The axes that the figure names."""
        return tuple(axis for axis in (self.axis, self.group) if axis is not None)


class Lines(Frozen):
    """The metric along an ordered axis (figures 7 and 9), one line for each level of a second axis."""

    kind: Literal["lines"] = "lines"

    title: str = Field(examples=["Linear evaluation by width"])
    """The title above the figure."""

    axis: str = Field(examples=["width"])
    """The axis along the bottom; labels that begin with a number are placed by it."""

    group: str | None = Field(default=None, examples=["epochs"])
    """A second axis, one line for each level."""

    scale: Literal["log", "linear"] = "log"
    """The scale of the bottom axis, if its labels are numbers."""

    def axes(self) -> tuple[str, ...]:
        """The axes that the figure names."""
        return tuple(axis for axis in (self.axis, self.group) if axis is not None)


class MarginalMeans(Frozen):
    """The mean of each level over all levels of the other axes, one line for each level of a second axis.

    The figure of main effects, and with `group` of an interaction: without one, lines are parallel.
    """

    kind: Literal["marginal_means"] = "marginal_means"

    title: str = Field(examples=["Heads at two temperatures"])
    """The title above the figure."""

    axis: str = Field(examples=["temperature"])
    """The axis along the bottom."""

    group: str | None = Field(default=None, examples=["head"])
    """A second axis, one line for each level; the other axes are averaged over."""

    def axes(self) -> tuple[str, ...]:
        """The axes that the figure names."""
        return tuple(axis for axis in (self.axis, self.group) if axis is not None)


AnyFigure = Annotated[Heatmap | Bars | Lines | MarginalMeans, Field(discriminator="kind")]
