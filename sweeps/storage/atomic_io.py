"""Atomic writes of files and folders, bounded reads, and messages about failed writes."""

import errno
import json
import os
import secrets
import shutil
import stat
from collections.abc import Generator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from sweeps.errors import StoreError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS}
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EMLINK}


@contextmanager
def as_store_error(path: Path) -> Generator[None]:
    """Turns an OSError inside the block into a StoreError with the place and the fix."""
    try:
        yield
    except OSError as error:
        raise StoreError(write_failure(error, path)) from error


def write_failure(error: OSError, path: Path) -> str:
    """The message for a failed write: what could not be written, why, and the fix."""
    if error.errno in _FULL:
        return (
            f"the disk is full: {path} could not be written; free some space and run again; "
            "finished trials are saved"
        )
    if error.errno in _CLOSED:
        return f"{path} is not writable; fix its permissions or name another store"
    if error.errno in {errno.ENOTDIR, errno.EEXIST}:
        return f"{path} cannot be a folder because a file has that name; name another store"
    reason = error.strerror or type(error).__name__
    return f"{path} could not be written ({reason}); fix this or name another store"


def write_bytes(path: Path, *chunks: bytes) -> None:
    """Replaces a file atomically: readers see the old or the new bytes, also after a power cut.

    Raises:
        OSError: the old file is unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_sibling(path)
    try:
        _write_synced(temporary, chunks)
        temporary.replace(path)
        _sync_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Replaces a JSON file atomically; see `write_bytes`."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1)
    write_bytes(path, f"{text}\n".encode())


def write_new(path: Path, content: bytes) -> None:
    """Creates a file atomically under a name that is free; it never replaces.

    Raises:
        FileExistsError: the name is taken.
        OSError: nothing was created.
    """
    temporary = temporary_sibling(path)
    try:
        _write_synced(temporary, (content,))
        try:
            path.hardlink_to(temporary)  # unlike a rename it never replaces
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            path.open("xb").close()  # a disk without links: take the name first
            temporary.replace(path)
        try:
            _sync_folder(path.parent)
        except OSError:
            path.unlink()
            raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(target: Path) -> Generator[Path]:
    """A folder to fill; it is renamed to `target` when the block succeeds, and removed otherwise.

    An existing folder is replaced: between two renames there is none, never a partial one.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    filling = temporary_sibling(target)
    filling.mkdir()
    try:
        yield filling
        for path in filling.rglob("*"):
            if path.is_file():
                _sync(path)
        _sync_folder(filling)
        old = filling.with_name(f"{filling.name}.old")
        if target.exists():
            target.rename(old)
        filling.rename(target)
        _sync_folder(target.parent)
        shutil.rmtree(old, ignore_errors=True)
    except BaseException:
        shutil.rmtree(filling, ignore_errors=True)
        raise


def temporary_sibling(path: Path) -> Path:
    """A free name next to a path, `.<name>.<8 hex digits>`, which `leftovers` knows."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}")


def read_bytes(path: Path, most: int | None = None) -> bytes:
    """The bytes of a regular file of at most `most` bytes.

    Raises:
        OSError: it is not a regular file (a pipe is not waited for), or larger; nothing was read.
    """
    with open_regular(path) as file:
        if most is not None and os.fstat(file.fileno()).st_size > most:
            raise OSError(errno.EFBIG, f"larger than {most // 10**6} MB", str(path))
        return file.read(-1 if most is None else most)


def open_regular(path: Path) -> BufferedReader:
    """Opens a regular file for reading; anything else, such as a pipe, is an OSError."""
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return file


def read_json(path: Path, most: int | None = None) -> Any:
    """A JSON file's value; None if the file is missing, incomplete or larger than `most` bytes."""
    try:
        return from_json(read_bytes(path, most))
    except (OSError, ValueError, RecursionError, MemoryError):
        return None


def _write_synced(path: Path, chunks: tuple[bytes, ...]) -> None:
    with path.open("wb") as file:
        file.writelines(chunks)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    try:
        _sync(folder)
    except OSError as error:
        # Some network file systems cannot sync a folder; the rename is atomic there all the same.
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
