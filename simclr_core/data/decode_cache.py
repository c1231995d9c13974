"""A source's images, decoded in parallel into one buffer, and their cache on disk.

The buffer is a file of the cache, mapped into memory, so that the workers of one machine share it;
without a cache it is memory.
"""

import fcntl
import hashlib
import io
import json
import shutil
import tempfile
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import psutil
from numpy.typing import NDArray

from simclr_core.data.decoding import DecodedImage, NotAnImage
from simclr_core.data.fingerprints import digest
from simclr_core.errors import DataError

T = TypeVar("T")
R = TypeVar("R")

_CHUNK = 256
_SIDE_THAT_GAINS = 96


@dataclass(frozen=True, kw_only=True)
class Source:
    """The content of a data set before it is decoded; train first."""

    where: str
    """Folder or archive, as sentences name it."""

    class_names: tuple[str, ...]
    labels: list[int]
    num_train: int
    size: int
    notes: tuple[str, ...]
    """Remarks for a reader on how the files were read."""

    name: Callable[[int], str]
    """The file that holds image i."""

    items: Callable[[], Iterator[tuple[int, Any]]]
    """The images' number and undecoded content, in the order they lie in."""

    decode: Callable[[Any], DecodedImage]
    estimate: Callable[[], int]
    """Bytes that all images will take in memory, from a sample of headers."""


class Gathered(NamedTuple):
    """All N images of a source, decoded; train first."""

    class_names: tuple[str, ...]
    num_train: int
    notes: tuple[str, ...]
    labels: NDArray[np.int64]
    """[N]: places in `class_names`."""

    buffer: NDArray[np.uint8]
    starts: NDArray[np.int64]
    """[N]: where each image begins in the buffer."""

    shapes: NDArray[np.int64]
    """[N, 2]: height and width."""

    short_sides: NDArray[np.int64]
    """[N]: in the file, before any reduction."""

    contents: NDArray[np.uint8]
    """[N, 32]: each image's content hash."""


def gather(find: Callable[[], Source], cache: Path | None, key: str, workers: int) -> Gathered:
    """The images of a source, from `cache` under `key` if they are there, else decoded from the files.

    If several processes ask at the same time, one decodes and the others wait for its result.

    Raises:
        DataError: files that are no images (all of them are counted, five are named), more
            images than memory holds, or a cache that cannot be written.
    """
    if cache is None:
        source, memory = find(), io.BytesIO()
        table = _decode_all(source, memory.write, workers)
        return _gathered(_about(source), table, np.frombuffer(memory.getbuffer(), np.uint8))
    folder = cache / key
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _alone(cache / f"{key}.lock"):
            if (cached := _read(folder)) is not None:
                return cached
            shutil.rmtree(folder, ignore_errors=True)
            _write(find(), folder, workers)
    except OSError as error:
        raise DataError(
            f"the cache {folder} cannot be written ({error.strerror}): free some space, or name "
            "another --store"
        ) from error
    cached = _read(folder)
    assert cached is not None, "what was just written can be read"
    return cached


def _decode_all(
    source: Source, write: Callable[[bytes], object], workers: int
) -> dict[str, NDArray[Any]]:
    num, free = len(source.labels), psutil.virtual_memory().available
    # Nearly all images are wider than high by less than a half: if even that many bytes fit,
    # no header needs to be read twice.
    if num * 3 * int(1.5 * (2 * source.size) ** 2) > free and (need := source.estimate()) > free:
        raise _too_large(source, f"about {_memory(need)}", free)
    starts = np.zeros(num, np.int64)
    shapes = np.zeros((num, 2), np.int64)
    short_sides = np.zeros(num, np.int64)
    contents = np.zeros((num, 32), np.uint8)
    wrong: list[tuple[int, str]] = []
    end = 0
    for i, image in _decoded(source, workers):
        if isinstance(image, str):
            wrong.append((i, image))
            continue
        starts[i], shapes[i] = end, (image.height, image.width)
        short_sides[i] = image.short_side
        contents[i] = np.frombuffer(image.content, np.uint8)
        end += len(image.pixels)
        if end > free:
            raise _too_large(source, f"more than {_memory(end)}", free)
        if not wrong:
            write(image.pixels)
    if wrong:
        raise _not_images(source, sorted(wrong))
    return {
        "labels": np.array(source.labels, np.int64),
        "starts": starts,
        "shapes": shapes,
        "short_sides": short_sides,
        "contents": contents,
    }


def _decoded(source: Source, workers: int) -> Iterator[tuple[int, DecodedImage | str]]:
    # Threads: Pillow decodes outside the interpreter's lock, so large images gain by each thread
    # and small ones lose (two threads on Zen 4: 1.8 times as fast at 128 px, 1.0 at 96 px, 0.7 at
    # 32 px). Processes would first import torch, 2 s each.
    def work(chunk: list[tuple[int, Any]]) -> list[tuple[int, DecodedImage | str]]:
        out: list[tuple[int, DecodedImage | str]] = []
        for i, item in chunk:
            try:
                out.append((i, source.decode(item)))
            except NotAnImage as phrase:
                out.append((i, str(phrase)))
        return out

    items = source.items()
    chunks = iter(lambda: list(islice(items, _CHUNK)), [])
    # Without Pillow's warnings (odd EXIF, very large images): the unreadable is an error.
    with warnings.catch_warnings(action="ignore"):
        first = work(next(chunks, []))
        yield from first
        sides = sorted(image.short_side for _, image in first if not isinstance(image, str))
        small = bool(sides) and sides[len(sides) // 2] < _SIDE_THAT_GAINS
        for some in map(work, chunks) if small else _in_threads(work, chunks, workers):
            yield from some


def _in_threads(work: Callable[[T], R], tasks: Iterator[T], workers: int) -> Iterator[R]:
    """The results in the order of the tasks, of which few are taken ahead."""
    pending: deque[Future[R]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for task in tasks:
            pending.append(pool.submit(work, task))
            if len(pending) > 2 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _write(source: Source, folder: Path, workers: int) -> None:
    with tempfile.TemporaryDirectory(prefix=".", dir=folder.parent) as scratch:
        work = Path(scratch) / "work"
        work.mkdir()
        checksum = hashlib.sha256()
        with (work / "pixels").open("wb") as file:

            def write(pixels: bytes) -> None:
                checksum.update(pixels)
                file.write(pixels)

            table = _decode_all(source, write, workers)
        np.savez(work / "table.npz", allow_pickle=False, **table)
        about = {
            **_about(source),
            "pixels": checksum.hexdigest(),
            "table": hashlib.sha256((work / "table.npz").read_bytes()).hexdigest(),
        }
        (work / "about.json").write_text(json.dumps({"about": about, "digest": digest(about)}))
        work.rename(folder)


def _read(folder: Path) -> Gathered | None:
    try:
        sealed = json.loads((folder / "about.json").read_text())
        about = sealed["about"]
        if digest(about) != sealed["digest"]:
            return None
        file = (folder / "table.npz").read_bytes()
        if hashlib.sha256(file).hexdigest() != about["table"]:
            return None
        table = dict(np.load(io.BytesIO(file)))
        # Copy on write: torch wants writable memory, and the file stays as it is.
        buffer = np.memmap(folder / "pixels", np.uint8, mode="c")
        # All of it: one flipped bit in an image would move every number silently.
        if hashlib.sha256(buffer.data).hexdigest() != about["pixels"]:
            return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return _gathered(about, table, buffer)


def _about(source: Source) -> dict[str, Any]:
    return {
        "class_names": source.class_names,
        "num_train": source.num_train,
        "notes": source.notes,
    }


def _gathered(
    about: dict[str, Any], table: dict[str, NDArray[Any]], buffer: NDArray[np.uint8]
) -> Gathered:
    return Gathered(
        class_names=tuple(about["class_names"]),
        num_train=about["num_train"],
        notes=tuple(about["notes"]),
        buffer=buffer,
        **table,
    )


@contextmanager
def _alone(lock: Path) -> Generator[None]:
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _memory(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:,.1f} GB" if num_bytes >= 1e9 else f"{num_bytes / 1e6:,.1f} MB"


def _too_large(source: Source, need: str, free: int) -> DataError:
    return DataError(
        f"{source.where}: its {len(source.labels):,} images would need {need} of memory, but "
        f"{_memory(free)} are free; use fewer (data.num_images), lower data.size (now "
        f"{source.size}), or use a machine with more memory"
    )


def _not_images(source: Source, wrong: list[tuple[int, str]]) -> DataError:
    named = "; ".join(f"{source.name(i)} ({phrase})" for i, phrase in wrong[:5])
    more = f"; and {len(wrong) - 5:,} more" if len(wrong) > 5 else ""
    return DataError(
        f"{source.where}: {len(wrong):,} of {len(source.labels):,} files cannot be read as images: "
        f"{named}{more}. Repair or remove them, then run again"
    )
