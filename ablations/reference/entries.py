"""Every field of a study file and of the trainer's configuration, read from their models.

All texts are the models' own docstrings; there is no second copy of any sentence.
"""

import difflib
import inspect
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ablations.errors import UsageError
from ablations.reference.wording import as_settings, range_of, source_of, type_of, unit_of
from ablations.study import Study
from sweeps.suggest import did_you_mean

ITEM = "N"
"""In a path: the place of an item in its list, counted from 0."""

Part = Literal["study", "configuration"]
"""Whether a field stands in a study file itself, or in `base`, `set` and levels."""

_CONFIGURATIONS = (("base",), ("scales", "*", "set"))
"""Where a study file holds fields of the configuration."""


class Kind(NamedTuple):
    """One member of a family, as a field lists it."""

    name: str
    meaning: str
    """The first paragraph of the class's docstring."""

    source: str | None
    """The places of publications that its docstring names."""

    model: type[BaseModel]


class Entry(NamedTuple):
    """One field at one place."""

    part: Part
    path: tuple[str, ...]
    """As a study file names it; `N` stands for the place of an item in a list."""

    when: dict[str, str]
    """Path of a component -> the kind that it must have for this field to exist."""

    owner: type[BaseModel]
    """The model that defines the field."""

    takes: str
    """The type in words."""

    range: str
    unit: str | None
    required: bool
    default: Any
    """None also where the field is required."""

    meaning: str
    source: str | None
    example: Any
    """None for a mapping of fields, which have their own."""

    kinds: tuple[Kind, ...]
    """For a component: what it may be."""

    models: tuple[type[BaseModel], ...]
    """The models whose fields are below this one."""

    trail: tuple[tuple[str, bool], ...]
    """The names that lead here, each with whether it is a kind, which a prefix may leave out."""

    @property
    def name(self) -> str:
        """The path as one word."""
        return ".".join(self.path)

    @property
    def parent(self) -> str:
        """The path of the component that holds the field; empty at the top."""
        return ".".join(self.path[:-1])


class Listing(NamedTuple):
    """Entries in order, each model's fields once."""

    entries: tuple[Entry, ...]
    homes: dict[type[BaseModel], str]
    """Model -> the path below which its fields are listed."""


def every_entry() -> Listing:
    """All fields: those of a study file, then those of the configuration."""
    return _once(_all())


def entries_below(prefix: str) -> Listing:
    """The fields at and below a dotted name; kinds may be named in it (`optimizer.lars`).

    Raises:
        UsageError: there is no such field.
    """
    words = [word for word in prefix.split(".") if word != ITEM and not word.isdigit()]
    words, parts = _located(words)
    found = [entry for entry in _all() if entry.part in parts and _matches(entry, words)]
    if not found or not all(words):
        raise UsageError(f"fields: no field {prefix!r}{_suggestion(prefix)}")
    return _once(found)


def kinds() -> Iterator[tuple[Entry, Kind]]:
    """Every member of every family, with the field where it is listed first."""
    seen = set[type[BaseModel]]()
    for entry in _all():
        for kind in entry.kinds:
            if kind.model not in seen:
                seen.add(kind.model)
                yield entry, kind


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """The known names that are close to one, at most three, nearest first."""
    return difflib.get_close_matches(name.lower(), list(known), n=3)


def name_of(path: Iterable[str]) -> str:
    """A path without the places of items: what `ablate fields` takes."""
    return ".".join(word for word in path if word != ITEM)


@cache
def _all() -> tuple[Entry, ...]:
    from simclr_core.config import Config

    return (*_walk("study", Study, (), {}, ()), *_walk("configuration", Config, (), {}, ()))


def _walk(
    part: Part,
    model: type[BaseModel],
    path: tuple[str, ...],
    when: dict[str, str],
    trail: tuple[tuple[str, bool], ...],
) -> Iterator[Entry]:
    from simclr_core.config import kind_of, models_of

    for field_name, field in model.model_fields.items():
        if field_name == "kind":
            continue
        name = field.alias or field_name
        here, way = (*path, name), (*trail, (name, False))
        models = tuple(models_of(field.annotation))
        yield _entry(part, model, field, here, when, way, models)
        below = (*here, ITEM) if holds_list(field.annotation) else here
        for one in models:
            kind = kind_of(one) if len(models) > 1 else None
            if kind is None:
                yield from _walk(part, one, below, when, way)
            else:
                inner = {**when, ".".join(below): kind}
                yield from _walk(part, one, below, inner, (*way, (kind, True)))


def _entry(
    part: Part,
    owner: type[BaseModel],
    field: FieldInfo,
    path: tuple[str, ...],
    when: dict[str, str],
    trail: tuple[tuple[str, bool], ...],
    models: tuple[type[BaseModel], ...],
) -> Entry:
    meaning = " ".join((field.description or "").split())
    default = as_settings(field.get_default(call_default_factory=True, validated_data={}))
    required = field.is_required()
    return Entry(
        part=part,
        path=path,
        when=when,
        owner=owner,
        takes=type_of(field.annotation),
        range=range_of(field.annotation, field.metadata),
        unit=unit_of(field.annotation, meaning),
        required=required,
        default=None if required else default,
        meaning=meaning,
        source=source_of(meaning) if part == "configuration" else None,
        example=_example(field, default),
        kinds=tuple(_kinds(models)) if len(models) > 1 else (),
        models=models,
        trail=trail,
    )


def _kinds(models: Iterable[type[BaseModel]]) -> Iterator[Kind]:
    from simclr_core.config import kind_of

    for model in models:
        text = inspect.getdoc(model) or ""
        meaning = " ".join(text.partition("\n\n")[0].split())
        yield Kind(str(kind_of(model)), meaning, source_of(text), model)


def _example(field: FieldInfo, default: Any) -> Any:
    """The first that the model names, else another value than the default where there are few."""
    if field.examples:
        return field.examples[0]
    if field.is_required() or default in ({}, []):
        return None
    if get_origin(field.annotation) is Literal:
        others = [word for word in get_args(field.annotation) if word != default]
        return others[0] if others else default
    return (not default) if isinstance(default, bool) else default


def holds_list(annotation: Any) -> bool:
    """Whether a field takes a list."""
    origin = get_origin(annotation)
    return origin is tuple or any(holds_list(inner) for inner in get_args(annotation))


def _matches(entry: Entry, words: list[str]) -> bool:
    """Whether the words lead to the entry or above it; kinds may be left out."""
    place = 0
    for name, is_kind in entry.trail:
        if place == len(words):
            return True
        if name == words[place]:
            place += 1
        elif not is_kind:
            return False
    return place == len(words)


def _located(words: list[str]) -> tuple[list[str], tuple[Part, ...]]:
    """The name below its place: `base.optimizer` is the configuration's `optimizer`."""
    for place in _CONFIGURATIONS:
        start = words[: len(place)]
        if len(words) > len(place) and all(
            known in ("*", word) for known, word in zip(place, start, strict=False)
        ):
            return words[len(place) :], ("configuration",)
    return words, get_args(Part)


def _once(entries: Iterable[Entry]) -> Listing:
    homes: dict[type[BaseModel], str] = {}
    listed = tuple(
        entry for entry in entries if homes.setdefault(entry.owner, entry.parent) == entry.parent
    )
    return Listing(listed, homes)


def _suggestion(prefix: str) -> str:
    """Names of equal depth that are near, else names that end nearly alike, else those at the top."""
    names = list(dict.fromkeys(name_of(entry.path) for entry in _all()))
    level = [name for name in names if name.count(".") == prefix.count(".")]
    if near := nearest(prefix, level):
        return did_you_mean(prefix, near)
    ends: dict[str, str] = {}
    for name in names:
        ends.setdefault(name.rpartition(".")[2], name)
    if near := nearest(prefix.rpartition(".")[2], ends):
        found = [ends[end] for end in near]
        return f"; did you mean {', '.join(map(repr, found))}?"
    return did_you_mean(prefix, [name for name in names if "." not in name])
