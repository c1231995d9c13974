"""Processes identified by number and start time, since the system reuses numbers."""

import datetime as dt
import os
import socket
import sys
from pathlib import Path
from typing import Any, NamedTuple


class ProcessMark(NamedTuple):
    """The identity of a process on one machine."""

    pid: int
    began: str
    host: str

    def alive(self) -> bool:
        """Whether it still runs; a process on another machine is assumed to run."""
        return self.host != socket.gethostname() or began(self.pid) == self.began


def this_process() -> ProcessMark:
    """The mark of the calling process."""
    return ProcessMark(os.getpid(), began(os.getpid()) or "", socket.gethostname())


def mark_of(note: object) -> ProcessMark:
    """The process named in a note; one that cannot be running if the note is torn."""
    about: dict[str, Any] = note if isinstance(note, dict) else {}
    pid = about.get("pid")
    if not isinstance(pid, int):
        return ProcessMark(-1, "none", socket.gethostname())
    return ProcessMark(pid, str(about.get("began", "none")), str(about.get("host", "")))


def began(pid: int) -> str | None:
    """The start time of a process, in the system's unit; None if it is gone or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None if Path("/proc/self/stat").exists() else _began_elsewhere(pid)
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    # Field 22 counts clock ticks since boot, so it does not move when the clock is set.
    return None if fields[0] in "ZX" else fields[19]


def _began_elsewhere(pid: int) -> str | None:
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return f"{process.create_time():.2f}"
    except psutil.Error:
        return None


def python_path() -> str:
    """The module search path of this process, for those that it starts."""
    return os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)


def now() -> str:
    """The current time in the form of records: ISO 8601 to the millisecond, UTC."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
