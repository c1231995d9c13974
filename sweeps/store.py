"""The store: a folder that holds records, artifacts and what is needed to show a study's state.

trials/<key>/<attempt>/   record.json, log.txt and files/, written whole or not at all: the truth
<stage>s/<key>/           what a stage made, such as encoders/<key>/
checkpoints/<stage>-<key> where a trial that was broken off goes on; see `sweeps.checkpoints`
running/                  heartbeats and logs of trials that run now
studies/<study>@<scale>/  launches and the last plan
set-aside/                what could not be read, kept for a person to look at
index.jsonl               a copy of the records' summaries, for speed; may be deleted
lock                      held by the one process that runs trials
"""

import contextlib
import fcntl
import json
import secrets
import shutil
from collections.abc import Generator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sweeps.checkpoints import drop_done
from sweeps.errors import StoreError
from sweeps.files import (
    folder_whole,
    in_words,
    read_json,
    sentence,
    write_json,
    write_synced,
)
from sweeps.index import Index, stamp
from sweeps.plan import Known
from sweeps.processes import mark_of, now, this_process
from sweeps.record import FORMAT, Summary, TrialRecord


class Store:
    """A store at a path. Nothing is written before a trial runs or `prepare` is called."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).expanduser().absolute()
        self.sentences: list[str] = []
        """What the user should hear: a sentence for each thing set aside."""
        self._index = Index(self.path / "index.jsonl")

    # Places

    @property
    def trials(self) -> Path:
        """The folder of all records."""
        return self.path / "trials"

    @property
    def running(self) -> Path:
        """The folder of heartbeats and of logs in the making."""
        return self.path / "running"

    @property
    def cache(self) -> Path:
        """A folder for what can be made again, such as decoded data."""
        return self.path / "cache"

    @property
    def machine(self) -> Path:
        """What was measured of this machine, kept by the caller as JSON."""
        return self.path / "machine.json"

    def study(self, label: str) -> Path:
        """The folder of a study at a scale."""
        return self.path / "studies" / label.replace("/", "-")

    def artifact(self, stage: str, key: str) -> Path:
        """Where a stage's artifact stands or would stand."""
        return self.path / f"{stage}s" / key

    def checkpoint(self, stage: str, key: str) -> Path:
        """Where a stage's checkpoint stands or would stand while a trial makes it."""
        return self.path / "checkpoints" / f"{stage}-{key}"

    # Reading

    def summaries(self) -> tuple[Summary, ...]:
        """A summary of every readable record, all attempts, by key and attempt; quick.

        Those that the index does not hold are read and added to it. Unreadable ones are set aside.
        """
        self._index.load()
        fresh: list[Summary] = []
        here: list[tuple[str, int]] = []
        for key, attempt, file in self._record_files():
            place, now_there = (key, attempt), stamp(file)
            if place not in self._index.entries or self._index.stamps[place] != now_there:
                record = self._read(file, key, attempt)
                if record is None:
                    continue
                fresh.append(record.summary())
                self._index.entries[place] = fresh[-1]
                self._index.stamps[place] = now_there
            here.append(place)
        self._index.keep(here)
        if fresh:
            self._index.append(fresh)
        return tuple(self._index.entries[place] for place in here)

    def records(self, keys: Iterable[str] | None = None) -> Iterator[TrialRecord]:
        """The readable records, all attempts, by key and attempt; of some keys or of all."""
        for key, attempt, file in self._record_files(keys):
            record = self._read(file, key, attempt)
            if record is not None:
                yield record

    def record(self, key: str, attempt: int) -> TrialRecord | None:
        """One record; None where there is none that can be read."""
        file = self.trials / key / f"{attempt:03d}" / "record.json"
        return self._read(file, key, attempt) if file.exists() else None

    def known(self) -> Known:
        """What planning needs to know of this store."""
        return Known(self.summaries(), self.artifacts())

    def artifacts(self) -> dict[str, frozenset[str]]:
        """Stage -> keys of the artifacts at hand."""
        found: dict[str, frozenset[str]] = {}
        for folder in _folders(self.path):
            if folder.name.endswith("s") and folder.name not in {"trials", "studies"}:
                keys = frozenset(made.name for made in _folders(folder) if _is_artifact(made))
                if keys:
                    found[folder.name[:-1]] = keys
        return found

    # Writing

    @property
    def identity(self) -> str:
        """A name for this store that no other has, made at first use; for trackers."""
        self.prepare()
        return str((read_json(self.path / "store.json") or {})["id"])

    def prepare(self) -> None:
        """Makes the folder, or says in one sentence why it cannot be a store."""
        with in_words(self.path):
            self.trials.mkdir(parents=True, exist_ok=True)
            self.running.mkdir(exist_ok=True)
            probe = self.running / f".probe.{secrets.token_hex(4)}"
            probe.write_text("", encoding="utf-8")
            probe.unlink()
            about = read_json(self.path / "store.json")
            if about is None or "id" not in about:
                write_json(self.path / "store.json", {"format": FORMAT, "id": secrets.token_hex(8)})

    @contextlib.contextmanager
    def locked(self) -> Generator[Path]:
        """Holds the store for one driver; the system lets go of it when the process dies.

        A second driver gets one sentence. Yields the lock file, in which a driver may note what a
        successor has to clear away.
        """
        self.prepare()
        lock = self.path / "lock"
        with in_words(lock):
            file = lock.open("a+", encoding="utf-8")
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                holder = _lock_note(lock)
                who = f" by process {holder['pid']} since {holder['since']}" if holder else ""
                raise StoreError(
                    f"the store {self.path} is in use{who}; wait until it ends, stop it,"
                    " or name another store"
                ) from error
            except OSError as error:
                raise StoreError(
                    f"the store {self.path} cannot be locked ({error.strerror}); put it on a disk"
                    " that has locks, such as a local one"
                ) from error
            try:
                yield lock
            finally:
                file.seek(0)
                file.truncate()

    def note_lock(self, **facts: Any) -> None:
        """Notes in the lock who holds it and what a successor has to clear away."""
        me = this_process()
        note = {"pid": me.pid, "began": me.began, "host": me.host, "since": now(), **facts}
        with in_words(self.path / "lock"):
            (self.path / "lock").write_text(json.dumps(note) + "\n", encoding="utf-8")

    def commit(
        self, record: TrialRecord, log: Path, files: Mapping[str, bytes] | None = None
    ) -> TrialRecord:
        """Puts a record and its log in place, whole or not at all, as the next attempt of its key.

        With them stand the files of the record, name -> content.

        Raises StoreError, with nothing torn, if the disk is full or closed.
        """
        home = self.trials / record.key
        with in_words(home):
            home.mkdir(parents=True, exist_ok=True)
            attempt = 1 + max((number for number, _ in _attempts(home)), default=0)
            name = f"{attempt:03d}"
            numbered = record.model_copy(
                update={
                    "attempt": attempt,
                    "log": f"trials/{record.key}/{name}/log.txt",
                    "files": tuple(files or ()),
                }
            )
            with folder_whole(home / name) as folder:
                if log.exists():
                    shutil.copyfile(log, folder / "log.txt")
                else:
                    (folder / "log.txt").touch()
                for file, content in (files or {}).items():
                    (folder / "files").mkdir(exist_ok=True)
                    (folder / "files" / file).write_bytes(content)
                write_synced(folder / "record.json", numbered.model_dump_json(indent=1) + "\n")
            log.unlink(missing_ok=True)
            return numbered

    def keep_artifact(
        self, stage: str, key: str, *, launch: str, lasting: bool
    ) -> contextlib.AbstractContextManager[Path]:
        """A folder to fill with a stage's artifact; it takes its place whole or not at all."""
        return self._keep_artifact(stage, key, launch=launch, lasting=lasting)

    @contextlib.contextmanager
    def _keep_artifact(
        self, stage: str, key: str, *, launch: str, lasting: bool
    ) -> Generator[Path]:
        target = self.artifact(stage, key)
        with folder_whole(target) as folder:
            yield folder
            write_json(
                folder / "made.json", {"launch": launch, "lasting": lasting, "moment": now()}
            )

    def made(self, stage: str, key: str) -> dict[str, Any] | None:
        """When, by which launch an artifact was made, and whether it is to last; None if absent."""
        return read_json(self.artifact(stage, key) / "made.json")

    def drop_artifact(self, stage: str, key: str) -> None:
        """Removes an artifact."""
        shutil.rmtree(self.artifact(stage, key), ignore_errors=True)

    def clear_leftovers(self) -> None:
        """Removes what dead processes left half made; only for the holder of the lock."""
        for heartbeat in self.running.glob("*.json"):
            note = read_json(heartbeat)
            if not note or not mark_of(note).alive():
                heartbeat.unlink(missing_ok=True)
        for launch in _folders(self.running):
            shutil.rmtree(launch, ignore_errors=True)
        for request in self.running.glob("*.stop"):
            request.unlink(missing_ok=True)
        stage_folders = [folder for folder in _folders(self.path) if folder.name.endswith("s")]
        for parent in [*_folders(self.trials), *stage_folders, self.running]:
            for path in parent.glob(".*"):
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)

    def clear_checkpoints(self) -> None:
        """Removes checkpoints that no trial can need; only for the holder of the lock."""
        folder = self.path / "checkpoints"
        if folder.is_dir():
            drop_done(folder, self.artifacts(), self.summaries())

    def set_aside(self, path: Path, why: str) -> None:
        """Moves something unreadable out of the way and says so."""
        shelf = self.path / "set-aside"
        target = shelf / f"{path.parent.name}-{path.name}-{secrets.token_hex(3)}"
        try:
            shelf.mkdir(parents=True, exist_ok=True)
            path.rename(target)
        except FileNotFoundError:
            return
        except OSError as error:
            self.sentences.append(f"{path} {why}, and {sentence(error, target)}")
            return
        self.sentences.append(f"{path} {why}; it was moved to {target}")

    # Helpers

    def _record_files(self, keys: Iterable[str] | None = None) -> Iterator[tuple[str, int, Path]]:
        homes = (
            sorted(_folders(self.trials), key=lambda folder: folder.name)
            if keys is None
            else [self.trials / key for key in dict.fromkeys(keys)]
        )
        for home in homes:
            for attempt, folder in sorted(_attempts(home)):
                yield home.name, attempt, folder / "record.json"

    def _read(self, file: Path, key: str, attempt: int) -> TrialRecord | None:
        try:
            text = file.read_text(encoding="utf-8")
            about = json.loads(text)
            if isinstance(about, dict) and about.get("format", FORMAT) > FORMAT:
                raise StoreError(
                    f"{file} has format {about['format']}, and this program reads up to {FORMAT};"
                    " it was written by a newer version: update, or name another store"
                )
            record = TrialRecord.model_validate(about)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "record"
            self.set_aside(file.parent, f"is no record ({place}: {first['msg']})")
            return None
        except (ValueError, TypeError) as error:
            self.set_aside(file.parent, f"cannot be read ({error})")
            return None
        except FileNotFoundError:
            self.set_aside(file.parent, "holds no record.json")
            return None
        except OSError as error:
            raise StoreError(
                f"{file} cannot be read ({error.strerror}); mend its rights"
            ) from error
        if (record.key, record.attempt) != (key, attempt):
            self.set_aside(
                file.parent, f"holds the record of {record.key}, attempt {record.attempt}"
            )
            return None
        return record


def _lock_note(lock: Path) -> dict[str, Any] | None:
    note = read_json(lock)
    return note if isinstance(note, dict) and {"pid", "since"} <= set(note) else None


def _folders(path: Path) -> list[Path]:
    try:
        return [entry for entry in path.iterdir() if entry.is_dir() and entry.name[0] != "."]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _attempts(home: Path) -> list[tuple[int, Path]]:
    return [(int(folder.name), folder) for folder in _folders(home) if folder.name.isdecimal()]


def _is_artifact(folder: Path) -> bool:
    return (folder / "made.json").exists()
