"""What the augmentations of an arm do to a few images, as its trial saved it."""

from pydantic import Field

from sweeps.base import Frozen

VIEWS_FILE = "views.png"
"""The file of a trial's record: square images side by side, first as probes see them, then, row by
row, their views of the first epoch."""

VIEWS_IMAGES = 4
"""Images in a row."""


class ViewsStrip(Frozen):
    """The file of one trial, for the arms that it is the same for."""

    cells: tuple[str, ...]
    seed: int
    png: str = Field(repr=False)
    """The file in base64."""
