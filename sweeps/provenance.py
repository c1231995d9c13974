"""Facts about the origin of a number: code, packages, machine and load."""

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def collect(*, code: Path | None = None, packages: Iterable[str] = ()) -> dict[str, Any]:
    """Current facts as JSON: `code`, `packages`, `python`, `machine`, `load_average`.

    `code` is a folder under git, or None. An unknown fact is None; an unknown commit has a `why`.
    """
    return {
        "code": _commit(code),
        "packages": {name: version_of(name) for name in packages},
        "python": platform.python_version(),
        "machine": machine(),
        "load_average": load_average(),
    }


def machine() -> dict[str, Any]:
    """This machine: host, system, processor, usable cores, memory."""
    import psutil

    return {
        "host": platform.node(),
        "system": platform.platform(),
        "cpu": cpu_name(),
        "cores": usable_cores(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
    }


def _commit(code: Path | None) -> dict[str, Any]:
    commit = None if code is None else _git(code, "rev-parse", "HEAD")
    if code is None or commit is None:
        why = "the code is not under version control here" if code else "no folder was given"
        return {"commit": None, "dirty": None, "why": why}
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
    """A package's version; None if it is not installed, for example when run from a checkout."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def cpu_name() -> str:
    """The processor as the system names it."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.processor() or platform.machine() or "unknown"


def usable_cores() -> int:
    """Cores that this process may use, which a container may limit."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load_average() -> list[float]:
    """Processes that ran or waited for a core, averaged over 1, 5 and 15 minutes."""
    return [round(value, 2) for value in os.getloadavg()]
