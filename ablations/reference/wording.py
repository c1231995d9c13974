"""Types, ranges and values of fields in the words of someone who writes YAML."""

import json
import re
from collections.abc import Iterator, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

_WORDS = {
    bool: ("true or false", "truth values"),
    int: ("whole number", "whole numbers"),
    float: ("number", "numbers"),
    str: ("text", "texts"),
}
"""Type -> one of it, several of it."""

_BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}

_LENGTHS = {"min_length": "at least", "max_length": "at most"}

_PLAIN = re.compile(r"[A-Za-z][\w .+/@-]*(?<! )")
_NO_TEXT = ("true", "false", "null", "yes", "no", "on", "off")

_UNITS = (
    (r"\bin (?:px|pixels)\b", "px"),
    (r"\bIn the metric's unit\b", "the metric's unit"),
    (r"^(?:Passes over|Epochs)\b", "epochs"),
    (r"^(?:N images|(?:Training |Test )?[Ii]mages|A subset of the training images)\b", "images"),
)
"""What a description says -> the unit of its number."""

_SOURCES = re.compile(
    r"[A-Z]\w+ (?:et al\.|and [A-Z]\w+) \d{4}(?:, equation \d+)?"
    r"|(?:section|figure|table|equation|algorithm)s? \d+(?:\.\d+)*(?: and \d+)?"
    r"|appendi(?:x|ces) [A-Z](?:\.\d+)*(?: and [A-Z](?:\.\d+)*)?"
    r"|\bB\.\d+(?:\.\d+)?|\bpaper, \d\.\d(?!\d)|official code"
)


def type_of(annotation: Any) -> str:
    """The type in words: `number`, `list of texts`, `one of log, linear`, `whole number or null`."""
    return _type(annotation, several=False)


def range_of(annotation: Any, metadata: Sequence[Any]) -> str:
    """The bounds in words, those of a list's items included; empty if there are none."""
    is_list = _is_list(annotation)
    own = [word for one in metadata for word in _bounds(one, is_list=is_list)]
    inner = ", ".join(_inner_bounds(annotation))
    return "; ".join(part for part in (", ".join(dict.fromkeys(own)), inner) if part)


def unit_of(annotation: Any, meaning: str) -> str | None:
    """The unit of a number, where its description states it."""
    if not {int, float} & set(_leaves(annotation)):
        return None
    return next((unit for said, unit in _UNITS if re.search(said, meaning)), None)


def source_of(text: str) -> str | None:
    """The places of publications that a description names."""
    found = dict.fromkeys(match[0] for match in _SOURCES.finditer(" ".join(text.split())))
    return ", ".join(found) or None


def as_settings(value: Any) -> Any:
    """A default as a study writes it: of a component its kind and what it was given."""
    if isinstance(value, BaseModel):
        kind = getattr(value, "kind", None)
        given = {name: as_settings(getattr(value, name)) for name in sorted(value.model_fields_set)}
        return given if kind is None else {"kind": kind, **given}
    if isinstance(value, list | tuple):
        items: Sequence[Any] = value
        return [as_settings(item) for item in items]
    return value


def written(value: Any) -> str:
    """A value as YAML in one line."""
    if isinstance(value, dict):
        items: dict[Any, Any] = value
        return "{" + ", ".join(f"{written(k)}: {written(v)}" for k, v in items.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _NO_TEXT:
        return value
    return json.dumps(value, ensure_ascii=False)


def shortened(value: Any) -> str:
    """`written`, but a long list of numbers as its count and its ends."""
    if isinstance(value, list | tuple) and len(value) > 6:
        return f"{len(value)} values from {written(value[0])} to {written(value[-1])}"
    return written(value)


def _type(annotation: Any, *, several: bool) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(arguments[0], several=several)
    if origin is Literal:
        words = [written(word) for word in arguments]
        return f"always {words[0]}" if len(words) == 1 else f"one of {', '.join(words)}"
    if origin in (Union, UnionType):
        arms = [_type(arm, several=several) for arm in arguments if arm is not NoneType]
        null = ["null"] if NoneType in arguments else []
        return " or ".join([*dict.fromkeys(arms), *null])
    if origin is tuple and arguments[-1] is not Ellipsis:
        return f"{'pairs' if several else 'pair'} of {_type(arguments[0], several=True)}"
    if origin in (tuple, list):
        return f"{'lists' if several else 'list'} of {_type(arguments[0], several=True)}"
    if origin is dict:
        inner = _type(arguments[1], several=True)
        return f"{'mappings' if several else 'mapping'} of names to {inner}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        of_kind = " with a kind" if "kind" in annotation.model_fields else " of fields"
        return f"{'mappings' if several else 'mapping'}{of_kind}"
    one, more = _WORDS.get(annotation, ("any value", "values"))
    return more if several else one


def _is_list(annotation: Any) -> bool:
    return any(get_origin(arm) in (tuple, list, dict) for arm in _arms(annotation))


def _arms(annotation: Any) -> Iterator[Any]:
    """What a value may be, without the wrapping of Annotated and unions."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from _arms(arguments[0])
    elif origin in (Union, UnionType):
        for arm in arguments:
            yield from _arms(arm)
    else:
        yield annotation


def _leaves(annotation: Any) -> Iterator[Any]:
    for arm in _arms(annotation):
        inner = [one for one in get_args(arm) if one is not Ellipsis]
        if get_origin(arm) in (tuple, list) and inner:
            yield from _leaves(inner[0])
        else:
            yield arm


def _inner_bounds(annotation: Any) -> Iterator[str]:
    """The bounds that are written inside the annotation: of one arm, or of a list's items."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        is_list = _is_list(arguments[0])
        for one in arguments[1:]:
            yield from _bounds(one, is_list=is_list)
        yield from _inner_bounds(arguments[0])
    elif origin in (Union, UnionType):
        for arm in arguments:
            yield from _inner_bounds(arm)
    elif origin in (tuple, list):
        inner = ", ".join(_inner_bounds(arguments[0]))
        yield from [f"each {inner}"] if inner else []


def _bounds(constraint: Any, *, is_list: bool) -> Iterator[str]:
    if isinstance(constraint, FieldInfo):
        for one in constraint.metadata:
            yield from _bounds(one, is_list=is_list)
        return
    for name, words in _BOUNDS.items():
        if (value := getattr(constraint, name, None)) is not None:
            yield f"{words} {_number(value)}"
    for name, words in _LENGTHS.items():
        if (value := getattr(constraint, name, None)) is not None:
            yield f"{words} {_counted(value)}" if is_list else "not empty"
    if (pattern := getattr(constraint, "pattern", None)) is not None:
        yield f"matches {pattern}"


def _number(value: float) -> str:
    if not isinstance(value, int):
        return f"{value:g}"
    return f"{value:,}" if value < 2**31 else f"2^{value.bit_length() - 1}"


def _counted(number: int) -> str:
    return "one item" if number == 1 else f"{number} items"
