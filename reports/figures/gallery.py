"""What the augmentations of the arms do to a few images: one row of tiles for each arm.

Of each image the row shows what a probe sees, then its views, pixel by pixel.
"""

import base64
import io
from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from reports.figures.theme import FAINT, INK, wrapped
from reports.spec import VIEWS_IMAGES, ViewsStrip

ROWS = 8
"""Arms in one figure: as many as fit on a page."""

GAP = 4
"""Pixels between two images; between the tiles of one image half as many."""

MOST_NAMED = 3


def parts(strips: Sequence[ViewsStrip]) -> Iterator[tuple[ViewsStrip, ...]]:
    """The strips of each figure."""
    for first in range(0, len(strips), ROWS):
        yield tuple(strips[first : first + ROWS])


def tiles_of(strip: ViewsStrip) -> NDArray[np.uint8]:
    """Tiles [image, view, side, side, 3]; view 0 is the image as probes see it."""
    with Image.open(io.BytesIO(base64.b64decode(strip.png)), formats=["PNG"]) as image:
        pixels = np.asarray(image.convert("RGB"))
    side = pixels.shape[1] // VIEWS_IMAGES
    rows = pixels.reshape(-1, side, VIEWS_IMAGES, side, 3)
    return rows.transpose(2, 0, 1, 3, 4)


def in_a_row(tiles: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The tiles side by side on a transparent ground, [side, width, 4]."""
    num_images, num_views, side = tiles.shape[:3]
    opaque = np.concatenate([tiles, np.full((*tiles.shape[:-1], 1), 255, np.uint8)], axis=-1)
    width = num_images * (num_views * (side + GAP // 2) + GAP)
    row = np.zeros((side, width, 4), np.uint8)
    for image in range(num_images):
        for view in range(num_views):
            left = image * (num_views * (side + GAP // 2) + GAP) + view * (side + GAP // 2)
            row[:, left : left + side] = opaque[image, view]
    return row


def size(strips: Sequence[ViewsStrip]) -> tuple[float, float]:
    """Width and height in inches."""
    return 9.0, 0.3 + 0.78 * len(strips)


def names(strip: ViewsStrip) -> str:
    """The arms of a strip, few of many."""
    more = len(strip.cells) - MOST_NAMED
    return ", ".join(strip.cells[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def draw(figure: Figure, strips: Sequence[ViewsStrip], labels: Sequence[str]) -> None:
    """Draws one row for each strip, with its label to the left."""
    axes = figure.subplots(len(strips), 1, squeeze=False)[:, 0]
    figure.subplots_adjust(hspace=0.12)
    for one, strip, label in zip(axes, strips, labels, strict=True):
        tiles = tiles_of(strip)
        one.imshow(in_a_row(tiles), interpolation="none")
        one.set_axis_off()
        one.text(-0.015, 0.5, wrapped(label, 18), transform=one.transAxes, ha="right", va="center",
                 fontsize=9, color=INK)  # fmt: skip
    tiles = tiles_of(strips[0])
    side, num_views = tiles.shape[2], tiles.shape[1]
    for view in range(num_views):
        text = "image" if view == 0 else f"view {view}"
        at = view * (side + GAP // 2) + side / 2
        axes[0].text(at, -side * 0.12, text, ha="center", va="bottom", fontsize=8, color=FAINT)
