"""Where a number comes from: code, packages, machine, load."""

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def collect(*, code: Path | None = None, packages: Iterable[str] = ()) -> dict[str, Any]:
    """The facts of this moment, as JSON: `code`, `packages`, `machine`, `load_average`, `python`.

    `code` is a folder under git, or None. What cannot be found out is None, with the reason in its
    place where there is one.
    """
    return {
        "code": _commit(code),
        "packages": {name: version_of(name) for name in packages},
        "python": platform.python_version(),
        "machine": machine(),
        "load_average": [round(value, 2) for value in os.getloadavg()],
    }


def machine() -> dict[str, Any]:
    """What this machine is: host, system, processor, cores, memory."""
    return {
        "host": platform.node(),
        "system": platform.platform(),
        "cpu": _cpu(),
        "cores": _cores(),
        "memory_gib": _memory(),
    }


def _commit(code: Path | None) -> dict[str, Any]:
    if code is None:
        return {"commit": None, "dirty": None, "why": "no folder was named"}
    commit = _git(code, "rev-parse", "HEAD")
    if commit is None:
        return {"commit": None, "dirty": None, "why": "the code is not under git here"}
    changes = _git(code, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": None if changes is None else bool(changes)}


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - fixed words
            ["git", "-C", str(folder), *words],  # noqa: S607 - git from the user's path
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def version_of(package: str) -> str | None:
    """A package's version; None where it runs without being installed, as from a checkout."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _cpu() -> str | None:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or None
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.machine()


def _cores() -> int | None:
    """The cores that this process may use, which containers limit."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count()


def _memory() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError, AttributeError):
        return None
