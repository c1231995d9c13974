"""Writing whole or not at all, and what a full or closed disk sounds like in one sentence."""

import errno
import json
import os
import secrets
import shutil
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sweeps.errors import StoreError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextmanager
def in_words(path: Path) -> Generator[None]:
    """Turns an OSError about the store into one sentence with the place and the way out."""
    try:
        yield
    except OSError as error:
        raise StoreError(sentence(error, path)) from error


def sentence(error: OSError, path: Path) -> str:
    """One sentence for an OSError: what could not be done, where, why, and what to do."""
    if error.errno in _FULL:
        return (
            f"the disk is full: {path} could not be written;"
            " make room and launch again, what is finished is kept"
        )
    if error.errno in _CLOSED:
        return f"{path} may not be written to; make it writable or name another store"
    if error.errno in {errno.ENOTDIR, errno.EEXIST}:
        return f"{path} cannot be a folder, since a file stands in its way; name another store"
    reason = error.strerror or type(error).__name__
    return f"{path} could not be written ({reason}); mend that or name another store"


def write_whole(path: Path, text: str) -> None:
    """Replaces a file: readers see the old text or the new one, also after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        write_synced(temporary, text)
        temporary.replace(path)
        sync_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Replaces a JSON file whole."""
    write_whole(path, json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1) + "\n")


def read_bytes(path: Path, most: int | None = None) -> bytes:
    """A file's bytes, at most so many.

    What is no file, such as a pipe that nobody fills, is an OSError and no wait; so is a larger one,
    of which no byte is read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        if most is not None and os.fstat(descriptor).st_size > most:
            raise OSError(errno.EFBIG, f"larger than {most // 10**6} MB", str(path))
        return file.read() if most is None else file.read(most)


def read_text(path: Path, most: int | None = None) -> str:
    """The text of a file that holds UTF-8; see `read_bytes`."""
    return read_bytes(path, most).decode("utf-8")


def read_json(path: Path, most: int | None = None) -> Any | None:
    """A JSON file's value; None where there is none, it is torn or larger than `most`."""
    try:
        return json.loads(read_text(path, most))
    except (OSError, ValueError, RecursionError, MemoryError):
        return None


def write_synced(path: Path, text: str) -> None:
    """Writes a file through to the disk."""
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot sync a folder; the rename is atomic there all the same.
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(descriptor)


@contextmanager
def folder_whole(target: Path) -> Generator[Path]:
    """A folder to fill; it takes the target's name when the block ends well, and else is gone.

    A folder that stands at the target is replaced: between two renames there is none, never a part.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    filling = target.parent / f".{target.name}.{secrets.token_hex(4)}"
    filling.mkdir()
    try:
        yield filling
        for path in filling.rglob("*"):
            if path.is_file():
                _sync_file(path)
        sync_folder(filling)
        old = target.parent / f".{target.name}.{secrets.token_hex(4)}.old"
        if target.exists():
            target.rename(old)
        filling.rename(target)
        sync_folder(target.parent)
        shutil.rmtree(old, ignore_errors=True)
    except BaseException:
        shutil.rmtree(filling, ignore_errors=True)
        raise


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
