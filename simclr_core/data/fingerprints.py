"""Digests of files' bytes, remembered by path, size and time of the last change."""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from simclr_core.data.file_reader import Found

Facts = dict[str, Any]
"""What was found out by reading every byte, as JSON."""


def digest(*values: Any) -> str:
    """SHA-256 over the canonical JSON of `values`, in hex."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def stamp(path: Path, found: Found | None = None) -> str:
    """Changes whenever a file is added, removed, renamed, resized or written.

    For a tar one look at the file itself is enough. A file rewritten with as many bytes and its
    old time put back goes unnoticed.
    """
    if found is None:
        state = path.stat()
        return digest(state.st_size, state.st_mtime_ns)
    # repr, not JSON: names may hold bytes that are no text.
    text = repr([(file.name, file.size, file.changed) for file in found.files])
    text += repr(found.folders)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def remembered(
    cache: Path | None, kind: str, path: Path, mark: str, find_out: Callable[[], Facts]
) -> Mapping[str, Any]:
    """The facts about `path` under the stamp `mark`: from `cache` if stored there, else determined.

    `kind` is what the path was read as: another kind finds out other facts.

    A cache that cannot be read or written costs time, never an answer.
    """
    if cache is None:
        return find_out()
    book = cache / "fingerprints.json"
    name = f"{kind} {path.absolute()}"
    entries = _read(book)
    if isinstance(entry := entries.get(name), dict) and entry.get("stamp") == mark:
        return entry["facts"]
    facts = find_out()
    with suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
        _write(book, {**_read(book), name: {"stamp": mark, "facts": facts}})
    return facts


def _read(book: Path) -> dict[str, Any]:
    try:
        entries = json.loads(book.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return entries if isinstance(entries, dict) else {}


def _write(book: Path, entries: dict[str, Any]) -> None:
    handle, scratch = tempfile.mkstemp(dir=book.parent, prefix=".", suffix=".json")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(entries, file)
        Path(scratch).replace(book)
    except OSError:
        Path(scratch).unlink(missing_ok=True)
        raise
