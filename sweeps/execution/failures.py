"""The failure of a launch as one message with the fix."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

_SIGNALS = {
    "Segmentation fault": "SIGSEGV",
    "Aborted": "SIGABRT",
    "Floating point exception": "SIGFPE",
    "Floating-point exception": "SIGFPE",
    "Bus error": "SIGBUS",
    "Illegal instruction": "SIGILL",
}
_FATAL = re.compile(r"^Fatal Python error: (.+)$", re.MULTILINE)
_TAIL = 65536
"""Bytes at the end of a log that are searched."""

_RAY_FIXES = (
    (r"no space left|disk quota|file too large", "a disk or /dev/shm is full", "free some space"),
    (
        r"cannot allocate memory|memoryerror|out of memory|bad_alloc|object store memory",
        "there is not enough memory",
        "close other programs, or run fewer trials at a time",
    ),
    (r"too many open files", "too many files are open", "raise `ulimit -n`"),
    (
        r"resource temporarily unavailable|can't start new thread|unable to create .*thread",
        "this user cannot start more processes",
        "raise `ulimit -u`, or close other programs",
    ),
    (
        r"address already in use|failed to bind|no available port|cannot assign",
        "no port of 127.0.0.1 is free",
        "close the programs that hold them",
    ),
    (
        r"permission denied|operation not permitted",
        "the system denies permission",
        "grant the permission",
    ),
)


class TrialEnd(NamedTuple):
    """How one trial of a launch ended."""

    cell: str
    error: str | None
    """None: it finished."""


def common_failure(ends: Iterable[TrialEnd], slots: int) -> str | None:
    """The message that stops a launch, given its trials in the order in which they ended.

    The launch stops if its first trials (one more than run at a time, and at least two) belong to
    different cells and failed with the same error, since the cause is then not a single trial. Once a
    trial has finished, the launch continues even if others fail.
    """
    count = max(2, slots + 1)
    first = list(ends)[:count]
    cells = list(dict.fromkeys(end.cell for end in first))
    if len(first) < count or len(cells) < 2:
        return None
    errors = {end.error for end in first}
    if None in errors or len(errors) > 1:
        return None
    named = ", ".join(map(repr, cells[:3])) + (f" and {len(cells) - 3} more" if cells[3:] else "")
    return (
        f"the first {count} trials (cells {named}) all failed with the same error and none finished:"
        f" {errors.pop()}; the launch stopped before the others. Fix the cause, then run again with"
        " --failed"
    )


def why_it_died(log: Path) -> str:
    """Why a worker process died without a record, as far as its trial's log shows."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL))
            end = file.read().decode(errors="replace")
    except OSError:
        end = ""
    fatal = _FATAL.findall(end)
    if not fatal:
        return "the worker process died without reporting a result (killed, or out of memory)"
    name = _SIGNALS.get(last := fatal[-1].strip(), last)
    return f"the worker process crashed ({name}); the Python stack is in the log"


def why_ray_refused(said: str, log: Path) -> str:
    """Why Ray did not start or accept jobs: its first line, the likely reason, the fix and the log."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    first = lines[0][:200] if lines else "no message"
    for pattern, reason, fix in _RAY_FIXES:
        if re.search(pattern, said, re.IGNORECASE):
            return f"Ray cannot start: {reason} ({first}); {fix} and run again; log {log}"
    return f"Ray cannot start ({first}); see why in {log}, then run again"
