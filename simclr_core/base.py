"""The base of every configuration value, and its deviations from the paper."""

import difflib
from collections.abc import Sequence
from typing import Any, LiteralString, NamedTuple

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError


class Frozen(BaseModel):
    """An immutable value that refuses unknown fields; the docstring under a field is its description."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Departure(NamedTuple):
    """One way in which a configuration differs from the paper, at any scale."""

    field: str
    """The configuration's field, dotted, or a phrase where no field shows it."""

    here: str
    paper: str


def nearest_name(name: str, known: Sequence[str]) -> str:
    """`; did you mean x?`, or nothing where no known name is close."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def misshapen(rule: LiteralString, **values: Any) -> PydanticCustomError:
    """A broken rule of one part by itself, with `values` in its braces; a validator raises it."""
    return PydanticCustomError("shape", rule, values)


def disagreement(rule: LiteralString, *fields: str, **values: Any) -> PydanticCustomError:
    """A broken rule between fields of a configuration, which a validator raises.

    `rule` begins with the field at fault and names `values` in braces; `fields` are all top-level
    fields that it depends on.
    """
    context = {**values, "fields": fields} if fields else values
    return PydanticCustomError("disagreement", rule, context)
