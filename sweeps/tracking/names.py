"""Names and texts in the form that MLflow and its pages accept."""

import re
from collections.abc import Sequence

NOTE = "mlflow.note.content"
"""The tag that holds a description, in Markdown."""

TAG_PREFIX = "sweeps."
"""The prefix of our tags."""

_MARKUP = re.compile(r"([\\`*_\[\]<>|!$~#])")


def name_of(name: str) -> str:
    """A name that MLflow accepts: letters, digits, `_-. :/`, and no empty or dotted part of a path."""
    parts = re.sub(r"[^\w\-. :/]", "_", name).split("/")
    return "/".join(part if part.strip(".") else f"_{part}" for part in parts)[:240]


def names_of(names: Sequence[str]) -> list[str]:
    """Names that MLflow accepts, one for each: names that differ stay different."""
    found: dict[str, None] = {}
    for name in map(name_of, names):
        number, one = 1, name
        while one in found:
            number += 1
            one = f"{name[:230]} - {number}"
        found[one] = None
    return list(found)


def as_markdown(text: str) -> str:
    """Text that MLflow's pages show as it is: on one line, and without markup of its own."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split())).replace("&", "&amp;")
