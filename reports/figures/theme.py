"""One style for all figures: colours for colour-blind readers, and ink that follows the page's theme.

Text and axes are drawn in INK and FAINT, the paper's numbers in PAPER, the random encoder in FLOOR,
our first colour is BLUE. The HTML page replaces these five, so that figures are legible in dark mode;
no other part of a figure may use them.
"""

from textwrap import wrap

INK = "#1b1f25"
FAINT = "#6a717c"

PAPER = "#8a6100"
"""The paper's numbers, everywhere."""

FLOOR = "#7d4fb3"
"""The random encoder, everywhere."""

BLUE = "#0072b2"
"""Our first colour."""

PALETTE = (BLUE, "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c564b")
"""Okabe and Ito's colours, in an order whose neighbours differ in lightness too."""

MAP = "cividis"
"""For heat maps: increases in lightness, and looks the same to readers with red-green colour blindness."""

STYLE = {
    **dict.fromkeys(("axes.edgecolor", "xtick.color", "ytick.color"), FAINT),
    **dict.fromkeys(("axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor", "text.color"), INK),
    **dict.fromkeys(("axes.spines.right", "axes.spines.top"), False),
    **dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), "none"),
    "font.family": "DejaVu Sans",
    "font.size": 10.0,
    "axes.labelsize": 10.0,
    "legend.fontsize": 9.5,
    "legend.frameon": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "reports",
    "text.parse_math": False,
}
"""For matplotlib's rc_context; text is drawn as paths, the same on every machine."""


def wrapped(label: str, width: int) -> str:
    """At most three lines, broken after a plus where possible; an ellipsis marks omitted text."""
    lines = wrap(label.replace("+", "+ "), width, break_on_hyphens=True) or [label]
    lines = [line.replace("+ ", "+") for line in lines]
    return "\n".join(lines if len(lines) <= 3 else [*lines[:2], lines[2][: width - 1] + "…"])
