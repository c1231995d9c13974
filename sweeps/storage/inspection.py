"""Whether a store is intact, and what of it can go."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sweeps.errors import StoreError
from sweeps.storage.artifacts import artifact_fault
from sweeps.storage.record_file import Unreadable, read_record
from sweeps.storage.store import Store

REPAIR = "the next launch sets it aside and runs what is missing"
"""What happens to what is damaged; a record of a newer format or without permission stays."""


class Inspected(NamedTuple):
    """The result of reading everything in a store."""

    records: int
    """Readable ones, all attempts."""
    artifacts: int
    faults: tuple[str, ...]
    """One message for each record and artifact that is not intact, with its place."""
    set_aside: int
    """Entries in `set-aside/`, found unreadable earlier."""
    sizes: dict[str, int]
    """Bytes by top-level name, largest first."""


def inspect(store: Store) -> Inspected:
    """Reads every record and artifact against its checksums; changes nothing."""
    records, faults = 0, list[str]()
    for key, attempt, file in store.places():
        try:
            read_record(file, key, attempt)
        except Unreadable as why:
            faults.append(f"{file.parent} {why}; {REPAIR}")
        except StoreError as error:
            faults.extend(str(error).splitlines())
        else:
            records += 1
    made = [(stage, key) for stage, keys in store.artifacts().items() for key in sorted(keys)]
    for stage, key in made:
        folder = store.artifact(stage, key)
        if (why := artifact_fault(folder, stage, key)) is not None:
            faults.append(f"{folder} {why}; {REPAIR}")
    return Inspected(records, len(made), tuple(faults), _num_set_aside(store), _sizes(store.path))


def collect_garbage(store: Store, *, artifacts: bool = False) -> int:
    """Removes what no trial needs or what can be made again; returns the bytes that were freed.

    Incomplete files of dead processes, checkpoints of finished stages, and the cache of decoded data;
    with `artifacts`, also all artifacts, which a trial that needs one computes again. Records stay.

    Raises:
        StoreError: A launch is using the store.
    """
    with store.locked():
        store.summaries()  # the index may grow, and is no garbage
        before = sum(_sizes(store.path).values())
        store.clear_leftovers()
        store.clear_checkpoints()
        shutil.rmtree(store.cache, ignore_errors=True)
        if artifacts:
            for stage, keys in store.artifacts().items():
                for key in keys:
                    store.drop_artifact(stage, key)
        return before - sum(_sizes(store.path).values())


def _num_set_aside(store: Store) -> int:
    folder = store.path / "set-aside"
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def _sizes(folder: Path) -> dict[str, int]:
    found = {one.name: sum(_bytes(one)) for one in folder.iterdir()} if folder.is_dir() else {}
    return dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))


def _bytes(path: Path) -> Iterator[int]:
    files = [path] if path.is_file() and not path.is_symlink() else path.rglob("*")
    yield from (f.lstat().st_size for f in files if f.is_file() and not f.is_symlink())
