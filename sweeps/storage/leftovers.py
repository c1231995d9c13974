"""Removes incomplete files of dead processes, but only under names that the engine itself gives.

Names must match a whole pattern in their folder, and links are not touched, because a store may contain
files of other programs and of its user.
"""

import contextlib
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from sweeps.processes import mark_of
from sweeps.storage.atomic_io import read_json

_HEX = "[0-9a-f]{8}"
_KEY = "[0-9a-f]{16}"
_LAUNCH = r"[0-9]{8}T[0-9]{6}-[0-9a-f]{4}"

_HALF_RECORD = rf"\.[0-9]{{3,}}\.{_HEX}(\.old)?"
_HALF_ARTIFACT = rf"\.{_KEY}\.{_HEX}(\.old)?"
_HALF_CHECKPOINT = rf"\.[a-z0-9-]+-{_KEY}\.{_HEX}"
_HALF_NOTE = rf"\.({_KEY}\.json|probe)(\.{_HEX})"
_HALF_STUDY = rf"\.[^.].*\.{_HEX}"
_HALF_FILE = rf"\.(index\.jsonl|machine\.json|store\.json)\.{_HEX}"


def clear(store: Path, stages: Iterable[str]) -> None:
    """Removes leftovers from a store; `stages` are those whose folders may hold some."""
    for home in _entries(store / "trials", _KEY):
        _clear_folders(home, _HALF_RECORD)
    for stage in stages:
        _clear_folders(store / f"{stage}s", _HALF_ARTIFACT)
    _clear_folders(store / "studies", _HALF_STUDY)
    running = store / "running"
    _clear_files(store / "checkpoints", _HALF_CHECKPOINT)
    _clear_files(store, _HALF_FILE)
    _clear_files(running, _HALF_NOTE)
    _clear_files(running, rf"{_LAUNCH}\.(stop|hold|pace)|\.{_LAUNCH}\.pace\.{_HEX}")
    for heartbeat in _entries(running, rf"{_KEY}\.json"):
        note = read_json(heartbeat)
        if heartbeat.is_file() and (not note or not mark_of(note).alive()):
            heartbeat.unlink(missing_ok=True)
    for jobs in _entries(running, _LAUNCH):
        _clear_files(jobs, r"[0-9]{5}\.json")
        shared = list(_entries(jobs, r"jobs-[0-9]{5}"))
        for folder in shared:
            _clear_files(folder, r"[0-9]{6}\.(json|taken)")
        for folder in (*shared, jobs):
            with contextlib.suppress(OSError):  # what else is in it is not ours
                folder.rmdir()


def _clear_folders(parent: Path, pattern: str) -> None:
    for folder in _entries(parent, pattern):
        if folder.is_dir():
            shutil.rmtree(folder, ignore_errors=True)


def _clear_files(parent: Path, pattern: str) -> None:
    for file in _entries(parent, pattern):
        if file.is_file():
            file.unlink(missing_ok=True)


def _entries(parent: Path, pattern: str) -> Iterator[Path]:
    """The entries of a folder with such names; no links, and nothing behind a link."""
    name = re.compile(pattern)
    try:
        entries = [] if parent.is_symlink() else sorted(parent.iterdir())
    except OSError:
        return
    yield from (one for one in entries if name.fullmatch(one.name) and not one.is_symlink())
