"""Why Ray did not start or take the work, in one message with the fix."""

import re
from pathlib import Path

_FIXES = (
    (r"no space left|disk quota|file too large", "a disk or /dev/shm is full", "make room there"),
    (
        r"cannot allocate memory|memoryerror|out of memory|bad_alloc|object store memory",
        "there is not enough memory",
        "close other programs, or run fewer trials at a time",
    ),
    (r"too many open files", "too many files are open", "raise `ulimit -n`"),
    (
        r"resource temporarily unavailable|can't start new thread|unable to create .*thread",
        "this user may start no more processes",
        "raise `ulimit -u`, or close other programs",
    ),
    (
        r"address already in use|failed to bind|no available port|cannot assign",
        "no port of 127.0.0.1 is free",
        "close what holds them",
    ),
    (r"permission denied|operation not permitted", "the system forbids it", "grant the permission"),
)


def why_ray_refused(said: str, log: Path) -> str:
    """One message: what Ray said in its first line, the likely reason, the fix, the log."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    first = lines[0][:200] if lines else "it said nothing"
    for pattern, reason, fix in _FIXES:
        if re.search(pattern, said, re.IGNORECASE):
            return f"Ray cannot start: {reason} ({first}); {fix} and run again; log {log}"
    return f"Ray cannot start ({first}); see why in {log}, then run again"
