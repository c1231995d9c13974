"""Figures: first a tidy table of what is drawn, then the drawing, then SVG."""

from reports.figures.frame import tidy
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
    "render",
    "render_claim",
    "render_curves",
    "render_differences",
    "render_forest",
    "render_gallery",
    "render_side_curves",
    "tidy",
]
