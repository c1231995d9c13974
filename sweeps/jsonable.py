"""Any value as plain JSON: numbers that are not finite become None, other objects their text."""

import math
from collections.abc import Mapping
from typing import Any


def number(value: Any) -> float | int | None:
    """A finite number; None if it is unknown or not finite."""
    if value is None:
        return None
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, (int, float)):
        return value if math.isfinite(value) else None
    raise TypeError(f"a metric must be a number or None, got {value!r}")


def plain(value: Any) -> Any:
    """The value as mappings, lists, texts, finite numbers, truth values and None."""
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int)):
        return value
    # Arrays and scalars of numerical libraries, without importing any.
    return plain(value.tolist()) if hasattr(value, "tolist") else str(value)
