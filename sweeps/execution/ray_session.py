"""A launch's session: a private folder, and the processes that belong to it.

The next driver ends the processes of a killed one and removes its files. It finds the folder through
the store's lock. Since anyone may have copied or written a lock, a folder counts only if its place,
owner, mode and mark show that a driver of this store created it, and that this driver is dead.
(`filelock` cannot replace
this: it does not identify the process that held a lock.)
"""

import contextlib
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Any

import psutil

from sweeps.errors import StoreError
from sweeps.processes import mark_of, this_process
from sweeps.storage import read_json, write_json

SESSION_VARIABLE = "SWEEPS_SESSION"
"""The environment variable that all processes of one launch inherit."""

PREFIX = "swp-"
"""The prefix of session folders in the system's folder for temporary files."""

_MARK = "session.json"

_LONGEST = 24
"""Sockets are below the session's folder, and their paths may have 107 characters in all."""


def new_session(store: str) -> Path:
    """A new short folder for Ray's sockets, logs and Tune's state, private to this user.

    It is marked with the identity of the store and with this process.
    """
    place: str | None = None
    try:
        place = tempfile.gettempdir()
        if len(place) > _LONGEST:
            place = "/tmp"  # noqa: S108 - mkdtemp makes the name unguessable
        # Ray opens its own folder to all users; this one above it stays private.
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
        try:
            write_json(folder / _MARK, {"store": store, "driver": this_process()._asdict()})
        except BaseException:
            remove_session(folder)
            raise
    except OSError as error:
        raise StoreError(
            f"no temporary folder can be created in {place or 'any usual place'} "
            f"({error.strerror}); free space there, or name another folder: TMPDIR=/path"
        ) from error
    return folder


def own_session(path: object, store: str) -> Path | None:
    """The session's folder if a dead driver of this store created it; None for anything else."""
    if not isinstance(path, str | os.PathLike):
        return None
    folder = Path(os.fspath(path))
    try:
        status = folder.lstat()
        places = {Path(tempfile.gettempdir()).resolve(), Path("/tmp").resolve()}  # noqa: S108 - compared, not written to
        made_here = (
            folder.is_absolute()
            and folder.parent.resolve() in places
            and folder.name.startswith(PREFIX)
            and stat.S_ISDIR(status.st_mode)
            and stat.S_IMODE(status.st_mode) == stat.S_IRWXU
            and status.st_uid == os.getuid()
        )
    except (OSError, ValueError):
        return None
    mark: Any = read_json(folder / _MARK) if made_here else None
    if not isinstance(mark, dict) or mark.get("store") != store:
        return None
    return None if mark_of(mark.get("driver")).alive() else folder


def remove_session(folder: Path) -> None:
    """Removes the folder of a session that is this process's own or `own_session` gave."""
    shutil.rmtree(folder, ignore_errors=True)


def end_processes(session: Path) -> None:
    """Ends all processes that were started in a session, except the calling one.

    Ray's own agents outlive a driver that was killed, by about a minute (Ray 2.60).
    """
    for process in processes(session):
        with contextlib.suppress(psutil.Error):
            # psutil checks that the number still belongs to this process.
            process.kill()


def processes(session: Path) -> list[psutil.Process]:
    """All processes of this user that were started in a session, except the calling one."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if (
                process.pid != os.getpid()
                and process.uids().real == os.getuid()
                and _belongs(process, str(session))
            ):
                found.append(process)
    return found


def _belongs(process: psutil.Process, session: str) -> bool:
    """Whether a process has the session in its environment.

    Ray's processes overwrite it with their titles; an open file in its folder identifies them.
    """
    if process.environ().get(SESSION_VARIABLE) == session:
        return True
    titled = process.cmdline()[:1]
    if not titled or not titled[0].startswith("ray::"):
        return False
    return any(
        str(file.readlink()).startswith(f"{session}{os.sep}")
        for file in Path(f"/proc/{process.pid}/fd").iterdir()
    )
