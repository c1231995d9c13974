"""The index: a copy of the records' summaries in one file, so that thousands are quick to read.

It does not prove that a record exists: an entry counts only while its record's file exists with the
same size and time as when the entry was made. A key's folder is listed again unless its time is that
of all its entries, for a folder changes its time with each attempt that comes or goes.
"""

import contextlib
import hashlib
import json
import os
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from sweeps.record import Stage, Summary
from sweeps.storage.atomic_io import write_bytes

SETTLED = 3_000_000_000
"""Nanoseconds until a folder's time can be trusted: times are coarse, and two changes may share one."""


class Index:
    """Summaries by (key, attempt), in memory and as lines of JSON."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.entries: dict[tuple[str, int], Summary] = {}
        self.stamps: dict[tuple[str, int], str] = {}
        self.homes: dict[str, dict[int, str]] = defaultdict(dict)
        """Key -> attempt -> the stamp of the key's folder when the entry was made."""
        self._read_to = 0

    def load(self) -> None:
        """Reads the lines that were added since the last call; skips torn and foreign ones."""
        try:
            if not self.file.is_file():
                return
            with self.file.open("rb") as file:
                if file.seek(0, 2) < self._read_to:
                    self._read_to = 0
                file.seek(self._read_to)
                data = file.read()
        except OSError:
            return
        whole, newline, _ = data.rpartition(b"\n")
        self._read_to += len(whole) + len(newline)
        for line in whole.splitlines():
            with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
                checksum, _, text = line.partition(b" ")
                if checksum != _checksum(text):
                    continue
                about = from_json(text)
                stamp, home = about.pop("stamp", ""), about.pop("home", "")
                summary = _summary(about)
                self.entries[summary.key, summary.attempt] = summary
                self.stamps[summary.key, summary.attempt] = stamp
                self.homes[summary.key][summary.attempt] = home

    def attempts(self, key: str, home: str) -> list[int] | None:
        """The attempts in a key's folder with this stamp; None if it must be listed."""
        known = self.homes.get(key)
        if not home or known is None or any(one != home for one in known.values()):
            return None
        return sorted(known)

    def append(self, summaries: Iterable[Summary]) -> None:
        """Adds lines; if the disk refuses them, only speed is lost."""
        text = "".join(self._line(summary) for summary in summaries)
        if self.file.exists() and not self.file.is_file():
            return
        with contextlib.suppress(OSError), self.file.open("a", encoding="utf-8") as file:
            # A line torn by a kill would swallow the next one: begin on a line of its own.
            file.write(f"\n{text}" if file.tell() else text)

    def retain(self, here: Iterable[tuple[str, int]]) -> None:
        """Forgets entries whose records are gone; the file is rewritten when many are."""
        there = set(here)
        gone = self.entries.keys() - there
        for place in gone:
            del self.entries[place]
            self.homes[place[0]].pop(place[1], None)
        if len(gone) > len(there):
            text = "".join(map(self._line, self.entries.values()))
            with contextlib.suppress(OSError):
                write_bytes(self.file, text.encode())
                self._read_to = 0

    def _line(self, summary: Summary) -> str:
        about = {
            "stamp": self.stamps.get((summary.key, summary.attempt), ""),
            "home": self.homes[summary.key].get(summary.attempt, ""),
        }
        text = json.dumps({**about, **summary.model_dump(mode="json")})
        return f"{_checksum(text.encode()).decode()} {text}\n"


def stamp(file: str) -> str:
    """What changes when a record's file is replaced; empty where there is none."""
    try:
        about = os.stat(file)  # noqa: PTH116 -- a Path takes longer than the call, ten thousand times
    except OSError:
        return ""
    # The time of change, unlike that of writing, cannot be set back.
    return f"{about.st_mtime_ns} {about.st_ctime_ns} {about.st_size}"


def stamp_of_home(home: str) -> str:
    """What changes when an attempt comes or goes; empty for a folder changed moments ago."""
    try:
        about = os.stat(home)  # noqa: PTH116
    except OSError:
        return ""
    # Seen from a clock that is behind, a folder's time lies ahead of it: not settled either.
    settled = time.time_ns() - about.st_mtime_ns > SETTLED
    # The number of folders in it, which most disks count, changes even where two changes share a time.
    return f"{about.st_mtime_ns} {about.st_ctime_ns} {about.st_nlink}" if settled else ""


def _checksum(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest()[:16].encode()


def _summary(line: dict[str, Any]) -> Summary:
    # Lines are what this class wrote; validating thousands again would cost more than reading them.
    line["stages"] = tuple(map(Stage.trusted, line["stages"]))
    line["reused"] = tuple(line["reused"])
    return Summary.trusted(line)
