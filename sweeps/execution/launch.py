"""One launch on Ray Tune: each trial leaves its record, and anything may be killed."""

import contextlib
import itertools
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sweeps.errors import StoreError
from sweeps.execution.crashes import why_it_died
from sweeps.execution.failures import TrialEnd, common_failure
from sweeps.execution.heartbeat import heartbeats, stop_file
from sweeps.execution.interrupts import interruptible
from sweeps.execution.notifier import Notifier, OnProgress, OnRecord
from sweeps.execution.ray_refusals import why_ray_refused
from sweeps.execution.ray_rounds import RayLostError, RayRefusedError, RayRounds, ray_log
from sweeps.execution.ray_session import end_processes, remove_session, removed_on_error
from sweeps.execution.result import Execution, UnfinishedTrial
from sweeps.execution.trial_runner import Job, RunSettings, TrialResult, drop_temporary_artifacts
from sweeps.planning import Plan, Trial
from sweeps.processes import now, this_process
from sweeps.provenance import load_average
from sweeps.record import TrialRecord
from sweeps.storage import Store, as_store_error, log_launch, new_launch

GRACE_SECONDS = 10.0
"""How long trials may take to notice an interruption, and to save where they are, before their
processes are ended; a second interruption ends them at once."""

RESTARTS = 3
"""How often in a row, without a trial that ends, a lost Ray is replaced by another one."""


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
                variation=plan.variation,
                launch=self.name,
                function=function,
                settings=settings,
                store=str(store.path),
                driver=(me.pid, me.began, me.host),
                trials=tuple(trials),
            )
            for trials in _by_first_stage(todo)
        ]
        self.ran: dict[str, TrialResult] = {}
        self.died: list[str] = []
        self.trouble: str | None = None
        self.interrupted = False
        self.rounds = 0
        self.numbers = itertools.count()

    def run(self, session: Path) -> Execution:
        """Runs all jobs in a session folder, which is removed at the end."""
        with removed_on_error(session):
            return self._run(session)

    def _run(self, session: Path) -> Execution:
        clock = time.perf_counter()
        self.store.note_holder(session=str(session))
        log_launch(
            self.store,
            self.plan.label,
            launch=self.name,
            began=now(),
            command=self.settings.command,
            trials=len(self.todo),
            slots=self.settings.slots,
            threads=self.settings.threads,
            load_average=load_average(),
        )
        with Notifier(
            self.plan,
            self.store,
            self.ran,
            launch=self.name,
            slots=self.settings.slots,
            on_progress=self.on_progress,
            on_record=self.on_record,
        ):
            try:
                with interruptible():
                    self._rounds(session)
            except KeyboardInterrupt:
                self.interrupted = True
            finally:
                self._clear(session)
        execution = self._result(time.perf_counter() - clock)
        with contextlib.suppress(StoreError):
            log_launch(
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
        """Runs all jobs; when Ray is lost, what is left goes on with another one."""
        jobs, lost = self.jobs, 0
        while jobs and self.trouble is None and not self.interrupted:
            heard = len(self.ran)
            try:
                jobs = self._with_one_ray(jobs, session)
            except RayLostError as error:
                jobs = self._left(jobs)
                lost = lost + 1 if len(self.ran) == heard else 1
                if lost > RESTARTS:
                    self.trouble = (
                        f"Ray was lost {lost} times before a trial ended (the last time {error});"
                        f" see {ray_log(self.store)}, and run again to go on"
                    )
            except RayRefusedError as error:
                lost += 1
                # Where one has run, another may: the machine was short of something for a moment.
                if self.rounds == 0 or lost > RESTARTS:
                    self.trouble = why_ray_refused(str(error), ray_log(self.store))

    def _with_one_ray(self, jobs: list[Job], session: Path) -> list[Job]:
        """Runs jobs with one Ray; those whose worker died before their turn get another round."""
        with RayRounds(session, self.store, self.settings) as ray:
            try:
                ray.start()
                while jobs and self.trouble is None:
                    heard = len(self.ran)
                    self.rounds += 1
                    ray.run(
                        self.rounds,
                        self._files(jobs),
                        launch=self.name,
                        on_ended=self.note,
                        enough=lambda: self.trouble is not None,
                    )
                    jobs = self._after_deaths(jobs)
                    if len(self.ran) == heard and jobs and self.trouble is None:
                        self.trouble = (
                            "every worker ended before its first trial did; run one trial by itself"
                            f" to see why, or look at the logs in {self.store.running}"
                        )
            except KeyboardInterrupt:
                self.interrupted = True
            if self.interrupted or self.trouble is not None:
                self._ask_to_stop()
        return jobs

    def _files(self, jobs: list[Job]) -> list[str]:
        """The jobs of a round, each in a file for the worker that takes it."""
        files: list[str] = []
        with as_store_error(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            for job in jobs:
                file = self.folder / f"{next(self.numbers):05d}.json"
                file.write_text(job.model_dump_json(), encoding="utf-8")
                files.append(str(file))
        return files

    def note(self, ended: Any) -> None:
        """Takes down how a trial ended, as its worker reported."""
        if ended is None:
            return
        key, state, text, attempt = ended
        if state == "trouble":
            self.trouble = str(text)
        elif state != "stopped":
            self.ran[str(key)] = TrialResult(str(key), state, text, attempt)
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
                self.ran[first.key] = TrialResult(
                    first.key, record.state, record.error, record.attempt
                )
            else:
                self.died.append(first.key)
                (self.store.running / f"{first.key}.json").unlink(missing_ok=True)
            if behind:
                rest.append(job.model_copy(update={"trials": tuple(behind)}))
        return rest

    def _left(self, jobs: list[Job]) -> list[Job]:
        """The jobs with the trials that have left no record, whose workers ended with Ray."""
        for trial in (one for job in jobs for one in job.trials):
            record = None if trial.key in self.ran else self._record_of_this_launch(trial.key)
            if record is not None:
                self.ran[trial.key] = TrialResult(
                    trial.key, record.state, record.error, record.attempt
                )
        over = {*self.ran, *self.died}
        rest = [
            job.model_copy(update={"trials": tuple(t for t in job.trials if t.key not in over)})
            for job in jobs
        ]
        for note in self._own_heartbeats():
            (self.store.running / f"{note['key']}.json").unlink(missing_ok=True)
        return [job for job in rest if job.trials]

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
                drop_temporary_artifacts(job, self.store)
        remove_session(session)
        if self.trouble is None:
            ray_log(self.store).unlink(missing_ok=True)

    def _result(self, seconds: float) -> Execution:
        trials = {trial.key: trial for trial in self.todo}

        def ended(key: str, why: str, log: Path) -> UnfinishedTrial:
            return UnfinishedTrial(key, trials[key].cell, trials[key].seed, why, log)

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
                    why_it_died(self.store.running / f"{key}.log"),
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
