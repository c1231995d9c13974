"""Why a worker process died, as far as its trial's log tells."""

import re
from pathlib import Path

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


def why_it_died(log: Path) -> str:
    """A sentence's part for a trial whose process died without leaving a record."""
    fatal = _FATAL.findall(_end_of(log))
    if not fatal:
        return "the worker process died without reporting a result (killed, or out of memory)"
    name = _SIGNALS.get(fatal[-1].strip(), fatal[-1].strip())
    return f"the worker process crashed ({name}); the Python stack is in the log"


def _end_of(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
