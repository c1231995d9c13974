"""A folder is a store if it contains our `store.json`. Any other non-empty folder is refused.

A store whose `store.json` was lost is recognised by its records and gets a new one.
"""

import contextlib
import json
import re
import secrets
from pathlib import Path
from typing import Any

from sweeps.errors import StoreError
from sweeps.storage.atomic_io import as_store_error, read_json, write_bytes, write_json, write_new
from sweeps.storage.record_file import MOST_BYTES

STORE_FORMAT = 2
"""Raised when folders get another meaning. 2: may hold records of format 3."""

KEY = re.compile(r"[0-9a-f]{16}")
"""The name of a trial's folder; see `sweeps.planning.keys`."""

ATTEMPT = re.compile(r"[0-9]{3,}")
"""The name of an attempt's folder."""

_BEING_MADE = re.compile(r"\.store\.json\.[0-9a-f]{8}")
_SHOWN = 4


def store_facts(path: Path) -> dict[str, Any] | None:
    """The content of a folder's `store.json`; None if it has none of ours."""
    facts = read_json(path / "store.json", MOST_BYTES)
    return facts if isinstance(facts, dict) and isinstance(facts.get("id"), str) else None


def is_store(path: Path) -> bool:
    """Whether a folder is a store; one that lost its `store.json` is, by its records."""
    return store_facts(path) is not None or _has_record(path)


def refuse_foreign(path: Path) -> None:
    """Checks that a folder is a store or can become one; writes nothing.

    Raises:
        StoreError: the folder is not empty and not a store, or has a newer version.
    """
    facts = store_facts(path)
    if facts is None:
        if not _has_record(path):
            _refuse_contents(path)
    elif isinstance(facts.get("format"), int) and facts["format"] > STORE_FORMAT:
        raise StoreError(
            f"{path / 'store.json'} has format {facts['format']}, but this program reads formats up to "
            f"{STORE_FORMAT}; a newer version wrote it: update, or name another store"
        )


def make_store(path: Path) -> str | None:
    """Makes a folder a store; returns a message if it had lost its `store.json`.

    Raises:
        StoreError: as `refuse_foreign`, or the folder cannot be written.
    """
    refuse_foreign(path)
    file, facts = path / "store.json", store_facts(path)
    if facts is not None:
        if facts.get("format") != STORE_FORMAT:
            with as_store_error(file):
                write_json(file, {**facts, "format": STORE_FORMAT})
        return None
    lost = _has_record(path)
    new = {"format": STORE_FORMAT, "id": secrets.token_hex(8)}
    with as_store_error(path):
        path.mkdir(parents=True, exist_ok=True)
        # Of two processes that make a store at once, the first one's file stays.
        with contextlib.suppress(FileExistsError):
            (write_bytes if lost else write_new)(file, f"{json.dumps(new, indent=1)}\n".encode())
    again = f"{file} was lost or incomplete; a new one was written, and all records are intact"
    return again if lost else None


def unmake_store(path: Path) -> None:
    """Removes a store that `make_store` has just made and that holds no record.

    If another program has added files in the meantime, these files and the folder stay.
    """
    if _has_record(path):
        return
    with contextlib.suppress(OSError):
        for name in ("trials", "running"):
            (path / name).rmdir()
        (path / "store.json").unlink()
        path.rmdir()


def _refuse_contents(path: Path) -> None:
    with as_store_error(path):
        try:
            names = sorted(entry.name for entry in path.iterdir())
        except FileNotFoundError:
            return
    names = [name for name in names if not _BEING_MADE.fullmatch(name)]
    if names:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        raise StoreError(
            f"{path} is not a store: it contains {', '.join(names[:_SHOWN])}{more} and no store.json of"
            " this program; name a new or empty folder"
        )


def _has_record(path: Path) -> bool:
    """Whether the folder contains at least one of our records, under its key."""
    try:
        return any(
            ATTEMPT.fullmatch(attempt.name)
            and isinstance(record := read_json(attempt / "record.json", MOST_BYTES), dict)
            and record.get("key") == home.name
            and "stages" in record
            for home in (path / "trials").iterdir()
            if KEY.fullmatch(home.name) and home.is_dir()
            for attempt in home.iterdir()
        )
    except OSError:
        return False
