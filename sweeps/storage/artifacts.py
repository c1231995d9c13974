"""The artifact of a stage in its own folder, saved with the hash of each file and checked before use.

`made.json` in the folder names the stage and key for which it was made, the launch that made it and
the SHA-256 of every file, and is sealed itself: a flipped bit, a file of another artifact and two
swapped folders are all noticed.
"""

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sweeps.errors import StoreError
from sweeps.processes import now
from sweeps.storage.atomic_io import atomic_folder, read_json, temporary_sibling, write_json
from sweeps.storage.seals import SEAL, file_hash, is_whole, sealed

MADE = "made.json"
_FILES = "files"


@contextmanager
def saved_artifact(
    folder: Path, stage: str, key: str, *, launch: str, lasting: bool
) -> Generator[Path]:
    """A folder to fill; when the block succeeds it is renamed into place with its manifest.

    It replaces an artifact. Other files in its place stay: then the artifact's are moved next to
    them, the manifest, without which there is no artifact, last.
    """
    shared = os.path.lexists(folder) and not _is_ours_alone(folder)
    place = temporary_sibling(folder) if shared else folder
    with atomic_folder(place) as filling:
        yield filling
        files = sorted(path for path in filling.rglob("*") if path.is_file())
        hashes = {str(file.relative_to(filling)): file_hash(file) for file in files}
        about = {"launch": launch, "lasting": lasting, "moment": now(), "stage": stage, "key": key}
        write_json(filling / MADE, sealed({**about, _FILES: hashes}))
    if shared:
        _move_into(place, folder, [*hashes, MADE])


def manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of an artifact; None if there is no readable one."""
    about = read_json(folder / MADE)
    return about if isinstance(about, dict) else None


def artifact_fault(folder: Path, stage: str, key: str) -> str | None:
    """Why an artifact must not be used, as the end of a sentence; None if it is intact.

    An artifact of an earlier version, without hashes, passes; see `artifact_can_be_checked`.
    """
    about = manifest(folder)
    if about is None:
        return f"has no readable {MADE}"
    if SEAL not in about and _FILES not in about:
        return None
    if not is_whole(about):
        return f"has a {MADE} that changed since it was written"
    if (about["stage"], about["key"]) != (stage, key):
        return f"was made for {about['stage']} {about['key']}"
    for name, expected in about[_FILES].items():
        try:
            found = file_hash(folder / name)
        except OSError as error:
            return f"lacks its file {name} ({error.strerror})"
        if found != expected:
            return f"has a file {name} that changed since it was saved"
    return None


def artifact_can_be_checked(folder: Path) -> bool:
    """Whether hashes were saved with an artifact; earlier versions saved none."""
    return _FILES in (manifest(folder) or {})


def drop(folder: Path) -> None:
    """Removes an artifact; other files in its folder stay."""
    about = manifest(folder)
    if _is_ours_alone(folder):
        going = temporary_sibling(folder)
        with suppress(OSError):
            folder.rename(going)
            shutil.rmtree(going, ignore_errors=True)
    elif about is not None and not folder.is_symlink() and is_whole(about):
        for name in (*about[_FILES], MADE):
            with suppress(OSError):
                (folder / name).unlink()


def _is_ours_alone(folder: Path) -> bool:
    """Whether an artifact's folder contains only the files that were saved in it."""
    about = manifest(folder)
    if about is None or folder.is_symlink():
        return False
    if _FILES not in about:
        return True
    try:
        there = {str(entry.relative_to(folder)) for entry in folder.rglob("*")}
    except OSError:
        return False
    ours = {*about[_FILES], MADE}
    return there <= ours | {str(parent) for name in ours for parent in Path(name).parents}


def _move_into(place: Path, folder: Path, names: list[str]) -> None:
    drop(folder)
    try:
        if folder.is_symlink() or not folder.is_dir():
            kind = folder.parent.name[:-1]
            raise StoreError(
                f"{folder} is where the folder of a saved {kind} should be; move it elsewhere"
            )
        taken = [name for name in names if os.path.lexists(folder / name)]
        if taken:
            raise StoreError(
                f"{folder / taken[0]} is where a file must be saved; move it elsewhere"
            )
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).rename(folder / name)
    finally:
        shutil.rmtree(place, ignore_errors=True)
