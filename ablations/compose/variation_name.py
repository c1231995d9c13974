"""The name of a variation: the changes of `--set` and `--data` to all cells, as one readable word."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ablations.compose.layering import merged
from ablations.study import Setting

LONGEST = 80
"""Characters of a name before its hash: with study and scale it stays below what file systems take."""

_BARE = re.compile(r"[a-z][a-z0-9._-]*")
_WORDS = ("true", "false", "null")


def variation_of(
    before: dict[str, Any], requested: Iterable[Setting], data: tuple[Path, str] | None
) -> str:
    """For example `loss.temperature=0.2`; empty if nothing differs from the study file.

    `before` is the base of all cells without the settings `requested`; `data` are the images of
    `--data`: their path and the identity of their content. The order of settings has no effect unless
    one overrides another, and a setting that changes nothing is not named.
    """
    effective = _that_count(before, _by_field(requested))
    parts: list[str] = []
    exact = True
    if data is not None:
        path, content = data
        parts.append(f"data={_plain(path.absolute().name)}-{_digest(content)}")
    for setting in effective:
        text, whole = _shown(setting.value)
        exact = exact and whole
        parts.append(f"{setting.field}={text}")
    name = "+".join(parts)
    if exact and len(name) <= LONGEST and re.fullmatch(r"[a-z0-9._=+-]*", name):
        return name
    content = data[1] if data is not None else None
    values = [[setting.field, _number(setting.value)] for setting in effective]
    return f"{name[:LONGEST].rstrip('-+=.')}-{_digest(json.dumps([content, values]))}"


def _by_field(requested: Iterable[Setting]) -> list[Setting]:
    """The effective settings, in the order of fields: a field comes before the fields inside it."""
    effective: dict[str, Setting] = {}
    for one in requested:
        for setting in one.parts():
            inside = [field for field in effective if field.startswith(f"{setting.field}.")]
            for field in (setting.field, *inside):
                effective.pop(field, None)
            effective[setting.field] = setting
    return [effective[field] for field in sorted(effective)]


def _that_count(before: dict[str, Any], settings: list[Setting]) -> list[Setting]:
    after = merged(before, settings)
    for setting in list(settings):
        rest = [other for other in settings if other is not setting]
        if merged(before, rest) == after:
            settings = rest
    return settings


def _shown(value: Any) -> tuple[str, bool]:
    """A value as a part of a name, and whether the name is unambiguous."""
    match value:
        case str():
            whole = bool(_BARE.fullmatch(value)) and value not in _WORDS
            return _plain(value), whole
        case {"kind": str(kind)}:
            return _plain(kind), False
        case bool() | int() | float() | None:
            return json.dumps(_number(value)), True
        case _:
            return _plain(json.dumps(value)), False


def _number(value: Any) -> Any:
    """1.0 and 1 are one value."""
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return int(value) if whole else value


def _plain(text: str) -> str:
    """Replaces characters that some file system, shell or address does not accept."""
    ascii_only = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9._]+", "-", ascii_only).strip("-.")[:LONGEST] or "x"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
