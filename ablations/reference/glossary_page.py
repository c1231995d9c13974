"""The terms of the glossary, read from its page: ablations/README.md is their only home."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parents[1] / "README.md"

_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
_GLOSSARY = "Glossary"


class Term(NamedTuple):
    """One row of the glossary."""

    names: tuple[str, ...]
    meaning: str
    sections: tuple[str, ...]
    """The other sections of the page that use one of the names."""


def glossary() -> tuple[Term, ...]:
    """All terms, in the page's order."""
    _, *parts = _HEADING.split(PAGE.read_text(encoding="utf-8"))
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    rows = sections.pop(_GLOSSARY)
    return tuple(_terms(rows, sections))


def mentions(text: str, name: str) -> bool:
    """Whether a text uses a term, in the singular or the plural."""
    return re.search(rf"\b{re.escape(name)}(?:s|es)?\b", text, re.IGNORECASE) is not None


def _terms(rows: str, sections: dict[str, str]) -> Iterator[Term]:
    for row in rows.splitlines():
        cells = [cell.strip() for cell in row.strip("|").split(" | ")]
        if len(cells) == 2 and cells[0] not in ("term", "---"):
            names = tuple(cells[0].split(", "))
            used = (
                title
                for title, text in sections.items()
                if any(mentions(text, name) for name in names)
            )
            yield Term(names, cells[1], tuple(used))
