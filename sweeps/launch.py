"""One launch on Ray Tune: each trial leaves its record, and anything may be killed."""

import contextlib
import itertools
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from types import FrameType
from typing import Any

from sweeps.errors import StoreError
from sweeps.execution import Ended, Execution
from sweeps.failures import TrialEnd, common_failure
from sweeps.files import in_words
from sweeps.heartbeat import heartbeats, stop_file
from sweeps.launches import new_launch, note_launch
from sweeps.plan import Plan, Trial
from sweeps.processes import now, this_process
from sweeps.progress import Progress, progress
from sweeps.ray_local import ray_session
from sweeps.record import TrialRecord
from sweeps.running import Job, Ran, RunSettings, drop_passing_artifacts
from sweeps.session import end_processes, remove_session
from sweeps.store import Store

GRACE_SECONDS = 10.0
"""How long trials may take to notice an interruption, and to save where they are, before their
processes are ended; a second interruption ends them at once."""

OnProgress = Callable[[Progress], None]
OnRecord = Callable[[TrialRecord], None]


class Launch:
    """One launch: its jobs, what came of them, and the thread that tells about it."""

    def __init__(
        self,
        *,
        plan: Plan,
        store: Store,
        function: str,
        settings: RunSettings,
        todo: list[Trial],
        on_progress: OnProgress | None,
        on_record: OnRecord | None,
    ) -> None:
        self.plan, self.store, self.settings, self.todo = plan, store, settings, todo
        self.on_progress, self.on_record = on_progress, on_record
        self.name = new_launch()
        self.folder = store.running / self.name
        me = this_process()
        self.jobs = [
            Job(
                study=plan.study,
                scale=plan.scale,
                launch=self.name,
                function=function,
                settings=settings,
                store=str(store.path),
                driver=(me.pid, me.began, me.host),
                trials=tuple(trials),
            )
            for trials in _by_first_stage(todo)
        ]
        self.ran: dict[str, Ran] = {}
        self.died: list[str] = []
        self.trouble: str | None = None
        self.interrupted = False
        self.told: set[str] = set()
        self.callback_error: BaseException | None = None

    def __reduce__(self) -> tuple[type[object], tuple[()]]:
        # Tune keeps its stopper in a file that nobody reads, and ours cannot be kept.
        return object, ()

    def run(self, session: Path) -> Execution:
        """Runs all jobs in a session folder, which is removed at the end."""
        clock = time.perf_counter()
        self.store.note_lock(session=str(session))
        note_launch(
            self.store,
            self.plan.label,
            launch=self.name,
            began=now(),
            command=self.settings.command,
            trials=len(self.todo),
            slots=self.settings.slots,
            threads=self.settings.threads,
            load_average=[round(value, 2) for value in os.getloadavg()],
        )
        over = threading.Event()
        teller = threading.Thread(target=self._tell, args=(over,), name="teller", daemon=True)
        teller.start()
        try:
            self._rounds(session)
        except KeyboardInterrupt:
            self.interrupted = True
        finally:
            over.set()
            self._clear(session)
            teller.join()
        if self.callback_error is not None:
            raise self.callback_error
        execution = self._result(time.perf_counter() - clock)
        with contextlib.suppress(StoreError):
            note_launch(
                self.store,
                self.plan.label,
                launch=self.name,
                ended=now(),
                finished=len(execution.finished),
                failed=len(execution.failed),
                died=len(execution.died),
                left=len(execution.left),
                interrupted=execution.interrupted,
                stopped=execution.stopped,
            )
        return execution

    def _rounds(self, session: Path) -> None:
        """Runs all jobs; trials whose worker died before their turn get another round."""
        # Twice, since Ray takes the signals over when it starts.
        with _interruptible(), ray_session(session, self.settings), _interruptible():
            jobs = self.jobs
            try:
                while jobs and self.trouble is None:
                    heard = len(self.ran)
                    self._round(jobs, session)
                    jobs = self._after_deaths(jobs)
                    if len(self.ran) == heard and jobs and self.trouble is None:
                        self.trouble = (
                            "every worker ended before its first trial did; run one trial by itself"
                            f" to see why, or look at the logs in {self.store.running}"
                        )
            except KeyboardInterrupt:
                self.interrupted = True
                self._ask_to_stop()

    def _round(self, jobs: list[Job], session: Path) -> None:
        from ray import tune

        from sweeps.worker import Worker

        files: list[str] = []
        with in_words(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            for number, job in enumerate(jobs):
                file = self.folder / f"{number:05d}.json"
                file.write_text(job.model_dump_json(), encoding="utf-8")
                files.append(str(file))
        launch = self

        class Stop(tune.Stopper):
            """Hears of every result, too: given a callback, Tune imports each tracker it knows."""

            def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
                del trial_id
                launch.note(result.get("ended"))
                return False

            def stop_all(self) -> bool:
                return launch.trouble is not None

        tuner = tune.Tuner(
            tune.with_resources(Worker, {"cpu": 1, "gpu": self.settings.gpus}),
            param_space={"job": tune.grid_search(files)},
            tune_config=tune.TuneConfig(
                reuse_actors=True, trial_dirname_creator=lambda trial: trial.trial_id[-8:]
            ),
            run_config=tune.RunConfig(
                name=str(len(self.died)),
                storage_path=str(session / "tune"),
                verbose=0,
                stop=Stop(),
                failure_config=tune.FailureConfig(max_failures=0),
                checkpoint_config=tune.CheckpointConfig(
                    checkpoint_frequency=0, checkpoint_at_end=False
                ),
            ),
        )
        tuner.fit()

    def note(self, ended: Any) -> None:
        """Takes down how a trial ended, as its worker reported."""
        if ended is None:
            return
        key, state, text, attempt = ended
        if state == "trouble":
            self.trouble = str(text)
        elif state != "stopped":
            self.ran[str(key)] = Ran(str(key), state, text, attempt)
            self.trouble = self.trouble or common_failure(self._ends(), self.settings.slots)

    def _ends(self) -> list[TrialEnd]:
        cells = {trial.key: trial.cell for trial in self.todo}
        return [
            TrialEnd(cells[key], "finished" if ran.state == "finished" else "failed", ran.error)
            for key, ran in itertools.islice(self.ran.items(), self.settings.slots + 1)
        ]

    def _after_deaths(self, jobs: list[Job]) -> list[Job]:
        """Marks the trial at which each dead worker was; gives the jobs of those behind it."""
        rest: list[Job] = []
        for job in jobs:
            unheard = [trial for trial in job.trials if trial.key not in self.ran]
            if not unheard or self.trouble is not None:
                continue
            # A worker may die after its record is in place and before it says so.
            first, *behind = unheard
            record = self._record_of_this_launch(first.key)
            if record is not None:
                self.ran[first.key] = Ran(first.key, record.state, record.error, record.attempt)
            else:
                self.died.append(first.key)
                (self.store.running / f"{first.key}.json").unlink(missing_ok=True)
            if behind:
                rest.append(job.model_copy(update={"trials": tuple(behind)}))
        return rest

    def _record_of_this_launch(self, key: str) -> TrialRecord | None:
        found = [record for record in self.store.records([key]) if record.launch == self.name]
        return found[-1] if found else None

    def _ask_to_stop(self) -> None:
        with contextlib.suppress(OSError):
            stop_file(self.store.running, self.name).touch()
        until = time.monotonic() + GRACE_SECONDS
        while time.monotonic() < until and self._own_heartbeats():
            time.sleep(0.05)

    def _own_heartbeats(self) -> list[dict[str, Any]]:
        return [note for note in heartbeats(self.store.running) if note.get("launch") == self.name]

    def _clear(self, session: Path) -> None:
        end_processes(session)
        for note in self._own_heartbeats():
            (self.store.running / f"{note['key']}.json").unlink(missing_ok=True)
        stop_file(self.store.running, self.name).unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.settings.keep == "none":
            for job in self.jobs:
                drop_passing_artifacts(job, self.store)
        remove_session(session)

    def _tell(self, over: threading.Event) -> None:
        """Calls back, from this thread only: each record once, the progress every second."""
        try:
            while not over.wait(1.0):
                self._tell_once()
            self._tell_once()
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
            self.callback_error = error

    def _tell_once(self) -> None:
        for key, ran in list(self.ran.items()):
            if key not in self.told and self.on_record is not None:
                record = self.store.record(key, ran.attempt)
                if record is not None:
                    self.on_record(record)
            self.told.add(key)
        if self.on_progress is not None:
            self.on_progress(
                progress(self.store, self.plan, slots=self.settings.slots, since=self.name)
            )

    def _result(self, seconds: float) -> Execution:
        trials = {trial.key: trial for trial in self.todo}

        def ended(key: str, why: str, log: Path) -> Ended:
            return Ended(key, trials[key].cell, trials[key].seed, why, log)

        return Execution(
            launch=self.name,
            finished=tuple(key for key, ran in self.ran.items() if ran.state == "finished"),
            failed=tuple(
                ended(key, ran.error or "", self.store.trials / key / f"{ran.attempt:03d}/log.txt")
                for key, ran in self.ran.items()
                if ran.state == "failed"
            ),
            died=tuple(
                ended(
                    key,
                    "its process ended without a word (killed, or out of memory)",
                    self.store.running / f"{key}.log",
                )
                for key in self.died
            ),
            left=tuple(key for key in trials if key not in self.ran and key not in self.died),
            interrupted=self.interrupted,
            stopped=self.trouble,
            seconds=seconds,
        )


def _by_first_stage(trials: Iterable[Trial]) -> list[list[Trial]]:
    """Trials in the plan's order, those that share their first stage behind the first of them."""
    together: dict[str, list[Trial]] = {}
    for trial in trials:
        together.setdefault(trial.stages[0].key, []).append(trial)
    return list(together.values())


@contextlib.contextmanager
def _interruptible() -> Generator[None]:
    """SIGINT and SIGTERM raise KeyboardInterrupt in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise KeyboardInterrupt

    before = {one: signal.signal(one, interrupt) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
