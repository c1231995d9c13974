"""One trial from start to record, in whatever process calls."""

import contextlib
import importlib
import io
import os
import platform
import sys
import time
import traceback
from collections.abc import Generator
from pathlib import Path
from typing import Any, Literal, NamedTuple, TextIO

from pydantic import Field

from sweeps.base import Frozen
from sweeps.errors import LaunchError, StoreError
from sweeps.execution.heartbeat import Heartbeat
from sweeps.execution.trial_context import Outcome, TrialContext, TrialFunction
from sweeps.jsonable import number, plain
from sweeps.planning import Trial
from sweeps.processes import ProcessMark, now
from sweeps.provenance import load_average
from sweeps.record import State, TrialRecord
from sweeps.storage import Store, as_store_error


class RunSettings(Frozen):
    """How trials are run; nothing here enters a key."""

    slots: int = Field(1, ge=1)
    """Trials at a time, each in a process of its own."""

    threads: int = Field(1, ge=1)
    """Threads of a trial (OMP_NUM_THREADS and its like in the worker)."""

    gpus: float = Field(0.0, ge=0)
    """GPUs of a trial; a fraction lets trials share one."""

    payload: dict[str, Any] = Field(default_factory=dict)
    """Handed to every trial; JSON."""

    keep: Literal["none", "last"] = "last"
    """Whether the artifacts of stages stay in the store."""

    provenance: dict[str, Any] = Field(default_factory=dict)
    """What the records say of code, packages and machine; see `sweeps.provenance.collect`."""

    command: str | None = None
    """The command that launched it, for people."""


class Job(Frozen):
    """Trials that run one after the other in one worker, since they share their first stage."""

    study: str
    scale: str | None
    variation: str = ""
    launch: str
    function: str
    settings: RunSettings
    store: str
    driver: tuple[int, str, str] | None
    trials: tuple[Trial, ...]


class TrialResult(NamedTuple):
    """How a trial ended: with a record, or stopped without one."""

    key: str
    state: State | Literal["stopped"]
    error: str | None = None
    attempt: int = 0


def run_trial(job: Job, trial: Trial, store: Store, *, echo: bool = False) -> TrialResult:
    """Runs a trial of a job and leaves its record.

    Its own error makes a failed record; trouble with the store or of the whole launch is raised as
    StoreError or LaunchError and leaves no record. Its prints go to its log, and with `echo` to the
    terminal as well.
    """
    log = store.running / f"{trial.key}.log"
    driver = None if job.driver is None else ProcessMark(*job.driver)
    settings = job.settings
    with as_store_error(log):
        log.parent.mkdir(parents=True, exist_ok=True)
        log.unlink(missing_ok=True)
    started, clock, load = now(), time.perf_counter(), load_average()
    with Heartbeat(
        store.running, trial, study=job.study, launch=job.launch, driver=driver
    ) as heartbeat:
        context = TrialContext(
            trial,
            store,
            settings.payload,
            launch=job.launch,
            lasting=settings.keep == "last",
            heartbeat=heartbeat,
        )
        with _logged(log, echo=echo):
            outcome, error = _call(job.function, context)
        if context.stopped:
            return TrialResult(trial.key, "stopped")
        seconds = time.perf_counter() - clock + context.earlier_seconds
        record = _record(job, trial, context, outcome, error)
        record = record.model_copy(
            update={
                "started": started,
                "seconds": round(seconds, 3),
                "earlier_seconds": round(context.earlier_seconds, 3),
                "provenance": {
                    **settings.provenance,
                    "host": platform.node(),
                    "load_average": load,
                    "threads": settings.threads,
                    "slots": settings.slots,
                },
            }
        )
        record = store.commit(record, log, context.files)
        context.drop_checkpoints()
    return TrialResult(trial.key, record.state, record.error, record.attempt)


def drop_temporary_artifacts(job: Job, store: Store) -> None:
    """Removes what a job's stages made if it was not to last."""
    for trial in job.trials:
        for stage in trial.stages:
            made = store.manifest(stage.name, stage.key)
            if made is not None and not made.get("lasting", True):
                store.drop_artifact(stage.name, stage.key)


def _call(name: str, context: TrialContext) -> tuple[Outcome, str | None]:
    try:
        outcome: Any = _load(name)(context)
        if not isinstance(outcome, Outcome):
            raise TypeError(f"{name} must return an Outcome, got {type(outcome).__name__}")  # noqa: TRY301
        for value in outcome.values.values():
            number(value)
    except (StoreError, LaunchError):
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a trial raises is its failure
        traceback.print_exc()
        lines = str(error).strip().splitlines()
        return Outcome({}), f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
    return outcome, None


def _load(name: str) -> TrialFunction:
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _record(
    job: Job, trial: Trial, context: TrialContext, outcome: Outcome, error: str | None
) -> TrialRecord:
    values = {name: number(value) for name, value in outcome.values.items()}
    facts = plain(dict(outcome.facts))
    unknown = {
        name: "not measured" if outcome.values[name] is None else "not a finite number"
        for name, value in values.items()
        if value is None
    }
    return TrialRecord(
        key=trial.key,
        study=job.study,
        scale=job.scale,
        variation=job.variation,
        cell=trial.cell,
        role=trial.role,
        levels=trial.levels,
        seed=trial.seed,
        config=plain(trial.config),
        stages=trial.stages,
        state="finished" if error is None else "failed",
        values=values,
        error=error,
        started=now(),
        seconds=0.0,
        attempt=1,
        launch=job.launch,
        reused=tuple(context.reused),
        facts={**facts, "unknown": unknown} if unknown else facts,
        curve=context.curve(),
        log="",
        provenance={},
        notes=tuple(context.notes),
        chain=context.chain,
    )


@contextlib.contextmanager
def _logged(log: Path, *, echo: bool) -> Generator[None]:
    """Sends what is printed to the log: Python's streams, and without `echo` also the system's."""
    with log.open("w", encoding="utf-8", buffering=1) as file:
        if echo:
            with (
                contextlib.redirect_stdout(_TeeStream(sys.stdout, file)),
                contextlib.redirect_stderr(_TeeStream(sys.stderr, file)),
            ):
                yield
            return
        sys.stdout.flush()
        sys.stderr.flush()
        before = [os.dup(1), os.dup(2)]
        try:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            with contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
                yield
        finally:
            for number_, descriptor in enumerate(before, start=1):
                os.dup2(descriptor, number_)
                os.close(descriptor)


class _TeeStream(io.TextIOBase):
    """Writes to the terminal and to the log."""

    def __init__(self, terminal: TextIO, log: TextIO) -> None:
        super().__init__()
        self._terminal: TextIO | None = terminal
        self._log = log

    def write(self, text: str) -> int:
        self._log.write(text)
        self._show(text)
        return len(text)

    def flush(self) -> None:
        self._log.flush()
        self._show("")

    def _show(self, text: str) -> None:
        """A terminal that has gone away (a closed pipe) is no trouble of the trial's."""
        if self._terminal is not None:
            try:
                self._terminal.write(text)
                self._terminal.flush()
            except OSError:
                self._terminal = None
