"""Removing what dead processes left half made: only what bears a name that the engine itself gives.

Names are whole patterns, each in its own folder, and links are left alone: a store may hold files of
other programs and of its user.
"""

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from sweeps.processes import mark_of
from sweeps.storage.atomic_io import read_json

_HEX = "[0-9a-f]{8}"
_KEY = "[0-9a-f]{16}"
_LAUNCH = r"[0-9]{8}T[0-9]{6}-[0-9a-f]{4}"

_HALF_RECORD = re.compile(rf"\.[0-9]{{3,}}\.{_HEX}(\.old)?")
_HALF_ARTIFACT = re.compile(rf"\.{_KEY}\.{_HEX}(\.old)?")
_HALF_CHECKPOINT = re.compile(rf"\.[a-z0-9-]+-{_KEY}\.{_HEX}")
_HALF_NOTE = re.compile(rf"\.({_KEY}\.json|probe)(\.{_HEX})")
_HALF_FILE = re.compile(rf"\.(index\.jsonl|machine\.json|store\.json)\.{_HEX}")
_HEARTBEAT = re.compile(rf"{_KEY}\.json")
_STOP = re.compile(rf"{_LAUNCH}\.stop")
_JOBS = re.compile(_LAUNCH)
_JOB = re.compile(r"[0-9]{5}\.json")


def clear(store: Path, stages: Iterable[str]) -> None:
    """Removes leftovers from a store; `stages` are those whose folders may hold some."""
    for home in _folders(store / "trials", re.compile(_KEY)):
        _clear_folders(home, _HALF_RECORD)
    for stage in stages:
        _clear_folders(store / f"{stage}s", _HALF_ARTIFACT)
    _clear_files(store / "checkpoints", _HALF_CHECKPOINT)
    _clear_files(store, _HALF_FILE)
    running = store / "running"
    _clear_files(running, _HALF_NOTE)
    _clear_files(running, _STOP)
    for heartbeat in _entries(running, _HEARTBEAT):
        note = read_json(heartbeat)
        if heartbeat.is_file() and (not note or not mark_of(note).alive()):
            heartbeat.unlink(missing_ok=True)
    for jobs in _folders(running, _JOBS):
        _clear_files(jobs, _JOB)
        try:
            jobs.rmdir()
        except OSError:
            continue  # what else is in it is not ours


def _clear_folders(parent: Path, name: re.Pattern[str]) -> None:
    for folder in _folders(parent, name):
        shutil.rmtree(folder, ignore_errors=True)


def _clear_files(parent: Path, name: re.Pattern[str]) -> None:
    for file in _entries(parent, name):
        if file.is_file():
            file.unlink(missing_ok=True)


def _folders(parent: Path, name: re.Pattern[str]) -> list[Path]:
    return [entry for entry in _entries(parent, name) if entry.is_dir()]


def _entries(parent: Path, name: re.Pattern[str]) -> list[Path]:
    """What bears such a name in a folder; nothing that is a link or stands behind one."""
    if parent.is_symlink():
        return []
    try:
        entries = sorted(parent.iterdir())
    except OSError:
        return []
    return [one for one in entries if name.fullmatch(one.name) and not one.is_symlink()]
