"""Fields in which nested values differ, such as the configurations of trials."""

import json
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from itertools import zip_longest
from typing import Any, NamedTuple


class Absent(Enum):
    """The value of a field that one of the compared values does not have; None is a value."""

    ABSENT = "-"


ABSENT = Absent.ABSENT


class Field(NamedTuple):
    """One field with its value on each side."""

    name: str
    """Dotted; a number indexes a list."""
    values: tuple[Any, ...]

    @property
    def equal(self) -> bool:
        """Whether all sides have the same value; 1 and 1.0 are the same, 1 and true are not."""
        first, *others = self.values
        return all(other == first and _is_bool(other) == _is_bool(first) for other in others)


def fields_of(values: Sequence[Any], name: str = "") -> Iterator[Field]:
    """Every field of nested values, in their order: mappings and lists of mappings are opened.

    A mapping that some side lacks as a whole is one field.
    """
    if all(isinstance(value, Mapping) for value in values) and any(values):
        for inner in dict.fromkeys(key for value in values for key in value):
            below = [value.get(inner, ABSENT) for value in values]
            yield from fields_of(below, f"{name}.{inner}" if name else str(inner))
    elif all(isinstance(value, list) for value in values) and _holds_mappings(values):
        for index, below in enumerate(zip_longest(*values, fillvalue=ABSENT)):
            yield from fields_of(below, f"{name}.{index}")
    else:
        yield Field(name, tuple(values))


def text_of(value: Any) -> str:
    """A value on one line, as in a configuration; a dash where the field is absent."""
    if isinstance(value, Absent):
        return value.value
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _holds_mappings(lists: Sequence[Sequence[Any]]) -> bool:
    return any(isinstance(item, Mapping) for one in lists for item in one)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)
