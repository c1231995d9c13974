"""`fields`: every field of a study file and of the configuration, for people and for programs."""

import textwrap
from collections.abc import Iterator
from typing import Any

from ablations.commands.output import print_json
from ablations.commands.terminal import console
from ablations.reference import (
    ITEM,
    Entry,
    Listing,
    entries_below,
    every_entry,
    shortened,
    written,
)

_TITLES = {
    "study": "Fields of a study file",
    "configuration": "Fields of the configuration, in base, set, --set and levels",
}


def show_fields(prefix: str | None, *, as_json: bool) -> None:
    """Prints the fields at and below a dotted name; without one, all of them.

    Raises:
        UsageError: there is no such field.
    """
    listing = every_entry() if prefix is None else entries_below(prefix)
    if as_json:
        print_json({"fields": [_as_json(entry, listing) for entry in listing.entries]})
        return
    out = console()
    width = min(out.width, 100)
    for line in _lines(listing, width):
        out.print(line, soft_wrap=True)
    if any(ITEM in entry.path for entry in listing.entries):
        out.print(f"\n{ITEM} is the place of an item in its list, from 0.")


def facts_of(entry: Entry, *, with_default: bool = True) -> list[str]:
    """Type, range, unit and default, each in a few words; empty ones are left out."""
    kinds = ", ".join(kind.name for kind in entry.kinds)
    default = "required" if entry.required else f"default {shortened(entry.default)}"
    found = [
        f"{entry.takes}: {kinds}" if kinds else entry.takes,
        entry.range,
        f"unit: {entry.unit}" if entry.unit else "",
        default if with_default and (entry.required or entry.kinds or not entry.models) else "",
    ]
    return [fact for fact in found if fact]


def elsewhere(entry: Entry, listing: Listing) -> str | None:
    """Where the fields below a component are listed if not below itself."""
    homes = {listing.homes.get(model, "") for model in entry.models}
    if not entry.models or any(_is_below(home, entry) for home in homes):
        return None
    return min(homes, key=len)


def _is_below(home: str, entry: Entry) -> bool:
    return home in (entry.name, f"{entry.name}.{ITEM}", "")


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
        "fields_at": elsewhere(entry, listing),
    }


def _lines(listing: Listing, width: int) -> Iterator[str]:
    part, kind = None, None
    for entry in listing.entries:
        if entry.part != part:
            if part is not None:
                yield ""
            part = entry.part
            yield _TITLES[part]
        if (now := _kind(entry)) != kind and now is not None:
            yield ""
            yield f"{entry.parent} of kind {now}"
        kind = now
        yield ""
        yield entry.name
        yield from _wrapped("; ".join(facts_of(entry)), width)
        yield from _wrapped(entry.meaning, width)
        for one in () if elsewhere(entry, listing) else entry.kinds:
            yield from _wrapped(f"{one.name}: {one.meaning}", width, deeper="  ")
        yield from _wrapped("; ".join(_ends(entry, listing)), width)


def _ends(entry: Entry, listing: Listing) -> Iterator[str]:
    if entry.source:
        yield f"source: {entry.source}"
    if entry.example is not None:
        yield f"example: {entry.path[-1]}: {written(entry.example)}"
    if place := elsewhere(entry, listing):
        yield f"its fields are those of {place}"


def _kind(entry: Entry) -> str | None:
    return entry.when.get(entry.parent)


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
