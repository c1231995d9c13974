"""Several trials at once in one worker process: threads that take turns, each with its own trial."""

import queue
import sys
import threading
from collections import deque
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from sweeps.base import Frozen
from sweeps.errors import NeedsRoom, SweepError
from sweeps.execution.budget import may_begin
from sweeps.execution.trial_runner import (
    Job,
    TrialResult,
    drop_temporary_artifacts,
    run_in_worker,
)
from sweeps.execution.turns import Turns
from sweeps.storage import Store


class Pack(Frozen):
    """The jobs of one worker, and how many of them run at once."""

    jobs: tuple[Job, ...] = ()
    shared: Path | None = None
    """A folder of further jobs, each of which goes to the first worker that asks for one."""

    members: int


HELD = "held"
"""How a trial ended that did not begin, because its launch holds further trials back."""

Ended = tuple[str, str, str | None, int]
"""A trial that ended: its key, how, its error or the trouble that stopped the launch, its attempt."""


class PackRun:
    """Runs the jobs of a pack; a member that ends its job takes the next one."""

    def __init__(self, pack: Pack) -> None:
        self._jobs, self._shared = deque(pack.jobs), pack.shared
        self._turns = Turns()
        self._ended: queue.SimpleQueue[TrialResult | Ended | BaseException | None] = (
            queue.SimpleQueue()
        )
        self._over = False
        self._members = [
            threading.Thread(target=self._member, name=f"member {number}", daemon=True)
            for number in range(pack.members)
        ]
        self._running = len(self._members)

    def results(self) -> Generator[Ended]:
        """Each trial's result as soon as it is there.

        Raises:
            BaseException: what a member raised that is no trial's failure; the others end their
                trials, which leave records.
        """
        left = len(self._members)
        for member in self._members:
            member.start()
        crash: BaseException | None = None
        while left:
            ended = self._ended.get()
            if ended is None:
                left -= 1
            elif isinstance(ended, BaseException):
                crash = ended
            else:
                key, state, text, attempt = ended
                yield key, state, text, attempt
        if crash is not None:
            raise crash

    def _member(self) -> None:
        try:
            with self._turns:
                while not self._over and (job := self._next_job()) is not None:
                    try:
                        self._run(job)
                    except _Leaves:
                        break
                self._running -= 1
        except BaseException as error:  # noqa: BLE001 - raised again by the worker's thread
            self._over = True
            self._ended.put(error)
        finally:
            self._ended.put(None)

    def _next_job(self) -> Job | None:
        """Those of its own come last: they wait until there is more memory."""
        job = None if self._shared is None else take_job(self._shared)
        if job is None and self._jobs:
            job = self._jobs.popleft()
        return job

    def _run(self, job: Job) -> None:
        store = Store(job.store)
        for place, trial in enumerate(job.trials):
            if not may_begin(job.limit, trial.key, store.running, job.launch):
                self._over = True
                self._ended.put((trial.key, HELD, None, 0))
            if self._over:
                return
            company = self._turns.give_way if self._running > 1 else None
            try:
                ran = run_in_worker(job, trial, store, log_to=thread_log, give_way=company)
                if trial is job.trials[-1]:
                    drop_temporary_artifacts(job, store)
            except NeedsRoom:
                # It is tried again when there are fewer members, and by the last one alone.
                self._jobs.append(job.model_copy(update={"trials": job.trials[place:]}))
                if self._running > 1:
                    raise _Leaves from None
                return
            except SweepError as error:
                self._over = True
                self._ended.put((trial.key, "trouble", str(error), 0))
                return
            self._over = self._over or ran.state == "stopped"
            self._ended.put(ran)


def put_jobs(folder: Path, jobs: Iterable[Job]) -> None:
    """Writes jobs to a new folder, to be taken in this order."""
    folder.mkdir()
    for number, job in enumerate(jobs):
        (folder / f"{number:06d}.json").write_text(job.model_dump_json(), encoding="utf-8")


def take_job(folder: Path) -> Job | None:
    """The next job of a folder, which no other process gets; None if there is none left."""
    for file in sorted(folder.glob("*.json")):
        taken = file.with_suffix(".taken")
        try:
            file.rename(taken)
        except FileNotFoundError:
            continue  # another worker was first
        return Job.model_validate_json(taken.read_text(encoding="utf-8"))
    return None


class _Leaves(Exception):
    """This member ends, so that the others have more memory."""


@contextmanager
def thread_log(log: Path) -> Generator[None]:
    """Sends what the calling thread prints to the log; what passes Python by is the worker's."""
    streams = [_ThreadStream.in_place_of(name) for name in ("stdout", "stderr")]
    with log.open("w", encoding="utf-8", buffering=1) as file:
        for stream in streams:
            stream.files[threading.get_ident()] = file
        try:
            yield
        finally:
            for stream in streams:
                del stream.files[threading.get_ident()]


class _ThreadStream:
    """A standard stream that writes to the calling thread's file, if it has one."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.files: dict[int, TextIO] = {}

    @classmethod
    def in_place_of(cls, name: str) -> "_ThreadStream":
        found: Any = getattr(sys, name)
        if not isinstance(found, cls):
            found = cls(found)
            setattr(sys, name, found)
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self.files.get(threading.get_ident(), self._stream), name)
