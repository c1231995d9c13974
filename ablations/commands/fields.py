"""`fields`: every field of a study file and of the configuration, for people and for programs."""

import sys
import textwrap
from collections.abc import Iterator
from typing import Any

from ablations.commands.output import print_json
from ablations.commands.terminal import console
from ablations.errors import UsageError
from ablations.reference import (
    ITEM,
    ITEMS,
    TITLES,
    Entry,
    Listing,
    default_of,
    entries_below,
    every_entry,
    fields_page,
    kind_of_owner,
    listed_at,
    study_schema,
    takes_of,
    written,
)


def show_fields(prefix: str | None, *, as_json: bool, as_schema: bool, as_markdown: bool) -> None:
    """Prints the fields at and below a dotted name; without one, all of them.

    Raises:
        UsageError: there is no such field, or the options contradict each other.
    """
    if as_json + as_schema + as_markdown > 1:
        raise UsageError("fields: only one of --json, --schema and --markdown may be given")
    if prefix is not None and (as_schema or as_markdown):
        raise UsageError("fields: --schema and --markdown cover all fields; leave PREFIX out")
    if as_schema:
        print_json(study_schema())
    elif as_markdown:
        sys.stdout.write(fields_page())
    else:
        listing = every_entry() if prefix is None else entries_below(prefix)
        if as_json:
            print_json({"fields": [_as_json(entry, listing) for entry in listing.entries]})
        else:
            print_entries(listing)


def print_entries(listing: Listing) -> None:
    """Each field with all that is known of it, for people."""
    out = console()
    for line in _lines(listing, min(out.width, 100)):
        out.print(line, soft_wrap=True)
    if any(ITEM in entry.path for entry in listing.entries):
        out.print(f"\n{ITEMS}")


def _as_json(entry: Entry, listing: Listing) -> dict[str, Any]:
    return {
        "part": entry.part,
        "field": entry.name,
        "when": entry.when,
        "type": entry.takes,
        "range": entry.range or None,
        "unit": entry.unit,
        "required": entry.required,
        "default": entry.default,
        "meaning": entry.meaning,
        "source": entry.source,
        "example": entry.example,
        "kinds": [
            {"kind": kind.name, "meaning": kind.meaning, "source": kind.source}
            for kind in entry.kinds
        ],
        "fields_at": listed_at(entry, listing),
    }


def _lines(listing: Listing, width: int) -> Iterator[str]:
    part, kind = None, None
    for entry in listing.entries:
        if entry.part != part:
            if part is not None:
                yield ""
            part = entry.part
            yield TITLES[part]
        if (now := kind_of_owner(entry)) != kind and now is not None:
            yield ""
            yield f"{entry.parent} of kind {now}"
        kind = now
        yield ""
        yield entry.name
        yield from _wrapped("; ".join(_facts(entry)), width)
        yield from _wrapped(entry.meaning, width)
        for one in () if listed_at(entry, listing) else entry.kinds:
            yield from _wrapped(f"{one.name}: {one.meaning}", width, deeper="  ")
        yield from _wrapped("; ".join(_ends(entry, listing)), width)


def _ends(entry: Entry, listing: Listing) -> Iterator[str]:
    if entry.source:
        yield f"source: {entry.source}"
    if entry.example is not None:
        yield f"example: {entry.path[-1]}: {written(entry.example)}"
    if place := listed_at(entry, listing):
        yield f"its fields are those of {place}"


def _facts(entry: Entry) -> list[str]:
    default = default_of(entry)
    return [*takes_of(entry), default] if default else takes_of(entry)


def _wrapped(text: str, width: int, deeper: str = "") -> list[str]:
    first = "    " + deeper
    return textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=first + deeper,
        break_on_hyphens=False,
        break_long_words=False,
    )
