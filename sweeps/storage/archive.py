"""Records and results of a store as one file, with the hash of each content, and back into a store.

The file is a compressed tar with the store's own names: `trials/<key>/<attempt>/...`,
`studies/<study>/...`, if wanted the artifacts, further files in `about/`, and last MANIFEST.json with the
SHA-256 of each. The same content gives the same bytes.
"""

import gzip
import hashlib
import io
import json
import re
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from sweeps.errors import StoreError
from sweeps.record import TrialRecord
from sweeps.storage.artifacts import MADE, artifact_fault
from sweeps.storage.atomic_io import (
    as_store_error,
    atomic_folder,
    read_bytes,
    read_json,
    temporary_sibling,
)
from sweeps.storage.launch_log import load_plan, studies
from sweeps.storage.record_file import Unreadable, read_record
from sweeps.storage.store import Store

MANIFEST = "MANIFEST.json"
FORMAT = 1
"""Raised when names in an archive get another meaning."""

UNPACKED_FREELY = 1_000_000_000
UNPACKED_TIMES = 200
"""An archive may unpack to so many bytes, or to so many times its own size if that is more. Records and
figures shrink to a tenth or less, weights hardly."""

_PART = r"[^/\\.\0][^/\\\0]*"
_NAME = re.compile(
    rf"trials/[0-9a-f]{{16}}/[0-9]{{3,}}/(record\.json|log\.txt|files/{_PART})"
    rf"|studies(/{_PART}){{2,}}|about/{_PART}|(?!trials|studies)[a-z]+s/[0-9a-f]{{16}}(/{_PART})+"
    rf"|{re.escape(MANIFEST)}"
)
"""The only names that an archive may hold: no path leaves the store, and none is hidden."""


class Archived(NamedTuple):
    """The content of an archive."""

    records: int
    studies: int
    artifacts: int
    sha256: str
    """Of the archive's bytes."""


class Imported(NamedTuple):
    """What an import added to a store, and what was already there."""

    records: int
    known_records: int
    studies: tuple[str, ...]
    """Names of added folders of studies."""
    known_studies: tuple[str, ...]
    """Those that the store already had; they stay as they are."""
    artifacts: int


def write_archive(
    store: Store,
    to: Path,
    labels: Iterable[str],
    *,
    artifacts: bool = False,
    about: Mapping[str, bytes] | None = None,
) -> Archived:
    """Writes the records and results of studies, by label, to a new file.

    Their records are those that their trials have in any study. `artifacts` adds the artifacts of these
    records, and `about` further files.

    Raises:
        StoreError: The file exists or cannot be written, an artifact is damaged, or a file of a study
            has a name that an archive cannot hold; no partly written file remains.
    """
    labels = tuple(labels)
    records = list(store.records(_keys_of(store, labels)))
    files = {f"about/{name}": content for name, content in (about or {}).items()}
    stages = {(s.name, s.key) for one in records for s in one.stages} if artifacts else set()
    made = sorted((s, key) for s, key in stages if store.manifest(s, key) is not None)
    for stage, key in made:
        home = store.artifact(stage, key)
        if (why := artifact_fault(home, stage, key)) is not None:
            raise StoreError(
                f"{home} {why}; run its study again, which sets it aside, or export without artifacts"
            )
    folders = [store.attempt(one.key, one.attempt) for one in records]
    folders += [store.study(label) for label in labels]
    folders += [store.artifact(stage, key) for stage, key in made]
    paths = dict(_files_in(store, folders))
    if to.exists():
        raise StoreError(f"{to} exists and is not replaced; name another file")
    if not to.parent.is_dir():
        raise StoreError(
            f"{to.parent} is no folder, so {to.name} cannot be written there; create it"
        )
    filling = temporary_sibling(to)
    try:
        with filling.open("xb") as raw:
            _fill(raw, files, paths)
        filling.rename(to)
        with to.open("rb") as whole:
            digest = hashlib.file_digest(whole, "sha256").hexdigest()
    except OSError as error:
        what = f"{error.strerror}: {error.filename}" if error.filename else error.strerror
        raise StoreError(
            f"{to} could not be written ({what}); fix this or name another file"
        ) from error
    finally:
        filling.unlink(missing_ok=True)
    return Archived(len(records), len(labels), len(made), digest)


def read_archive(store: Store, file: Path) -> Imported:
    """Adds the content of an archive to a store.

    A record that the store has already, under whatever attempt, is not added again; another one of its
    key becomes the next attempt. A study's folder and an artifact that are there stay as they are.

    Raises:
        StoreError: The file is no archive, is damaged or holds anything else: nothing was changed. Or
            the store is in use or cannot be written to.
    """
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        _unpack(file, folder)
        records = list(_records(file, folder))
        for stage, key, home in _artifacts(folder):
            if (why := artifact_fault(home, stage, key)) is not None:
                raise StoreError(f"{file}: {home.relative_to(folder)} {why}; nothing was imported")
        with store.locked():
            store.clear_leftovers()  # of an import that was killed
            return _merged(store, folder, records)


def _keys_of(store: Store, labels: tuple[str, ...]) -> list[str]:
    plans = [plan for label in labels if (plan := load_plan(store, label)) is not None]
    planned = {trial.key for plan in plans for trial in plan.trials}
    own = {one.key for one in store.summaries() if one.label in labels}
    return sorted(planned | own)


def _files_in(store: Store, folders: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    """The files of these folders by their names in an archive; hidden ones are incomplete."""
    for folder in folders:
        for path in folder.rglob("*"):
            name = path.relative_to(store.path).as_posix()
            if path.is_symlink() or not path.is_file() or "/." in name:
                continue
            if _NAME.fullmatch(name) and name.isprintable():
                yield name, path
            elif not name.startswith("trials/") or path.parent.name == "files":
                # What else lies next to a record is not its own.
                raise StoreError(f"{name!r} in {store.path} cannot be in an archive; rename it")


def _fill(raw: io.BufferedIOBase, files: Mapping[str, bytes], paths: Mapping[str, Path]) -> None:
    hashes: dict[str, str] = {}
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in sorted([*files, *paths]):
            content = files[name] if name in files else read_bytes(paths[name])
            hashes[name] = hashlib.sha256(content).hexdigest()
            _add(tar, name, content)
        text = json.dumps({"format": FORMAT, "files": hashes}, ensure_ascii=False, indent=1)
        _add(tar, MANIFEST, f"{text}\n".encode())


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)  # no time, no owner: the same content, the same bytes
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _unpack(file: Path, folder: Path) -> None:
    """Unpacks an archive and checks every name and hash."""
    found: dict[str, str] = {}
    try:
        with tarfile.open(file, "r:gz") as tar:
            for member in tar:
                _refuse_growth(file, member)
                stream = tar.extractfile(member) if member.isreg() else None
                if stream is None or not _NAME.fullmatch(member.name) or member.name in found:
                    raise StoreError(
                        f"{file} holds {member.name!r}, which no export writes; nothing was imported"
                    )
                target = folder / member.name
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as out:
                    shutil.copyfileobj(stream, out)
                with target.open("rb") as out:
                    found[member.name] = hashlib.file_digest(out, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise StoreError(f"{file} does not exist; name a file of `ablate store export`") from error
    except (tarfile.TarError, EOFError, zlib.error, OSError, ValueError, RecursionError) as error:
        raise StoreError(
            f"{file} cannot be read as an archive ({error}); name a file of `ablate store export`"
        ) from error
    about = read_json(folder / MANIFEST)
    if not isinstance(about, dict) or not isinstance(about.get("files"), dict):
        raise StoreError(f"{file} has no {MANIFEST} at its end; it is incomplete: export it again")
    if about.get("format") != FORMAT:
        raise StoreError(
            f"{file} has format {about.get('format')}, but this program reads format {FORMAT}; update"
        )
    del found[MANIFEST]
    wrong = sorted(
        name for name in {*found, *about["files"]} if found.get(name) != about["files"].get(name)
    )
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise StoreError(
            f"{file} changed since it was written: {wrong[0]}{more} does not have the hash in "
            f"{MANIFEST}; nothing was imported"
        )


def _refuse_growth(file: Path, member: tarfile.TarInfo) -> None:
    """From its header, before a byte of it is unpacked."""
    end = member.offset_data + member.size
    most = max(UNPACKED_FREELY, UNPACKED_TIMES * file.stat().st_size)
    if end > most:
        raise StoreError(
            f"{file} would unpack to {end:,} bytes or more ({member.name!r}), but the limit for an "
            f"archive of this size is {most:,}; nothing was imported"
        )


def _records(file: Path, folder: Path) -> Iterator[tuple[TrialRecord, Path]]:
    for path in sorted(folder.glob("trials/*/*/record.json")):
        try:
            record = read_record(path, path.parent.parent.name, int(path.parent.name))
        except Unreadable as why:
            name = path.parent.relative_to(folder)
            raise StoreError(f"{file}: {name} {why}; nothing was imported") from why
        for name in record.files:
            if not (path.parent / "files" / name).is_file():
                raise StoreError(
                    f"{file}: {path.parent.relative_to(folder)} lacks its file {name}; nothing was "
                    "imported"
                )
        yield record, path.parent


def _artifacts(folder: Path) -> Iterator[tuple[str, str, Path]]:
    for path in sorted(folder.glob(f"*/*/{MADE}")):
        if path.parts[-3] not in {"trials", "studies", "about"}:
            yield path.parts[-3][:-1], path.parent.name, path.parent


def _merged(store: Store, folder: Path, records: list[tuple[TrialRecord, Path]]) -> Imported:
    added = 0
    for record, home in records:
        if any(one.is_of_trial(record) for one in store.records([record.key])):
            continue
        files = {name: (home / "files" / name).read_bytes() for name in record.files}
        store.commit(record, home / "log.txt", files)
        added += 1
    new, known = list[str](), list[str]()
    for study in sorted(folder.glob("studies/*")):
        place = store.path / "studies" / study.name
        (known if place.exists() else new).append(study.name)
        if not place.exists():
            _copied(study, place)
    num_artifacts = 0
    for stage, key, home in _artifacts(folder):
        if store.manifest(stage, key) is None and not store.artifact(stage, key).exists():
            _copied(home, store.artifact(stage, key))
            num_artifacts += 1
    return Imported(added, len(records) - added, tuple(new), tuple(known), num_artifacts)


def _copied(folder: Path, place: Path) -> None:
    with as_store_error(place), atomic_folder(place) as filling:
        shutil.copytree(folder, filling, dirs_exist_ok=True)


def labels_in(store: Store) -> list[str]:
    """The labels of all studies of a store: launched here, or with records."""
    return sorted({*studies(store), *(one.label for one in store.summaries())})
