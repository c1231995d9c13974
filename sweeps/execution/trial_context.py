"""The interface for a running trial; structurally a trainer's observer, without importing one."""

import errno
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sweeps.errors import StoreError
from sweeps.execution.heartbeat import Heartbeat
from sweeps.jsonable import number, plain
from sweeps.planning import Trial
from sweeps.processes import now
from sweeps.provenance import load_average
from sweeps.record import Stage, TrialRecord, is_plain_name
from sweeps.storage import (
    Spent,
    StageCheckpoint,
    Store,
    artifact_can_be_checked,
    artifact_fault,
    write_failure,
)

_STORE_TROUBLE = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG),
    *(errno.EACCES, errno.EPERM, errno.EROFS),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The return value of a trial function."""

    values: Mapping[str, float | None]
    """Final values; None and NaN mean unknown."""

    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Facts beyond numbers, as JSON. `data`, if given, identifies the data set in trackers by its
    `name` and `fingerprint`."""


class TrialContext:
    """A running trial: its configuration, its place in the store, and its reports.

    A trial with `rerun` does not use artifacts and checkpoints of earlier launches.
    """

    def __init__(
        self,
        trial: Trial,
        store: Store,
        payload: Mapping[str, Any],
        *,
        launch: str,
        lasting: bool,
        heartbeat: Heartbeat,
        give_way: Callable[[], None] | None = None,
    ) -> None:
        self.trial = trial
        self.config, self.seed = trial.config, trial.seed
        self.store = store
        self.started, self.load_average = now(), load_average()
        self.payload = payload
        """The values that the caller passed to all trials of the launch, such as the device."""
        self.reused: list[str] = []
        self.files: dict[str, bytes] = {}
        """Files of the record, name -> content; see `attach`."""
        self.notes: list[str] = []
        """Messages for the user about the store; they are part of the record."""
        self.chain: tuple[tuple[str, dict[str, Any]], ...] = ()
        self.stopped = False
        self._saved = set[str]()
        self._checked = set[str]()
        self._checkpoints: dict[str, StageCheckpoint] = {}
        self._began, self._waited = time.perf_counter(), 0.0
        self._launch, self._lasting, self._heartbeat = launch, lasting, heartbeat
        self._give_way = give_way
        self._rows: dict[int, dict[str, float | None]] = {}
        self._lock = threading.Lock()

    def identify(self, chain: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Records the (stage, identity) pairs from which the trial's keys come."""
        self.chain = tuple((name, plain(dict(identity))) for name, identity in chain)

    def metrics(self, step: int, values: Mapping[str, float | None]) -> None:
        """Adds numbers to the curve at a step, next to those already there."""
        finite = {name: number(value) for name, value in values.items()}
        with self._lock:
            self._rows.setdefault(int(step), {}).update(finite)
        self._heartbeat.metrics = {**self._heartbeat.metrics, **finite}

    def progress(self, done: float, total: float) -> None:
        """Reports the progress of the trial, in any unit."""
        self._heartbeat.done, self._heartbeat.total = float(done), float(total)

    @property
    def has_company(self) -> bool:
        """Whether other trials run in this process at the same time."""
        return self._give_way is not None

    def give_way(self) -> None:
        """Lets other trials of this process run first; their turns are not its own seconds."""
        if self._give_way is not None:
            began = time.perf_counter()
            self._give_way()
            self._waited += time.perf_counter() - began
            self._heartbeat.waited = self._waited

    def should_stop(self) -> bool:
        """Whether the launch was interrupted; the trial should then end now and writes no record.

        Other trials of the same process run before it returns.
        """
        self.give_way()
        self.stopped = self.stopped or self._heartbeat.stop.is_set()
        return self.stopped

    def log(self, text: str) -> None:
        """Writes a line to the trial's log, which also contains the trial's printed output."""
        print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)  # noqa: T201 - captured as the log

    def attach(self, name: str, content: bytes) -> None:
        """Adds a small file to the trial's record, whether the trial finishes or fails."""
        if not is_plain_name(name):
            raise ValueError(f"a file of a record must have a plain name, got {name!r}")
        self.files[name] = content

    # Artifacts

    def artifact(self, stage: str) -> Path | None:
        """The folder of a stage's artifact; None if the trial has to create it.

        An artifact that changed since it was saved, or was saved for another key, is set aside.
        """
        folder = self.store.artifact(stage, key := self._key(stage))
        made = self.store.manifest(stage, key)
        if made is not None and self.trial.rerun and made.get("launch") != self._launch:
            return None
        if stage not in self._saved | self._checked:
            if not folder.is_dir() or not any(folder.iterdir()):
                return None
            if (why := artifact_fault(folder, stage, key)) is not None:
                self.refuse(stage, why)
                return None
            self._checked.add(stage)
        if stage not in self.reused and stage not in self._saved:
            self.reused.append(stage)
        return folder

    def is_checked(self, stage: str) -> bool:
        """Whether a stage's artifact has hashes to check; earlier versions saved none."""
        return stage in self._saved or artifact_can_be_checked(
            self.store.artifact(stage, self._key(stage))
        )

    def save_artifact(self, stage: str, write: Callable[[Path], None]) -> None:
        """Saves the artifact of a stage: `write` fills an empty folder, which is then renamed into place.

        With `RunSettings.keep="none"` it is removed once the trials that share it are done. A trial
        that was stopped saves nothing, because its artifact may be incomplete.
        """
        key = self._key(stage)
        if self.stopped:
            return
        try:
            with self.store.save_artifact(
                stage, key, launch=self._launch, lasting=self._lasting
            ) as folder:
                write(folder)
            self._saved.add(stage)
            self.checkpoint(stage).drop()
        except OSError as error:
            if error.errno not in _STORE_TROUBLE:
                raise
            raise StoreError(write_failure(error, self.store.artifact(stage, key))) from error

    def refuse(self, stage: str, why: str) -> None:
        """Sets a stage's artifact aside as unusable; the trial creates it again."""
        before = len(self.store.messages)
        self.store.set_aside(self.store.artifact(stage, self._key(stage)), why)
        for message in self.store.messages[before:]:
            self.notes.append(f"{message}; it will be created again")
            self.log(self.notes[-1])
        del self.store.messages[before:]
        self.reused = [name for name in self.reused if name != stage]

    def records_of(self, stage: str) -> Iterator[TrialRecord]:
        """The finished records of all trials that share a stage with this one."""
        shared = Stage(name=stage, key=self._key(stage))
        keys = [one.key for one in self.store.summaries() if shared in one.stages]
        return (one for one in self.store.records(keys) if one.state == "finished")

    # Checkpoints

    def checkpoint(self, stage: str) -> StageCheckpoint:
        """The checkpoint from which an interrupted stage resumes.

        It is removed when the stage's artifact is saved, and when the trial writes its record.
        """
        if stage not in self._checkpoints:
            self._checkpoints[stage] = StageCheckpoint(
                self.store.checkpoint(stage, self._key(stage)),
                trial=self.trial.key,
                launch=self._launch,
                rerun=self.trial.rerun,
                spent=self.spent,
                log=self.log,
                on_resume=self._on_resume,
            )
        return self._checkpoints[stage]

    def drop_checkpoints(self) -> None:
        """Removes the checkpoints of all stages, once the trial has a record."""
        for stage in self.trial.stages:
            self.checkpoint(stage.name).drop()

    @property
    def earlier_seconds(self) -> float:
        """Seconds of earlier launches, up to the checkpoints from which this one resumed."""
        return self._earlier().seconds

    def spent(self) -> Spent:
        """The seconds of the trial in all launches: elapsed, and of its own turns."""
        here, (earlier, own) = time.perf_counter() - self._began, self._earlier()
        return Spent(here + earlier, None if own is None else here - self._waited + own)

    def _earlier(self) -> Spent:
        spent = [one.earlier for one in self._checkpoints.values()]
        own = [one.own for one in spent if one.own is not None]
        seconds = math.fsum(one.seconds for one in spent)
        return Spent(seconds, math.fsum(own) if len(own) == len(spent) else None)

    def _on_resume(self) -> None:
        self._heartbeat.earlier = self._earlier()

    def curve(self) -> dict[str, list[float | None]]:
        """The metrics so far as columns of equal length, by step."""
        with self._lock:
            rows = sorted(self._rows.items())
        names = list(dict.fromkeys(name for _, row in rows for name in row if name != "step"))
        steps: dict[str, list[float | None]] = {"step": [step for step, _ in rows]} if rows else {}
        return steps | {name: [row.get(name) for _, row in rows] for name in names}

    def _key(self, stage: str) -> str:
        keys = {known.name: known.key for known in self.trial.stages}
        if stage not in keys:
            raise ValueError(f"this trial has no stage {stage!r}; it has {', '.join(keys)}")
        return keys[stage]


TrialFunction = Callable[[TrialContext], Outcome]
"""Named to the engine as `module:name`, so that workers import it themselves."""
