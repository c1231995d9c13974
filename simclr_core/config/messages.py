"""From pydantic's findings to messages: the rule, the value, the nearest name that would be right."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from pydantic_core import ErrorDetails

from simclr_core.base import nearest_name

_WORDS = (
    ("Value error, ", ""),
    ("Input should be", "must be"),
    ("Tuple should", "must"),
    ("String should", "must"),
    ("Value should", "must"),
    ("Dictionary should", "must"),
    (" after validation", ""),
    ("greater than or equal to", "at least"),
    ("less than or equal to", "at most"),
    ("a valid integer", "a whole number"),
    ("a valid number", "a number"),
    ("a valid string", "a text"),
    ("a valid tuple", "a list"),
    ("a valid boolean", "true or false"),
    ("a valid dictionary", "a mapping of fields"),
)
"""pydantic's words and those of a writer of YAML."""

_COMPLETE = ("shape", "disagreement")
"""Error types whose text already contains the value."""

Nearest = Callable[[str, Sequence[str]], str]
"""(unknown name, known names) -> the end of a message that suggests one."""


def message_of(
    details: ErrorDetails,
    *,
    hint: str = "",
    kinds: Sequence[str] = (),
    nearest: Nearest = nearest_name,
) -> str:
    """One finding in words.

    `hint` ends the message about an unknown field; `kinds` are those that a missing kind may be.
    """
    kind, value = details["type"], details["input"]
    context = details.get("ctx", {})
    text = details["msg"]
    for theirs, ours in _WORDS:
        text = text.replace(theirs, ours)
    match kind:
        case "missing":
            return "is required but missing; add it"
        case "extra_forbidden":
            return f"no such field{hint}"
        case "union_tag_invalid":
            tags, tag = _quoted(context["expected_tags"]), str(context["tag"])
            return f"must be one of {', '.join(tags)}, got {tag!r}{nearest(tag, tags)}"
        case "union_tag_not_found":
            one_of = f" one of {', '.join(kinds)}" if kinds else " its name"
            return f"a kind is required, got {short(value)}; write kind: followed by{one_of}"
        case "literal_error":
            close = nearest(value, _quoted(context["expected"])) if isinstance(value, str) else ""
            return f"{text}, got {short(value)}{close}"
        case "value_error":
            return str(context.get("error", text))
        case "model_type" | "model_attributes_type":
            return f"must be a mapping of fields, got {short(value)}"
        case _ if kind in _COMPLETE:
            return text
        case _:
            # Some of pydantic's rules end in a reason after a comma; the value says it as well.
            return f"{text.split(', ')[0]}, got {short(value)}"


def miscounted(details: ErrorDetails, findings: Sequence[ErrorDetails]) -> bool:
    """Whether a list seems too short only because pydantic does not count its invalid items."""
    loc = details["loc"]
    return details["type"] == "too_short" and any(
        len(other["loc"]) > len(loc) and other["loc"][: len(loc)] == loc for other in findings
    )


def short(value: Any) -> str:
    """A value as a message quotes it: on one line, at most 60 characters."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def _quoted(names: Any) -> list[str]:
    return re.findall(r"'([^']*)'", str(names))
