"""Figures: first a tidy table of what is drawn, then the drawing, then SVG."""

from reports.figures.frame import summary, tidy
from reports.figures.svg import Picture, forest_picture, picture
from reports.figures.theme import BLUE, FAINT, FLOOR, INK, PAPER

__all__ = [
    "BLUE",
    "FAINT",
    "FLOOR",
    "INK",
    "PAPER",
    "Picture",
    "forest_picture",
    "picture",
    "summary",
    "tidy",
]
