"""From pydantic's findings to sentences: `file:line: field: rule, value, nearest name`."""

import re
import sys
import types
import typing
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ValidationError

from ablations.study.yaml_file import Location, YamlFile
from sweeps.suggest import did_you_mean

_WORDS = (
    ("Input should be", "must be"),
    ("String should", "must"),
    ("Value should", "must"),
    ("Dictionary should", "must"),
    ("Tuple should", "must"),
    (" after validation", ""),
    ("a valid integer", "a whole number"),
    ("a valid number", "a number"),
    ("a valid string", "a text"),
    ("a valid tuple", "a list"),
    ("a valid boolean", "true or false"),
    ("a valid dictionary", "a mapping"),
)
"""pydantic's words and those of a study's writer."""


RETIRED = {
    "made_by": "no longer exists; write source: with the place in a publication that makes the "
    'statement, such as "section 4.2, figure 8", and nothing for a claim of your own'
}
"""Field that studies once had -> what to write instead."""


MOST_FINDINGS = 100
"""Mistakes that are put in words; of more, the number."""


def shown(value: object) -> str:
    """A value as a sentence quotes it: short, on one line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else text[:57] + "..."


def in_order(sentences: Iterable[str]) -> list[str]:
    """Each sentence once, by the line that it speaks of; those without a line come last."""

    def line(sentence: str) -> int:
        found = re.match(r"[^\n]*?:(\d+): ", sentence)
        return int(found[1]) if found else sys.maxsize

    return sorted(dict.fromkeys(sentences), key=line)


def validation_sentences(
    error: ValidationError, model: type[BaseModel], file: YamlFile, inside: Location = ()
) -> list[str]:
    """One sentence a finding, in the order of the file's lines; `inside` is where the model stands."""
    found: dict[str, int] = {}
    findings = error.errors(include_url=False)
    for finding in findings[:MOST_FINDINGS]:
        if finding["type"] == "too_short" and _inner(finding["loc"], findings):
            continue  # pydantic counts only the items that are right
        location = inside + _written(finding["loc"], file, inside)
        name = ".".join(map(str, location)) or "study"
        missing = finding["type"] == "missing"
        if missing:
            name = ".".join(filter(None, (name if location else "", str(finding["loc"][-1]))))
        text = _rule(finding, model)
        found.setdefault(f"{file.place(location)}: {name}: {text}", file.line(location))
    if (more := len(findings) - MOST_FINDINGS) > 0:
        found[f"{file.path}: {more:,} more mistakes are not listed; mend these first"] = sys.maxsize
    return sorted(found, key=lambda sentence: found[sentence])


def _inner(loc: tuple[int | str, ...], findings: Iterable[Any]) -> bool:
    return any(len(f["loc"]) > len(loc) and f["loc"][: len(loc)] == loc for f in findings)


def _written(loc: tuple[int | str, ...], file: YamlFile, inside: Location) -> Location:
    # pydantic's location also names the members of unions, which stand nowhere in the file.
    location: Location = ()
    for part in loc:
        step = part if isinstance(part, int) else str(part)
        if (*inside, *location, step) in file.lines:
            location = (*location, step)
    return location


def _rule(finding: Any, model: type[BaseModel]) -> str:
    value = finding["input"]
    context = finding.get("ctx", {})
    match finding["type"]:
        case "missing":
            return "a value is required here, got none; write it"
        case "extra_forbidden":
            known = _fields_at(model, finding["loc"][:-1])
            if (name := str(finding["loc"][-1])) in RETIRED:
                return RETIRED[name]
            return f"no such field{did_you_mean(str(finding['loc'][-1]), known)}"
        case "union_tag_invalid":
            tags = str(context["expected_tags"]).replace("'", "").split(", ")
            got = context["tag"]
            return f"kind must be one of {', '.join(tags)}, got {got!r}{did_you_mean(got, tags)}"
        case "union_tag_not_found":
            return "a kind: is required here, got none; write kind: and its name"
        case "literal_error":
            allowed = str(context["expected"])
            names = [name.strip("' ") for name in allowed.replace(" or ", ", ").split(", ")]
            near = did_you_mean(value, names) if isinstance(value, str) else ""
            return f"must be one of {allowed}, got {shown(value)}{near}"
        case "value_error":
            return str(context.get("error", finding["msg"]))
        case _:
            rule = str(finding["msg"])
            for before, after in _WORDS:
                rule = rule.replace(before, after)
            return f"{rule}, got {shown(value)}"


def _fields_at(model: type[BaseModel], loc: Iterable[int | str]) -> list[str]:
    """The fields known where a location leads to; empty where that cannot be told."""
    here: list[Any] = [model]
    for part in loc:
        models = [kind for kind in here if _is_model(kind)]
        tagged = [kind for kind in models if part in _kinds(kind)]
        if tagged:
            here = tagged
        elif any(part in kind.model_fields for kind in models):
            here = [
                inner
                for kind in models
                if part in kind.model_fields
                for inner in _members(kind.model_fields[str(part)].annotation)
            ]
        # Any other part is an index or a key of a mapping: its members are already at hand.
    return [field for kind in here if _is_model(kind) for field in kind.model_fields]


def _members(annotation: Any) -> list[Any]:
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        return _members(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType, tuple, list):
        return [m for part in typing.get_args(annotation) for m in _members(part)]
    if origin is dict:
        return _members(typing.get_args(annotation)[1])
    return [annotation]


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _kinds(kind: type[BaseModel]) -> tuple[Any, ...]:
    field = kind.model_fields.get("kind")
    if field is None or typing.get_origin(field.annotation) is not Literal:
        return ()
    return typing.get_args(field.annotation)
