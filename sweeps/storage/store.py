"""The store: a folder with records, artifacts and the files needed to show a study's state.

ARCHITECTURE.md lists what is in it.
"""

import contextlib
import json
import os
import secrets
import shutil
from collections.abc import Generator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sweeps.errors import StoreError
from sweeps.planning import Known
from sweeps.processes import now, this_process
from sweeps.record import FORMAT, Summary, TrialRecord
from sweeps.storage import artifacts, leftovers
from sweeps.storage.atomic_io import (
    as_store_error,
    atomic_folder,
    read_json,
    temporary_sibling,
    write_failure,
)
from sweeps.storage.checkpoints import drop_done
from sweeps.storage.index import Index, stamp, stamp_of_home
from sweeps.storage.record_file import Unreadable, read_record, write_record
from sweeps.storage.store_folder import (
    ATTEMPT,
    KEY,
    is_store,
    make_store,
    refuse_foreign,
    store_facts,
    unmake_store,
)


class Store:
    """A store at a path. Nothing is written before a trial runs or `prepare` is called."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).expanduser().absolute()
        self.trials = self.path / "trials"
        """The folder of all records."""
        self.running = self.path / "running"
        """The folder of heartbeats and of the logs of running trials."""
        self.cache = self.path / "cache"
        """A folder for files that can be created again, such as decoded data."""
        self.machine = self.path / "machine.json"
        """The caller's JSON file about this machine."""
        self.messages: list[str] = []
        """For the user: a message for each file or folder that was set aside."""
        self._index = Index(self.path / "index.jsonl")
        self._is_store = False

    @property
    def exists(self) -> bool:
        """Whether the folder is a store; nothing else is read from a folder that is not."""
        self._is_store = self._is_store or is_store(self.path)
        return self._is_store

    # Places

    def study(self, label: str) -> Path:
        """The folder of a study at a scale."""
        return self.path / "studies" / label.replace("/", "-")

    def attempt(self, key: str, number: int) -> Path:
        """The folder of one attempt of a trial."""
        return self.trials / key / f"{number:03d}"

    def artifact(self, stage: str, key: str) -> Path:
        """The folder of a stage's artifact, whether it exists or not."""
        return self.path / f"{stage}s" / key

    def checkpoint(self, stage: str, key: str) -> Path:
        """The file of a stage's checkpoint, whether it exists or not."""
        return self.path / "checkpoints" / f"{stage}-{key}"

    # Reading

    def summaries(self) -> tuple[Summary, ...]:
        """A summary of every readable record, all attempts, by key and attempt; quick.

        Those that the index lacks are read and added to it. Unreadable ones are set aside.
        """
        if not self.exists:
            return ()
        index = self._index
        index.load()
        fresh: list[Summary] = []
        here: list[tuple[str, int]] = []
        for key in self._keys():
            home = f"{self.trials}/{key}"
            settled = stamp_of_home(home)
            known = index.attempts(key, settled)
            for attempt in _attempts(home) if known is None else known:
                place, file = (key, attempt), _record_file(home, attempt)
                now_there = stamp(file)
                if place not in index.entries or index.stamps[place] != now_there:
                    record = self._read(Path(file), key, attempt)
                    if record is None:
                        continue
                    index.entries[place], index.stamps[place] = record.summary(), now_there
                    fresh.append(index.entries[place])
                elif known is None and settled:  # the next call need not list this folder
                    fresh.append(index.entries[place])
                index.homes[key][attempt] = settled
                here.append(place)
        index.retain(here)
        if fresh:
            index.append(fresh)
        return tuple(index.entries[place] for place in here)

    def records(self, keys: Iterable[str] | None = None) -> Iterator[TrialRecord]:
        """The readable records, all attempts, by key and attempt; of some keys or of all."""
        for key, attempt, file in self.places(keys):
            record = self._read(file, key, attempt)
            if record is not None:
                yield record

    def places(self, keys: Iterable[str] | None = None) -> Iterator[tuple[str, int, Path]]:
        """Key, attempt and file of each record, readable or not; of some keys or of all."""
        if not self.exists:
            return
        for key in self._keys() if keys is None else dict.fromkeys(keys):
            home = f"{self.trials}/{key}"
            for attempt in _attempts(home):
                yield key, attempt, Path(_record_file(home, attempt))

    def record(self, key: str, attempt: int) -> TrialRecord | None:
        """One record; None if there is no readable one."""
        file = self.attempt(key, attempt) / "record.json"
        return self._read(file, key, attempt) if file.exists() else None

    def known(self) -> Known:
        """The records and artifacts of this store that planning needs."""
        return Known(self.summaries(), self.artifacts())

    def artifacts(self) -> dict[str, frozenset[str]]:
        """Stage -> keys of the available artifacts."""
        found: dict[str, frozenset[str]] = {}
        for name in _folders(self.path) if self.exists else ():
            if name.endswith("s") and name not in {"trials", "studies"}:
                folder = self.path / name
                keys = frozenset(
                    made
                    for made in _folders(folder)
                    if KEY.fullmatch(made) and (folder / made / artifacts.MADE).exists()
                )
                if keys:
                    found[name[:-1]] = keys
        return found

    # The folder

    @property
    def identity(self) -> str:
        """A unique name for this store, created at first use; for trackers."""
        self.prepare()
        return str((store_facts(self.path) or {})["id"])

    def refuse_foreign(self) -> None:
        """Checks that the folder is a store or can become one; writes nothing.

        Raises:
            StoreError: the folder holds something else, or has a newer version.
        """
        refuse_foreign(self.path)

    def prepare(self) -> None:
        """Makes the folder a store that can be written to.

        Raises:
            StoreError: the folder cannot be a store, or cannot be written to.
        """
        if (message := make_store(self.path)) is not None:
            self.messages.append(message)
        self._is_store = True
        with as_store_error(self.path):
            self.trials.mkdir(exist_ok=True)
            self.running.mkdir(exist_ok=True)
            probe = temporary_sibling(self.running / "probe")
            probe.touch()
            probe.unlink()

    def unmake(self) -> None:
        """Undoes `prepare` if nothing has been recorded since; also removes the cache."""
        shutil.rmtree(self.cache, ignore_errors=True)
        unmake_store(self.path)
        self._is_store = False

    @contextlib.contextmanager
    def locked(self) -> Generator[Path]:
        """Holds the store for one driver; the system releases the lock when the process dies.

        Yields the lock file, in which a driver may note what its successor must remove.

        Raises:
            StoreError: another driver holds the store, or its disk has no locks.
        """
        from filelock import FileLock, Timeout

        self.prepare()
        file = self.path / "lock"
        # A lock that only exists as a file would outlive a driver that was killed.
        lock = FileLock(file, mode=0o644, fallback_to_soft=False)
        try:
            lock.acquire(blocking=False)
        except Timeout as error:
            holder: Any = read_json(file)
            known = isinstance(holder, dict) and {"pid", "since"} <= set(holder)
            who = f" by process {holder['pid']} since {holder['since']}" if known else ""
            raise StoreError(
                f"the store {self.path} is in use{who}; wait until it ends, stop it,"
                " or name another store"
            ) from error
        except OSError as error:
            raise StoreError(
                f"the store {self.path} cannot be locked ({error.strerror}); put it on a"
                " file system with locks, such as a local disk"
            ) from error
        try:
            yield file
        finally:
            os.truncate(file, 0)
            lock.release()

    def note_holder(self, **facts: Any) -> None:
        """Notes in the lock who holds it and what a successor must remove."""
        note = {**this_process()._asdict(), "since": now(), **facts}
        with as_store_error(self.path / "lock"):
            (self.path / "lock").write_text(json.dumps(note) + "\n", encoding="utf-8")

    # Writing

    def commit(
        self, record: TrialRecord, log: Path, files: Mapping[str, bytes] | None = None
    ) -> TrialRecord:
        """Puts a record, its log and its files in place atomically, as the key's next attempt.

        Raises:
            StoreError: the disk is full or read-only; nothing is damaged.
        """
        home = self.trials / record.key
        files = files or {}
        with as_store_error(home):
            home.mkdir(parents=True, exist_ok=True)
            taken = [int(one.name) for one in home.iterdir() if one.name.isdecimal()]
            attempt = 1 + max(taken, default=0)
            place = self.attempt(record.key, attempt)
            numbered = record.model_copy(
                update={
                    "attempt": attempt,
                    "log": (place / "log.txt").relative_to(self.path).as_posix(),
                    "files": tuple(files),
                    "format": FORMAT,
                }
            )
            with atomic_folder(place) as folder:
                if log.exists():
                    shutil.copyfile(log, folder / "log.txt")
                else:
                    (folder / "log.txt").touch()
                for file, content in files.items():
                    (folder / "files").mkdir(exist_ok=True)
                    (folder / "files" / file).write_bytes(content)
                numbered = write_record(folder / "record.json", numbered)
            log.unlink(missing_ok=True)
            return numbered

    def save_artifact(
        self, stage: str, key: str, *, launch: str, lasting: bool
    ) -> contextlib.AbstractContextManager[Path]:
        """A folder to fill with a stage's artifact; foreign files in its place stay."""
        place = self.artifact(stage, key)
        return artifacts.saved_artifact(place, stage, key, launch=launch, lasting=lasting)

    def manifest(self, stage: str, key: str) -> dict[str, Any] | None:
        """When and by which launch an artifact was made, and whether it stays; None if absent."""
        return artifacts.manifest(self.artifact(stage, key))

    def drop_artifact(self, stage: str, key: str) -> None:
        """Removes an artifact; foreign files in its folder stay."""
        artifacts.drop(self.artifact(stage, key))

    def clear_leftovers(self) -> None:
        """Removes incomplete files of dead processes; only for the holder of the lock."""
        if self.exists:
            stages = {stage.name for one in self.summaries() for stage in one.stages}
            leftovers.clear(self.path, sorted({*stages, *self.artifacts()}))

    def clear_checkpoints(self) -> None:
        """Removes checkpoints that no trial can need; only for the holder of the lock."""
        folder = self.path / "checkpoints"
        if folder.is_dir():
            drop_done(folder, self.artifacts(), self.summaries())

    def set_aside(self, path: Path, why: str) -> None:
        """Moves something unreadable to `set-aside/` and adds a message."""
        shelf = self.path / "set-aside"
        target = shelf / f"{path.parent.name}-{path.name}-{secrets.token_hex(3)}"
        try:
            shelf.mkdir(parents=True, exist_ok=True)
            path.rename(target)
        except FileNotFoundError:
            return
        except OSError as error:
            self.messages.append(f"{path} {why}, and {write_failure(error, target)}")
            return
        self.messages.append(f"{path} {why}; it was moved to {target}")

    # Helpers

    def _keys(self) -> list[str]:
        return sorted(name for name in _folders(self.trials) if KEY.fullmatch(name))

    def _read(self, file: Path, key: str, attempt: int) -> TrialRecord | None:
        try:
            return read_record(file, key, attempt)
        except Unreadable as why:
            self.set_aside(file.parent, str(why))
            return None


def _folders(path: Path | str) -> list[str]:
    """The names of the folders in a folder, those with a leading dot excepted."""
    try:
        with os.scandir(path) as entries:
            return [entry.name for entry in entries if entry.name[0] != "." and _is_folder(entry)]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _attempts(home: str) -> list[int]:
    """Attempts in order; a folder without any file of a record is foreign."""
    return sorted(
        int(name)
        for name in _folders(home)
        if ATTEMPT.fullmatch(name)
        and name == f"{int(name):03d}"
        and any(os.path.lexists(f"{home}/{name}/{file}") for file in ("record.json", "log.txt"))
    )


def _record_file(home: str, attempt: int) -> str:
    return f"{home}/{attempt:03d}/record.json"
