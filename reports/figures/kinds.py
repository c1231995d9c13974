"""The kinds of figures: each is a module of this folder, named like its `kind`."""

from importlib import import_module
from typing import Any, Protocol, cast

import pandas as pd
from matplotlib.axes import Axes

from reports.figures.figure_data import arms_on
from reports.spec import AnyFigure


class Kind(Protocol):
    """The functions of such a module."""

    NAME: str
    """Of the figure, for readers."""

    def table(self, figure: Any, arms: pd.DataFrame) -> pd.DataFrame:
        """What is drawn, as a tidy table; see `reports.figures.figure_data`."""
        ...

    def size(self, figure: Any, table: pd.DataFrame) -> tuple[float, float]:
        """Width and height in inches."""
        ...

    def draw(self, figure: Any, table: pd.DataFrame, axes: Axes, metric: str) -> None:
        """Draws the table; `metric` names the axis of values, with its unit."""
        ...

    def caption(self, figure: Any, table: pd.DataFrame) -> str:
        """How to read the figure."""
        ...


def kind_of(figure: AnyFigure) -> Kind:
    """The module that draws a figure."""
    return cast("Kind", import_module(f"reports.figures.{figure.kind}"))


def values(figure: AnyFigure, frame: pd.DataFrame) -> pd.DataFrame:
    """The figure's table; empty where no arm has a level on each of its axes."""
    arms = arms_on(figure.axes(), frame)
    return arms if arms.empty else kind_of(figure).table(figure, arms)
