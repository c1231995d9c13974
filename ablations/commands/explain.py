"""`explain`: a term of the glossary, a kind of component, claim or figure, or a field."""

import inspect
import textwrap
from collections.abc import Iterable
from typing import NamedTuple

from ablations.commands.fields import print_entries
from ablations.commands.output import plain_table
from ablations.commands.terminal import console
from ablations.errors import UsageError
from ablations.reference import (
    ITEM,
    Entry,
    Kind,
    Term,
    entries_below,
    every_entry,
    glossary,
    kinds,
    mentions,
    nearest,
)
from sweeps.suggest import did_you_mean

MOST_FIELDS = 12
"""Fields that are named as using a term; of more, the number."""


class _Found(NamedTuple):
    terms: list[Term]
    kinds: list[tuple[Entry, Kind]]
    fields: list[Entry]


def explain_term(name: str) -> None:
    """Prints what a term means and where it appears; for a kind or a field, what `fields` says.

    Raises:
        UsageError: nothing has this name.
    """
    found = _found(name)
    if not any(found):
        raise UsageError(f"explain: no term {name!r}{_suggestion(name)}")
    for term in found.terms:
        _print_term(term)
    for entry, kind in found.kinds:
        _print_kind(entry, kind)
    names = dict.fromkeys(_dotted(entry) for entry in found.fields)
    if not found.terms and not found.kinds:
        for one in names:
            print_entries(entries_below(one))
    elif names:
        are = "is a field" if len(names) == 1 else "are fields"
        commands = ", ".join(f"`ablate fields {one}`" for one in names)
        _say(f"{', '.join(names)} {are} as well; see {commands}")


def list_terms() -> None:
    """Prints the glossary, then the kinds of each family."""
    out = console()
    table = plain_table("term", "meaning")
    for term in glossary():
        table.add_row(", ".join(term.names), term.meaning)
    out.print(table)
    families: dict[str, list[str]] = {}
    for entry, kind in kinds():
        families.setdefault(_dotted(entry), []).append(kind.name)
    table = plain_table("field", "kinds")
    for field, names in families.items():
        table.add_row(field, ", ".join(names))
    out.print(table)
    _say("`ablate explain TERM` takes any term, kind or field; `ablate fields` lists the fields")


def _found(name: str) -> _Found:
    word = name.lower()
    return _Found(
        [term for term in glossary() if any(_same(word, one) for one in term.names)],
        [(entry, kind) for entry, kind in kinds() if kind.name == word.replace("-", "_")],
        _fields(name),
    )


def _same(word: str, name: str) -> bool:
    return word in (name.lower(), f"{name.lower()}s", f"{name.lower()}es")


def _fields(name: str) -> list[Entry]:
    """The field of a dotted name, else all fields that end in it."""
    entries = every_entry().entries
    exact = [entry for entry in entries if _dotted(entry) == name or entry.name == name]
    return exact or [entry for entry in entries if entry.path[-1] == name]


def _dotted(entry: Entry) -> str:
    return ".".join(word for word in entry.path if word != ITEM)


def _print_term(term: Term) -> None:
    _say(f"{', '.join(term.names)}: {term.meaning}")
    entries = every_entry().entries
    using = [
        e for e in entries if any(mentions(f"{e.path[-1]} {e.meaning}", n) for n in term.names)
    ]
    names = list(dict.fromkeys(_dotted(entry) for entry in using))
    more = f" and {len(names) - MOST_FIELDS} more" if names[MOST_FIELDS:] else ""
    if names:
        _say(f"in the fields {', '.join(names[:MOST_FIELDS])}{more}", indent="    ")
    if term.sections:
        _say(f"in ablations/README.md: {', '.join(term.sections)}", indent="    ")


def _print_kind(entry: Entry, kind: Kind) -> None:
    _say(f"{_dotted(entry)} of kind {kind.name}")
    for paragraph in (inspect.getdoc(kind.model) or "").split("\n\n"):
        _say(" ".join(paragraph.split()), indent="    ")
    below = [e for e in every_entry().entries if e.owner is kind.model]
    if below:
        console().print()
        print_entries(entries_below(f"{_dotted(entry)}.{kind.name}"))


def _say(text: str, indent: str = "") -> None:
    out = console()
    width = min(out.width, 100)
    for line in textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    ):
        out.print(line, soft_wrap=True)


def _suggestion(name: str) -> str:
    known: Iterable[str] = [
        *(one for term in glossary() for one in term.names),
        *(kind.name for _, kind in kinds()),
        *(_dotted(entry) for entry in every_entry().entries),
        *(entry.path[-1] for entry in every_entry().entries),
    ]
    near = nearest(name, dict.fromkeys(known))
    return did_you_mean(name, near) if near else "; `ablate explain` lists all terms"
