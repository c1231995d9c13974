"""Keys: two trials with one key are the same trial.

A key is the SHA-256 of a canonical JSON text, cut to 16 hexadecimal characters. 64 bits are enough:
among 100,000 trials two different ones share a key with probability 3e-10 (n^2 / 2^65), and 16
characters still fit a path, a table and a person's hand.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from sweeps.errors import PlanError

KEY_LENGTH = 16

_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)


def canonical(value: Any) -> str:
    """The one JSON text of a value: keys sorted, no blanks, tuples as lists, no NaN."""
    try:
        return _ENCODER.encode(value)
    except (TypeError, ValueError) as error:
        raise PlanError(
            f"the parts of a key must be plain JSON with finite numbers, but {error}"
        ) from error


def key_of(value: Any) -> str:
    """The key of any JSON value."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:KEY_LENGTH]


def chain_keys(chain: Iterable[tuple[str, Mapping[str, Any]]]) -> list[tuple[str, str]]:
    """(name, key) of each stage; a stage's key covers its own identity and all stages before it."""
    keys: list[tuple[str, str]] = []
    before = ""
    for name, identity in chain:
        before = key_of([before, name, identity])
        keys.append((name, before))
    return keys
