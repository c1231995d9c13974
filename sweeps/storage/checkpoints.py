"""Checkpoints of stages: the state of an interrupted trial, from which the next launch resumes.

One file for each stage and key: a line of JSON (who made it, its size and hash), then the stage's
bytes. A checkpoint is a convenience: if one is damaged or cannot be written, this is logged and the
trial does not fail.
"""

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from sweeps.record import Summary
from sweeps.storage.atomic_io import read_bytes, write_bytes, write_failure
from sweeps.storage.seals import SEAL, is_whole, sealed


class Spent(NamedTuple):
    """The time that a trial took."""

    seconds: float
    """Elapsed; other trials of its process may have run meanwhile."""
    own: float | None
    """Of its own turns; None where an earlier version did not count it."""


NOTHING = Spent(0.0, 0.0)


class StageCheckpoint:
    """The checkpoint of one stage of a running trial."""

    def __init__(
        self,
        file: Path,
        *,
        trial: str,
        launch: str,
        rerun: bool,
        spent: Callable[[], Spent],
        log: Callable[[str], None],
        on_resume: Callable[[], None],
    ) -> None:
        """`spent` by the trial so far; with `rerun`, only this launch's checkpoint counts.

        `on_resume` is called whenever `earlier` changes.
        """
        self._file, self._trial, self._launch, self._rerun = file, trial, launch, rerun
        self._spent, self._log, self._on_resume = spent, log, on_resume
        self._complained = False
        self.earlier = NOTHING
        """Spent on what `load` returned; nothing once it is refused."""

    def load(self) -> bytes | None:
        """The last saved state; None if there is none or it is damaged."""
        try:
            about, packed = _read(self._file)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            self.refuse(f"cannot be read ({type(error).__name__}: {error})")
            return None
        if self._rerun and about["launch"] != self._launch:
            return None
        self.earlier = _spent(about)
        self._on_resume()
        self._log(f"resuming from {self._file}, saved by launch {about['launch']}")
        return packed

    def save(self, packed: bytes) -> None:
        """Replaces the saved state atomically.

        A disk that is full or read-only is logged once, and the previous checkpoint stays.
        """
        seconds, own = self._spent()
        about = {
            "of": self._file.name,
            "trial": self._trial,
            "launch": self._launch,
            "seconds": round(seconds, 3),
            "own_seconds": None if own is None else round(own, 3),
            "size": len(packed),
            "sha256": sha256(packed).hexdigest(),
        }
        try:
            write_bytes(self._file, json.dumps(sealed(about)).encode(), b"\n", packed)
        except OSError as error:
            if not self._complained:
                self._log(f"no checkpoint was saved: {write_failure(error, self._file)}")
            self._complained = True

    def refuse(self, why: str) -> None:
        """Removes the checkpoint, because the state that `load` returned cannot be used."""
        self._log(f"the checkpoint {self._file} {why}; the stage starts from scratch")
        self.earlier = NOTHING
        self._on_resume()
        self.drop()

    def drop(self) -> None:
        """Removes it, if it is there."""
        with suppress(OSError):
            self._file.unlink(missing_ok=True)


def drop_done(
    folder: Path, artifacts: dict[str, frozenset[str]], records: Iterable[Summary]
) -> None:
    """Removes the checkpoints in a folder that no trial can need.

    Their stage's artifact is available, or their trial left a record in the launch that saved them:
    a process was killed before it could remove them.
    """
    files = [file for file in folder.glob("*-*") if file.is_file() and file.name[0] != "."]
    if not files:
        return
    recorded = {(record.key, record.launch) for record in records}
    for file in files:
        stage, _, key = file.name.rpartition("-")
        with suppress(OSError):
            if key in artifacts.get(stage, ()) or _maker(file) in recorded:
                file.unlink()


def _maker(file: Path) -> tuple[str, str] | None:
    """The trial and launch that saved a checkpoint; None if it cannot be read."""
    try:
        with file.open("rb") as opened:
            about = json.loads(opened.readline())
        return about["trial"], about["launch"]
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _read(file: Path) -> tuple[dict[str, Any], bytes]:
    line, _, packed = read_bytes(file).partition(b"\n")
    about: Any = json.loads(line)
    if not isinstance(about, dict):
        raise TypeError("its first line is not a mapping")
    # Earlier versions did not seal it, nor name its file.
    if SEAL in about and not is_whole(about):
        raise ValueError("its first line changed")
    if about.get("of", file.name) != file.name:
        raise ValueError(f"it belongs to {about['of']}")
    if len(packed) != about["size"]:
        raise ValueError(f"{len(packed)} of {about['size']} bytes")
    if sha256(packed).hexdigest() != about["sha256"]:
        raise ValueError("its content changed")
    _ = _spent(about), about["launch"]
    return about, packed


def _spent(about: dict[str, Any]) -> Spent:
    own = about.get("own_seconds")
    return Spent(float(about["seconds"]), None if own is None else float(own))
