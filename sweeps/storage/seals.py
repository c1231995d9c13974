"""Checksums of saved files, so that a change of one bit is noticed when they are read."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sweeps.errors import PlanError
from sweeps.planning import canonical
from sweeps.storage.atomic_io import open_regular

SEAL = "seal"
"""The field that holds the checksum of a JSON mapping's other fields."""


def sealed(value: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON mapping with the checksum of its canonical text."""
    return {**value, SEAL: _checksum(value)}


def is_whole(value: Mapping[str, Any]) -> bool:
    """Whether a mapping has a seal and is unchanged since."""
    try:
        return value.get(SEAL) == _checksum(value)
    except PlanError:  # not even JSON
        return False


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checksum(value: Mapping[str, Any]) -> str:
    rest = {name: inner for name, inner in value.items() if name != SEAL}
    return hashlib.sha256(canonical(rest).encode("utf-8", "surrogatepass")).hexdigest()
