"""The files of a folder or a tar, and their bytes one after the other; nothing is unpacked to disk."""

import os
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import NamedTuple, Self

from simclr_core.errors import DataError
from simclr_core.file_kinds import not_a_file

MOST_BYTES = 1_000_000_000
"""The most bytes of an image file; a larger file is refused without reading it."""

UNPACKED_FREELY = 256_000_000
UNPACKED_TIMES = 100
"""An archive may unpack to so many bytes, or to so many times its own size if that is more; images
are packed already and hardly shrink again."""

_LONGEST_NAME = 1_000_000
"""Bytes of a header that only holds names; Python's reader takes all of it into memory."""

_NAME_TYPES = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)

_DROPPINGS = {"__macosx", "thumbs.db", "desktop.ini"}
_TORN = (tarfile.TarError, EOFError, zlib.error, OSError, ValueError)


class File(NamedTuple):
    """A file in a folder or a tar."""

    name: tuple[str, ...]
    """Its path below the folder or inside the tar, unchanged."""

    place: int
    """In a tar: which of its entries it is. In a folder: its number in the order of names."""

    size: int
    """Bytes."""

    changed: int
    """When it was last changed, in ns; 0 in a tar, whose own time counts."""


class Found(NamedTuple):
    """The content of a folder or a tar, without hidden files and files that file managers create."""

    files: tuple[File, ...]
    folders: tuple[tuple[str, ...], ...]


def walk(path: Path) -> Found:
    """All files and folders below a folder or in a tar; links to folders are followed.

    Raises:
        DataError: not to be read, torn, or (a tar) with links or names that lead out of it.
    """
    if not path.is_dir():
        return _walk_tar(path)
    rows: list[tuple[tuple[str, ...], int, int]] = []
    folders: list[tuple[str, ...]] = []
    _walk_folder(path, (), (), rows, folders)
    rows.sort()
    files = (File(name, i, size, changed) for i, (name, size, changed) in enumerate(rows))
    return Found(tuple(files), tuple(sorted(folders)))


def contents(path: Path, wanted: Sequence[File]) -> Iterator[tuple[int, bytes]]:
    """The bytes of `wanted` files, each with its position in `wanted`, in the order they lie in."""
    if not path.is_dir():
        positions = {file.place: position for position, file in enumerate(wanted)}
        with _Entries(path) as entries:
            for place, entry in entries:
                if place in positions:
                    yield positions[place], entries.read(entry)
        return
    for position, file in enumerate(wanted):
        where = path.joinpath(*file.name)
        try:
            _refuse_special(where)
            _refuse_size(where, where.stat().st_size)
            content = where.read_bytes()
        except OSError as error:
            raise DataError(f"{shown(str(where))} cannot be read: {error.strerror}") from error
        yield position, content


def first_names(path: Path, num: int) -> set[str]:
    """The names, without folders, of a tar's first entries: enough to know what it is.

    Raises:
        DataError: it is truncated before that.
    """
    with _Entries(path) as entries:
        return {PurePosixPath(entry.name).name for _, entry in islice(entries, num)}


def shown(name: str) -> str:
    """A file name that any terminal can print."""
    return name.encode("utf-8", "backslashreplace").decode()


def is_tar(path: Path) -> bool:
    """Whether a file is a tar, packed or not; one that is torn later on still is."""
    if not_a_file(path) is not None:
        return False
    try:
        with tarfile.open(path, "r|*", tarinfo=_Entry):
            return True
    except _TORN:
        return False


def _hidden(name: str) -> bool:
    return name.startswith(".") or name.casefold() in _DROPPINGS


def _walk_folder(
    folder: Path,
    above: tuple[str, ...],
    inside: tuple[tuple[int, int], ...],
    files: list[tuple[tuple[str, ...], int, int]],
    folders: list[tuple[str, ...]],
) -> None:
    try:
        status = folder.stat()
        if (status.st_dev, status.st_ino) in inside:  # a link back to a folder above
            return
        inside = (*inside, (status.st_dev, status.st_ino))
        with os.scandir(folder) as entries:
            for entry in entries:
                if _hidden(entry.name):
                    continue
                name = (*above, entry.name)
                if entry.is_dir():
                    folders.append(name)
                    _walk_folder(folder / entry.name, name, inside, files, folders)
                else:
                    _refuse_special(folder / entry.name)
                    state = entry.stat()
                    files.append((name, state.st_size, state.st_mtime_ns))
    except OSError as error:
        where = shown(str(error.filename or folder))
        raise DataError(f"{where} cannot be read: {error.strerror}") from error


def _refuse_special(path: Path) -> None:
    kind = not_a_file(path)
    if kind is not None:
        raise DataError(f"{shown(str(path))} is {kind}, which cannot hold an image; remove it")


def _refuse_size(where: Path | str, size: int) -> None:
    if size > MOST_BYTES:
        raise DataError(
            f"{shown(str(where))} has {size:,} bytes, but an image file may have at most "
            f"{MOST_BYTES:,}; remove it"
        )


class _Entry(tarfile.TarInfo):
    """An entry of an archive that goes on to its end mark.

    Python's own reader takes any header after the first that it cannot read for the end, so an
    archive cut between two entries would pass for a smaller one.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            entry = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):  # the end mark
                raise
            raise tarfile.ReadError(str(error)) from error
        if entry.type in _NAME_TYPES and entry.size > _LONGEST_NAME:
            raise tarfile.ReadError(f"a name of {entry.size:,} bytes")
        return entry


class _Entries:
    """The entries of a tar in order, each with its number; torn archives end in a sentence."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last = "its beginning"

    def __enter__(self) -> Self:
        try:
            self._archive = tarfile.open(self._path, "r|*", tarinfo=_Entry)
        except _TORN as error:
            raise self._torn(error) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()

    def __iter__(self) -> Iterator[tuple[int, tarfile.TarInfo]]:
        try:
            for place, entry in enumerate(self._archive):
                # From its header, before a byte of it is unpacked.
                self._refuse_growth(entry)
                yield place, entry
                self._last = entry.name
        except _TORN as error:
            raise self._torn(error) from error

    def _refuse_growth(self, entry: tarfile.TarInfo) -> None:
        packed = self._path.stat().st_size
        end = entry.offset_data + entry.size
        most = max(UNPACKED_FREELY, UNPACKED_TIMES * packed)
        if end > most:
            raise DataError(
                f"{shown(str(self._path))}: {packed:,} bytes would unpack to {end:,} or more "
                f"(entry {shown(entry.name)}), but the limit for an archive of this size is "
                f"{most:,}; pack only the images"
            )

    def read(self, entry: tarfile.TarInfo) -> bytes:
        _refuse_size(f"{self._path}: {entry.name}", entry.size)
        try:
            file = self._archive.extractfile(entry)
            content = file.read() if file else b""
        except _TORN as error:
            raise self._torn(error) from error
        if len(content) < entry.size:
            raise self._torn(EOFError("unexpected end of data"))
        return content

    def _torn(self, error: Exception) -> DataError:
        return DataError(
            f"{self._path} is truncated after {shown(self._last)} ({error}); download or pack the "
            "archive again"
        )


def _walk_tar(path: Path) -> Found:
    files: list[File] = []
    folders: list[tuple[str, ...]] = []
    wrong: list[str] = []
    with _Entries(path) as entries:
        for place, entry in entries:
            name = tuple(p for p in PurePosixPath(entry.name).parts if p not in ("/", "."))
            if not name or (any(map(_hidden, name)) and ".." not in name):
                continue
            if ".." in name or not (entry.isfile() or entry.isdir()):
                wrong.append(entry.name)
            elif entry.isdir():
                folders.append(name)
            else:
                files.append(File(name, place, entry.size, 0))
    if wrong:
        raise DataError(
            f"{path}: {len(wrong):,} entries are links, devices or paths outside the archive "
            f"(first: {shown(wrong[0])}); pack it so that links are followed: tar --dereference "
            "--hard-dereference"
        )
    latest = {file.name: file for file in files}  # of one name twice, the later entry counts
    return Found(tuple(sorted(latest.values())), tuple(sorted(set(folders))))
