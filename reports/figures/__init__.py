"""Figures: first a tidy table of what is drawn, then the drawing, then SVG."""

from reports.figures.frame import frame_of, tidy
from reports.figures.gallery import in_a_row
from reports.figures.svg import (
    render,
    render_claim,
    render_curves,
    render_differences,
    render_forest,
    render_gallery,
    render_side_curves,
)
from reports.figures.theme import BLUE, FAINT, FLOOR, INK, PAPER

__all__ = [
    "BLUE",
    "FAINT",
    "FLOOR",
    "INK",
    "PAPER",
    "frame_of",
    "in_a_row",
    "render",
    "render_claim",
    "render_curves",
    "render_differences",
    "render_forest",
    "render_gallery",
    "render_side_curves",
    "tidy",
]
