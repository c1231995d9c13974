"""From settings as users write them to a Config, or to all their mistakes together."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from simclr_core.config.messages import message_of, miscounted
from simclr_core.config.schema import Config
from simclr_core.errors import ConfigurationError
from simclr_core.plugins import reading

MOST_MISTAKES = 30
"""Mistakes that are listed; of more, the number."""


class Mistake(NamedTuple):
    """One broken rule."""

    field: str
    """Dotted, as the user wrote it: `encoder.width`, `views.operations.1.strength`."""

    text: str
    """The rule, the value and the fix."""

    def __str__(self) -> str:
        return f"{self.field}: {self.text}"


def default_settings() -> dict[str, Any]:
    """The defaults as settings: of each part its kind and what departs from that kind's defaults.

    `encoder.blocks` set over these is enough to leave the default depth; over a full dump it
    would contradict it.
    """
    settings: dict[str, Any] = {}
    for name, field in Config.model_fields.items():
        default = field.default  # not get_default, which copies: all of them are immutable
        settings[name] = _departures(default) if isinstance(default, BaseModel) else default
    return settings


def _departures(value: BaseModel) -> dict[str, Any]:
    """A part's kind, the kinds of the parts below it, and what else it was given."""
    given = value.model_dump(mode="json", exclude_unset=True)
    for name in type(value).model_fields:
        inner = getattr(value, name)
        if name == "kind":
            given = {"kind": inner, **given}
        elif isinstance(inner, BaseModel) and (below := _departures(inner)):
            given[name] = below
    return given


def overridden(settings: Mapping[str, Any], changes: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The settings with dotted fields set over them, in order; what no field names is shared with them.

    A mapping with a `kind` replaces the value at its field, one without refines it field by field.
    A number in a dotted name is an index into a list: `views.operations.1.strength`.
    """
    result = dict(settings)
    for field, value in changes:
        path = field.split(".")
        result = _put(_with_list(result, path), path, value)
    return result


def value_at(settings: Mapping[str, Any], field: str) -> Any:
    """The value that settings have at a dotted field, a default list included; None if none."""
    path = field.split(".")
    here: Any = _with_list(dict(settings), [*path, "0"])
    for part in path:
        here = _step(here, part)
    return here


def settled(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The default settings with these over them; see `overridden`."""
    return overridden(default_settings(), ((str(field), v) for field, v in settings.items()))


def mistakes(settings: Mapping[str, Any], texts: dict[str, str] | None = None) -> list[Mistake]:
    """Every mistake in the settings, in the order of the configuration's fields; none is none.

    `texts` has the text of each custom component's file when first read, by path; it is extended.
    """
    complete = settled(settings)
    try:
        checked(complete, texts)
    except ValidationError as error:
        errors = error.errors(include_url=False)
    else:
        return []
    accepted, shown = _accepted_fields(complete), errors[:MOST_MISTAKES]
    more = len(errors) - len(shown)
    found = [_mistake(one, complete, accepted) for one in shown if not miscounted(one, errors)]
    # Rules between fields are checked only once all fields are right by themselves: those of the
    # fields that are right are therefore looked at with the others at their defaults.
    broken = {str(details["loc"][0]) for details in errors if details["loc"]}
    if broken:
        rest = {name: value for name, value in complete.items() if name not in broken}
        try:
            checked(rest, texts)
        except ValidationError as error:
            found += [
                _mistake(details, rest, accepted)
                for details in error.errors(include_url=False)
                if not broken & set(details.get("ctx", {}).get("fields", ()))
            ]
    if more > 0:
        found.append(Mistake("configuration", f"has {more:,} more mistakes; fix these first"))
    return list(dict.fromkeys(found))


def check(settings: Mapping[str, Any]) -> Config:
    """The configuration that the settings make over the defaults.

    Raises:
        ConfigurationError: with one line for each mistake.
    """
    texts: dict[str, str] = {}
    if found := mistakes(settings, texts):
        raise ConfigurationError("\n".join(map(str, found)))
    return checked(settled(settings), texts)


def checked(complete: Mapping[str, Any], texts: dict[str, str] | None = None) -> Config:
    """The configuration of complete settings; files of custom components are read, not executed.

    `texts` as in `mistakes`.

    Raises:
        ValueError: they break rules, which `mistakes` puts in words.
    """
    return Config.model_validate(complete, context=reading(texts))


def _copied(value: Any) -> Any:
    """A copy of the mappings and lists in a value; `deepcopy` takes five times as long."""
    if isinstance(value, Mapping):
        return {name: _copied(inner) for name, inner in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list):
        return [_copied(inner) for inner in cast("list[Any]", value)]
    return value


def _with_list(settings: dict[str, Any], path: Sequence[str]) -> dict[str, Any]:
    """The settings with a default list in its place if the path leads into it, to refine its items."""
    here: Any = settings
    for depth, part in enumerate(path[:-1]):
        if path[depth + 1].isdigit() and isinstance(here, dict) and part not in here:
            for owner in _owners(path[:depth], settings):
                if part in owner.model_fields:
                    default = _written_out(owner.model_construct(), part)
                    settings = _put(settings, path[: depth + 1], default)
                    here = {**here, part: default}
        here = _step(here, part)
    return settings


def _written_out(owner: BaseModel, name: str) -> Any:
    """A default as settings: of a list of components their kinds and what they were given."""
    default = getattr(owner, name)
    if isinstance(default, tuple) and default and isinstance(default[0], BaseModel):
        return [_departures(item) for item in cast("tuple[BaseModel, ...]", default)]
    return owner.model_dump(mode="json")[name]


def _put(here: Any, path: Sequence[str], value: Any) -> Any:
    """`here` with the value at the path; what leads nowhere is put there for the check to find.

    Copies what is on the path alone: a plan sets a few fields over the same settings thousands of times.
    """
    first, *rest = path
    step: Any = int(first) if isinstance(here, list) else first
    inner = _step(here, step)
    into_list = isinstance(inner, list) and rest and rest[0].isdigit() and int(rest[0]) < len(inner)
    if rest:
        inner = _put(inner if isinstance(inner, dict) or into_list else {}, rest, value)
    elif isinstance(value, Mapping) and isinstance(inner, dict) and "kind" not in value:
        for name, below in value.items():
            inner = _put(inner, str(name).split("."), below)
    else:
        inner = _copied(value)
    if isinstance(here, list):
        return [*here[: int(first)], inner, *here[int(first) + 1 :]]
    return {**here, first: inner}


def _mistake(details: ErrorDetails, settings: dict[str, Any], accepted: Sequence[str]) -> Mistake:
    path = _cleaned(details["loc"], settings)
    field = ".".join(str(part) for part in path)
    kind, value = details["type"], details["input"]
    hint, kinds = "", list[str]()
    if kind == "extra_forbidden":
        hint = _nearest_field(path, settings, accepted)
    elif kind == "union_tag_invalid":
        field = f"{field}.kind"
    elif kind == "union_tag_not_found":
        kinds = [str(kind_of(model)) for model in _owners(path, settings)]
    text = message_of(details, hint=hint, kinds=kinds)
    if kind == "disagreement" and not path:
        field, _, text = text.partition(" ")
    elif kind == "tuple_type" and isinstance(value, Mapping) and all(map(str.isdigit, value)):
        field, text = f"{field}.{next(iter(value))}", "no such item in the list"
    return Mistake(field, text)


def _cleaned(loc: Sequence[int | str], settings: dict[str, Any]) -> list[int | str]:
    """The field's path as the user wrote it, without the unions' tags that pydantic adds."""
    path: list[int | str] = []
    here: Any = settings
    after_tag = False
    for part in loc:
        after_tag = not after_tag and isinstance(here, Mapping) and here.get("kind") == part
        if not after_tag:
            path.append(part)
            here = _step(here, part)
    return path


def _owners(path: Sequence[int | str], settings: Any) -> list[type[BaseModel]]:
    """The models possible at a path; one, where the settings state a known kind."""
    owners: list[type[BaseModel]] = [Config]
    for part in path:
        settings = _step(settings, part)
        if isinstance(part, str):
            fields = [m.model_fields[part] for m in owners if part in m.model_fields]
            owners = [model for field in fields for model in models_of(field.annotation)]
        if isinstance(settings, Mapping) and "kind" in settings:
            owners = [m for m in owners if kind_of(m) == settings["kind"]] or owners
    return owners


def models_of(annotation: Any) -> list[type[BaseModel]]:
    """The models that a field's annotation names: one, or the members of a family."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in models_of(inner)]


def kind_of(model: type[BaseModel]) -> str | None:
    """The kind that a family's member is named by; None for what has none."""
    field = model.model_fields.get("kind")
    return None if field is None else field.get_default()


def _step(here: Any, part: int | str) -> Any:
    if isinstance(here, Mapping):
        return here.get(part)
    if isinstance(here, list | tuple) and str(part).isdigit() and int(part) < len(here):
        return here[int(part)]
    return None


def _accepted_fields(settings: Any) -> tuple[str, ...]:
    """Every field that may be set in addition to the settings, dotted, without items of lists."""

    def below(model: type[BaseModel], prefix: str, here: Any) -> Iterator[str]:
        for name, field in model.model_fields.items():
            yield prefix + name
            if not str(field.annotation).startswith("tuple"):
                inner = _step(here, name)
                kinds = models_of(field.annotation)
                said = inner.get("kind") if isinstance(inner, Mapping) else None
                for one in kinds if len(kinds) == 1 else [k for k in kinds if kind_of(k) == said]:
                    yield from below(one, f"{prefix}{name}.", inner)

    return tuple(dict.fromkeys(below(Config, "", settings)))


def _nearest_field(
    path: Sequence[int | str], settings: dict[str, Any], accepted: Sequence[str]
) -> str:
    """The nearest name next to the unknown one, else anywhere, in full: one that is accepted."""
    name, above = str(path[-1]), [str(part) for part in path[:-1]]
    siblings = [field for model in _owners(path[:-1], settings) for field in model.model_fields]
    close = difflib.get_close_matches(name, siblings, n=1)
    if close:
        return f"; did you mean {'.'.join([*above, close[0]])}?"
    here = ".".join([*above, name])
    elsewhere = [field for field in reversed(accepted) if field != here]
    ends = {field.rpartition(".")[2]: field for field in elsewhere}
    close = difflib.get_close_matches(name, ends, n=1, cutoff=0.8)
    if close:
        return f"; did you mean {ends[close[0]]}?"
    return f"; there are {', '.join(dict.fromkeys(siblings))}" if siblings else ""
