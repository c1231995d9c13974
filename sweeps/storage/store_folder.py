"""What makes a folder a store: a `store.json` of ours. Any other folder with something in it is refused.

A store whose `store.json` was lost is known by its records and gets a new one.
"""

import contextlib
import errno
import json
import re
import secrets
from pathlib import Path
from typing import Any

from sweeps.errors import StoreError
from sweeps.storage.atomic_io import in_words, read_text, write_synced
from sweeps.storage.record_file import MOST_BYTES

STORE_FORMAT = 1
"""Raised when folders get another meaning."""

KEY = re.compile(r"[0-9a-f]{16}")
"""How a trial's folder is called; see `sweeps.planning.keys`."""

ATTEMPT = re.compile(r"[0-9]{3,}")
"""How an attempt's folder is called."""

_BEING_MADE = re.compile(r"\.store\.json\.[0-9a-f]{8}")
_SHOWN = 4


def about(path: Path) -> dict[str, Any] | None:
    """What the `store.json` of a folder says; None where there is none of ours."""
    try:
        told = json.loads(read_text(path / "store.json", MOST_BYTES))
    except (OSError, ValueError, RecursionError, MemoryError):
        return None
    return told if isinstance(told, dict) and isinstance(told.get("id"), str) else None


def is_store(path: Path) -> bool:
    """Whether a folder is a store; one that lost its `store.json` is, by its records."""
    return about(path) is not None or _has_record(path)


def refuse_foreign(path: Path) -> None:
    """Says in one sentence why a folder cannot become a store; writes nothing.

    Raises:
        StoreError: it holds something and is no store, or is of a newer version.
    """
    told = about(path)
    if told is None:
        if not _has_record(path):
            _refuse_contents(path)
    elif isinstance(told.get("format"), int) and told["format"] > STORE_FORMAT:
        raise StoreError(
            f"{path / 'store.json'} has format {told['format']}, and this program reads up to"
            f" {STORE_FORMAT}; it was written by a newer version: update, or name another store"
        )


def make_store(path: Path) -> str | None:
    """Makes a folder a store if it may become one; a sentence where it had lost its `store.json`.

    Raises:
        StoreError: the folder holds something and is no store, is of a newer version, or cannot be
            written.
    """
    refuse_foreign(path)
    if about(path) is not None:
        return None
    lost = _has_record(path)
    with in_words(path):
        path.mkdir(parents=True, exist_ok=True)
        _name_it(path / "store.json", replace=lost)
    if not lost:
        return None
    return f"{path / 'store.json'} was lost or torn; a new one was written, all records are kept"


def _refuse_contents(path: Path) -> None:
    with in_words(path):
        try:
            names = sorted(entry.name for entry in path.iterdir())
        except FileNotFoundError:
            return
    names = [name for name in names if not _BEING_MADE.fullmatch(name)]
    if names:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        raise StoreError(
            f"{path} is not a store: it holds {', '.join(names[:_SHOWN])}{more} and no store.json of"
            " this program; name a new or an empty folder"
        )


def _name_it(file: Path, *, replace: bool) -> None:
    """Writes a new `store.json`; of two processes that do so at once the first one's stays."""
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    text = json.dumps({"format": STORE_FORMAT, "id": secrets.token_hex(8)}, indent=1) + "\n"
    try:
        write_synced(temporary, text)
        if replace:
            temporary.replace(file)
            return
        try:
            file.hardlink_to(temporary)  # unlike a renaming it never replaces
        except FileExistsError:
            return
        except OSError as error:
            if error.errno not in {errno.EPERM, errno.ENOTSUP, errno.EMLINK}:
                raise
            temporary.replace(file)  # a disk without links
    finally:
        temporary.unlink(missing_ok=True)


def unmake_store(path: Path) -> None:
    """Removes a store that `make_store` has just made and that holds no record.

    What somebody else has put there in the meantime stays, and the folder with it.
    """
    if _has_record(path):
        return
    with contextlib.suppress(OSError):
        for name in ("trials", "running"):
            (path / name).rmdir()
        (path / "store.json").unlink()
        path.rmdir()


def _has_record(path: Path) -> bool:
    """Whether at least one record of ours is there, under its key."""
    try:
        for home in (path / "trials").iterdir():
            if not KEY.fullmatch(home.name) or not home.is_dir():
                continue
            for attempt in home.iterdir():
                if ATTEMPT.fullmatch(attempt.name) and _is_record(attempt, home.name):
                    return True
    except OSError:
        return False
    return False


def _is_record(folder: Path, key: str) -> bool:
    try:
        told = json.loads(read_text(folder / "record.json", MOST_BYTES))
    except (OSError, ValueError, RecursionError, MemoryError):
        return False
    return isinstance(told, dict) and told.get("key") == key and "stages" in told
