"""Messages about a study file: `file:line: field: rule, value, nearest name`."""

import re
import sys
from collections.abc import Iterable

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ablations.study.yaml_file import Location, YamlFile
from sweeps.suggest import did_you_mean

MOST_FINDINGS = 100
"""Mistakes that are listed; of any others, only the number."""


def shown(value: object) -> str:
    """A value as quoted in a message: short, on one line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else text[:57] + "..."


def in_order(messages: Iterable[str]) -> list[str]:
    """Each message once, ordered by line; messages without a line come last."""

    def line(message: str) -> int:
        found = re.match(r"[^\n]*?:(\d+): ", message)
        return int(found[1]) if found else sys.maxsize

    return sorted(dict.fromkeys(messages), key=line)


def validation_messages(
    error: ValidationError, model: type[BaseModel], file: YamlFile
) -> list[str]:
    """One message for each finding, in the order of the file's lines."""
    found: dict[str, int] = {}
    findings = error.errors(include_url=False)
    for finding in findings[:MOST_FINDINGS]:
        location = _written(finding["loc"], file)
        names = [*location]
        if finding["type"] == "missing":
            names.append(finding["loc"][-1])
        elif finding["type"] == "union_tag_invalid":
            names.append("kind")
        name = ".".join(map(str, names)) or "study"
        if (text := _text(finding, findings, model)) is not None:
            found.setdefault(f"{file.place(location)}: {name}: {text}", file.line(location))
    if (more := len(findings) - MOST_FINDINGS) > 0:
        found[f"{file.path}: {more:,} more mistakes are not listed; fix these first"] = sys.maxsize
    return sorted(found, key=lambda message: found[message])


def _text(
    finding: ErrorDetails, findings: list[ErrorDetails], model: type[BaseModel]
) -> str | None:
    """The message of a finding; None for one that follows from others."""
    try:
        from simclr_core.config import message_of, miscounted
    except ImportError:  # a report is written without the trainer: pydantic's own words
        return finding["msg"]
    if miscounted(finding, findings):
        return None
    hint = did_you_mean(str(finding["loc"][-1]), _fields_at(model, finding["loc"][:-1]))
    return message_of(finding, hint=hint, nearest=did_you_mean)


def _written(loc: tuple[int | str, ...], file: YamlFile) -> Location:
    # pydantic's location also names the members of unions, which are nowhere in the file.
    location: Location = ()
    for part in loc:
        if (*location, part) in file.lines:
            location = (*location, part)
    return location


def _fields_at(model: type[BaseModel], loc: Iterable[int | str]) -> list[str]:
    """The known fields at a location; empty where that cannot be determined."""
    from simclr_core.config import kind_of, models_of

    here = [model]
    for part in loc:
        fields = [one.model_fields[str(part)] for one in here if part in one.model_fields]
        if tagged := [one for one in here if kind_of(one) == part]:
            here = tagged
        elif fields:
            here = [inner for field in fields for inner in models_of(field.annotation)]
        # Any other part is an index or a key of a mapping: its members are already known.
    return [field for one in here for field in one.model_fields]
