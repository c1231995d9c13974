"""Custom components: an object in a user's Python file that a configuration names."""

from simclr_core.plugins.component import (
    IDENTITY,
    FromFile,
    files_of,
    known_text,
    reading,
    shape_text,
    supply,
    with_fresh_components,
)

__all__ = [
    "IDENTITY",
    "FromFile",
    "files_of",
    "known_text",
    "reading",
    "shape_text",
    "supply",
    "with_fresh_components",
]
