"""The reference as a page: one table for each component, from the same texts as `ablate fields`."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from ablations.reference.entries import Entry, Listing, every_entry, kinds
from ablations.reference.facts import (
    ITEMS,
    TITLES,
    default_of,
    kind_of_owner,
    listed_at,
    takes_of,
)
from ablations.reference.illustrated import lines_of
from ablations.reference.wording import written

HEAD = """\
# Fields

`make fields` writes this page from the models, and `ablate fields` shows the same on a terminal, without
images; to change it, edit the docstrings of the models. `python -m ablations.reference.draw_illustrations`
draws the images. {items} The glossary is in [README.md](README.md).
"""


def fields_page() -> str:
    """The page, as markdown."""
    return "\n".join(_lines(every_entry()))


def _lines(listing: Listing) -> Iterator[str]:
    yield HEAD.format(items=ITEMS)
    meanings = {kind.model: kind.meaning for _, kind in kinds()}
    for part, entries in groupby(_by_component(listing), key=lambda entry: entry.part):
        yield f"## {TITLES[part]}\n"
        for (parent, kind), group in groupby(entries, key=_component):
            members = list(group)
            if parent:
                yield f"### `{parent}`{f' of kind `{kind}`' if kind else ''}\n"
            if kind:
                yield f"{_cell(meanings[members[0].owner])}\n"
                yield from lines_of(members[0].owner)
            yield "| field | takes | default | meaning | example |"
            yield "| --- | --- | --- | --- | --- |"
            yield from (_row(entry, listing) for entry in members)
            yield ""
            yield from _without_fields(members, listing)


def _without_fields(entries: list[Entry], listing: Listing) -> Iterator[str]:
    """The kinds that have no field, and so no table."""
    for entry in entries:
        for kind in () if listed_at(entry, listing) else entry.kinds:
            if kind.model not in listing.homes:
                yield f"### `{entry.name}` of kind `{kind.name}`\n"
                yield f"{_cell(kind.meaning)}\n"
                yield from lines_of(kind.model)


def _by_component(listing: Listing) -> list[Entry]:
    """The entries with those of one component next to each other, in the order of their first."""
    order: dict[tuple[str, str, str | None], int] = {}
    for entry in listing.entries:
        order.setdefault((entry.part, *_component(entry)), len(order))
    return sorted(listing.entries, key=lambda entry: order[entry.part, *_component(entry)])


def _component(entry: Entry) -> tuple[str, str | None]:
    return entry.parent, kind_of_owner(entry)


def _row(entry: Entry, listing: Listing) -> str:
    default = default_of(entry).removeprefix("default ")
    place = listed_at(entry, listing)
    meaning = [entry.meaning, f"Its fields: `{place}`." if place else ""]
    example = "" if entry.example is None else f"`{_cell(written(entry.example))}`"
    cells = [
        f"`{entry.path[-1]}`",
        _cell("; ".join(takes_of(entry))),
        default if default in ("", "required") else f"`{_cell(default)}`",
        _cell(" ".join(_present(meaning))),
        example,
    ]
    return f"| {' | '.join(cells)} |"


def _present(texts: Iterable[str]) -> list[str]:
    return [text for text in texts if text]


def _cell(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|")
