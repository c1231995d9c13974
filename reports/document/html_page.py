"""A document as one self-contained HTML file: no network requests.

Style, script and figures are inline, and the Content-Security-Policy blocks everything else: each
script is allowed by its hash. The template escapes names; figures are SVG with text drawn as paths.
"""

import base64
import hashlib
import re
from html import escape
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from reports.document.blocks import FIGURE_FILES, TABLE_FILES, Document, Drawing
from reports.document.formatting import unparted
from reports.figures import BLUE, FAINT, FLOOR, INK, PAPER

TEMPLATES = Path(__file__).parents[1] / "templates"

PAGE_COLOURS = {INK: "--ink", FAINT: "--faint", PAPER: "--paper", FLOOR: "--floor", BLUE: "--ours"}
"""Colours that follow the page's theme: drawn colour -> CSS variable."""


def html(document: Document, *, linked: bool = False, reload: int | None = None) -> str:
    """The page, the same for the same document.

    `linked`: each table and figure links to its files in `tables` and `figures` next to the page.
    `reload`: the page reloads itself, from where it was opened, after so many seconds; a reader can
    pause it.
    """
    names = ["sort.js", *(["reload.js"] if reload else [])]
    scripts = [(TEMPLATES / name).read_text(encoding="utf-8") for name in names]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(
        document=document,
        table_files=TABLE_FILES if linked else (),
        figure_files=FIGURE_FILES if linked else (),
        style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),  # noqa: S704
        reload=reload,
        scripts=[Markup(script) for script in scripts],  # noqa: S704
        hashes=[
            base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
            for script in scripts
        ],
        drawings={
            block.ident: Markup(_inline(block))  # noqa: S704
            for section in document.sections
            for block in section.blocks
            if isinstance(block, Drawing)
        },
    )


def _shown(value: Any) -> Any:
    """Texts with their units; markup (style, scripts, figures) as it is."""
    return unparted(value) if type(value) is str else value


def _inline(drawing: Drawing) -> str:
    """The figure with its alternative text, in the page's colours.

    It fills the page's width up to its own size (a point is 4/3 pixels).
    """
    svg = drawing.svg
    for colour, name in PAGE_COLOURS.items():
        svg = svg.replace(colour, f"var({name})")
    width = re.search(r'\bwidth="([\d.]+)pt"', svg)
    style = f"width: min(100%, {float(width[1]) * 4 / 3:.0f}px)" if width else "width: 100%"
    return svg.replace(
        "<svg ", f'<svg role="img" aria-label="{escape(drawing.alt)}" style="{style}" ', 1
    )
