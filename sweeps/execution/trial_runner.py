"""One trial from start to record, in the calling process."""

import contextlib
import importlib
import io
import os
import platform
import sys
import traceback
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal, NamedTuple, TextIO

from pydantic import Field

from sweeps.base import Frozen
from sweeps.errors import LaunchError, NeedsRoom, StoreError
from sweeps.execution.budget import Limit
from sweeps.execution.heartbeat import Heartbeat
from sweeps.execution.peak_memory import PeakMemory
from sweeps.execution.trial_context import Outcome, TrialContext, TrialFunction
from sweeps.jsonable import number, plain
from sweeps.planning import Trial
from sweeps.processes import ProcessMark
from sweeps.record import State, TrialRecord
from sweeps.storage import Store, as_store_error


class RunSettings(Frozen):
    """How trials are run; none of these settings is part of a key."""

    slots: int = Field(1, ge=1)
    """Trials at a time."""

    workers: int | None = Field(default=None, ge=1)
    """Worker processes, which share the slots evenly; None gives each slot a process of its own."""

    threads: int = Field(1, ge=1)
    """Threads of a trial (OMP_NUM_THREADS and similar variables in the worker)."""

    gpus: float = Field(0.0, ge=0)
    """GPUs of a worker; a fraction lets workers share one."""

    payload: dict[str, Any] = Field(default_factory=dict)
    """Values passed to every trial, as JSON."""

    keep: Literal["none", "last"] = "last"
    """Whether the artifacts of stages stay in the store."""

    provenance: dict[str, Any] = Field(default_factory=dict)
    """Code, packages and machine for the records; see `sweeps.provenance.collect`."""

    command: str | None = None
    """The command that launched it, for people."""

    @property
    def packed(self) -> bool:
        """Whether a worker runs several trials at a time."""
        return self.workers is not None and self.workers < self.slots

    def shares(self, trials: int | None = None) -> list[int]:
        """Trials at a time in each worker, which differ by one at most; no more workers than trials."""
        return even_shares(min(self.slots, trials or self.slots), self.workers)


def even_shares(slots: int, workers: int | None) -> list[int]:
    """The slots of each worker, the larger shares first; none is idle, and None stands for one each."""
    num = min(workers or slots, slots)
    return [-(-(slots - place) // num) for place in range(num)]


class Job(Frozen):
    """Trials that run one after the other in one worker because they share their first stage."""

    study: str
    scale: str | None
    variation: str
    launch: str
    function: str
    settings: RunSettings
    store: str
    driver: ProcessMark | None
    """The process whose death ends the worker; None in the driver itself."""
    trials: tuple[Trial, ...]
    limit: Limit | None = None
    """The budget's, for these trials; None: they may begin at any time."""


class TrialResult(NamedTuple):
    """How a trial ended: with a record, or without one because it was stopped or died."""

    key: str
    state: State | Literal["stopped", "died"]
    error: str | None = None
    attempt: int = 0


LogTo = Callable[[Path], AbstractContextManager[None]]
"""Within it what the trial prints goes to the file."""


def run_trial(
    job: Job,
    trial: Trial,
    store: Store,
    *,
    log_to: LogTo | None = None,
    give_way: Callable[[], None] | None = None,
) -> TrialResult:
    """Runs a trial of a job and commits its record.

    An error of the trial gives a failed record. `log_to` sends its output to its log; by default the
    output of the whole process goes there. `give_way` is called each time the trial asks whether it
    should stop; other trials of this process may run then.

    Raises:
        StoreError: the store cannot be used; there is no record.
        NeedsRoom: the trial needs the memory of others in this process; there is no record.
        LaunchError: every trial would fail in the same way, according to the trial function; there is
            no record.
    """
    log = store.running / f"{trial.key}.log"
    with as_store_error(log):
        log.parent.mkdir(parents=True, exist_ok=True)
        log.unlink(missing_ok=True)
    with Heartbeat(
        store.running, trial, study=job.study, launch=job.launch, driver=job.driver
    ) as heartbeat:
        context = TrialContext(
            trial,
            store,
            job.settings.payload,
            launch=job.launch,
            lasting=job.settings.keep == "last",
            heartbeat=heartbeat,
            give_way=give_way,
        )
        # Of trials that share a process no one's own is known.
        memory = PeakMemory() if give_way is None else None
        with (log_to or process_log)(log):
            outcome, error = _call(job.function, context)
        if context.stopped:
            return TrialResult(trial.key, "stopped")
        record = _record(job, context, outcome, error).model_copy(
            update={"peak_memory": memory and memory.num_bytes()}
        )
        record = store.commit(record, log, context.files)
        context.drop_checkpoints()
    return TrialResult(trial.key, record.state, record.error, record.attempt)


def run_in_worker(
    job: Job,
    trial: Trial,
    store: Store,
    *,
    log_to: LogTo | None = None,
    give_way: Callable[[], None] | None = None,
) -> TrialResult:
    """`run_trial` in a worker, which outlives an interruption of its trial.

    KeyboardInterrupt and its like are no error of the trial, so they leave no record: it died, and
    runs again with the next launch. The traceback is in its log.
    """
    try:
        return run_trial(job, trial, store, log_to=log_to, give_way=give_way)
    except Exception:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever passes by `Exception`
        log = store.running / f"{trial.key}.log"
        if log.exists():  # it moves when the record is written
            with log.open("a", encoding="utf-8") as file:
                traceback.print_exc(file=file)
        why = f"{type(error).__name__} interrupted it; the traceback is in the log"
        return TrialResult(trial.key, "died", why)


def drop_temporary_artifacts(job: Job, store: Store) -> None:
    """Removes the artifacts of a job's stages that were saved for its launch only."""
    for trial in job.trials:
        for stage in trial.stages:
            made = store.manifest(stage.name, stage.key)
            if made is not None and not made.get("lasting", True):
                store.drop_artifact(stage.name, stage.key)


def _call(name: str, context: TrialContext) -> tuple[Outcome, str | None]:
    try:
        module, _, attribute = name.partition(":")
        function: TrialFunction = getattr(importlib.import_module(module), attribute)
        outcome: Any = function(context)
        if not isinstance(outcome, Outcome):
            raise TypeError(f"{name} must return an Outcome, got {type(outcome).__name__}")  # noqa: TRY301
        for value in outcome.values.values():
            number(value)
    except (StoreError, LaunchError, NeedsRoom):
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a trial raises is its failure
        traceback.print_exc()
        lines = str(error).strip().splitlines()
        return Outcome({}), f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
    return outcome, None


def _record(job: Job, context: TrialContext, outcome: Outcome, error: str | None) -> TrialRecord:
    trial, settings = context.trial, job.settings
    seconds, own = context.spent()
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
        started=context.started,
        seconds=round(seconds, 3),
        own_seconds=None if own is None else round(own, 3),
        earlier_seconds=round(context.earlier_seconds, 3),
        attempt=1,
        launch=job.launch,
        reused=tuple(context.reused),
        facts={**facts, "unknown": unknown} if unknown else facts,
        curve=context.curve(),
        log="",
        provenance={
            **settings.provenance,
            "host": platform.node(),
            "load_average": context.load_average,
            "threads": settings.threads,
            "slots": settings.slots,
        },
        notes=tuple(context.notes),
        chain=context.chain,
    )


@contextlib.contextmanager
def process_log(log: Path) -> Generator[None]:
    """Sends what the process prints to the log: Python's streams and the system's."""
    with log.open("w", encoding="utf-8", buffering=1) as file, contextlib.ExitStack() as stack:
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor in (1, 2):
            before = os.dup(descriptor)
            stack.callback(os.close, before)
            stack.callback(os.dup2, before, descriptor)
            os.dup2(file.fileno(), descriptor)
        stack.enter_context(contextlib.redirect_stdout(file))
        stack.enter_context(contextlib.redirect_stderr(file))
        yield


@contextlib.contextmanager
def log_and_terminal(log: Path) -> Generator[None]:
    """Sends what Python prints to the log and to the terminal."""
    with (
        log.open("w", encoding="utf-8", buffering=1) as file,
        contextlib.redirect_stdout(_TeeStream(sys.stdout, file)),
        contextlib.redirect_stderr(_TeeStream(sys.stderr, file)),
    ):
        yield


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
        """Writes to the terminal; if it is gone (a closed pipe), the trial does not fail."""
        if self._terminal is not None:
            try:
                self._terminal.write(text)
                self._terminal.flush()
            except OSError:
                self._terminal = None
