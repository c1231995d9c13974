"""The kinds of figures: each is a module of this folder, named like its `kind`.

Such a module has a `NAME` for readers and four functions of the figure: its `table` (see
`reports.figures.figure_data`), `size`, `draw` and `caption`.
"""

from importlib import import_module
from types import ModuleType

import pandas as pd

from reports.figures.figure_data import arms_on
from reports.spec import AnyFigure


def kind_of(figure: AnyFigure) -> ModuleType:
    """The module that draws a figure."""
    return import_module(f"reports.figures.{figure.kind}")


def values(figure: AnyFigure, frame: pd.DataFrame) -> pd.DataFrame:
    """The figure's table; empty where no arm has a level on each of its axes."""
    arms = arms_on(figure.axes(), frame)
    return arms if arms.empty else kind_of(figure).table(figure, arms)
