"""One launch on Ray Tune: each trial writes its record, and any process may be killed."""

import contextlib
import itertools
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sweeps.errors import StoreError
from sweeps.execution.budget import Budget, Limit, Pace, needed
from sweeps.execution.failures import TrialEnd, common_failure, why_it_died, why_ray_refused
from sweeps.execution.heartbeat import heartbeats, hold_file, pace_file, stop_file
from sweeps.execution.interrupts import interruptible
from sweeps.execution.notifier import OnProgress, OnRecord, notifying
from sweeps.execution.pack import HELD, Pack, put_jobs
from sweeps.execution.ray_rounds import RayLostError, RayRefusedError, RayRounds, ray_log
from sweeps.execution.ray_session import end_processes, remove_session
from sweeps.execution.result import Execution, UnfinishedTrial
from sweeps.execution.trial_runner import (
    Job,
    RunSettings,
    TrialResult,
    drop_temporary_artifacts,
)
from sweeps.planning import Plan, Trial
from sweeps.processes import now, this_process
from sweeps.provenance import load_average
from sweeps.storage import Store, as_store_error, log_launch, new_launch

GRACE_SECONDS = 10.0
"""Time for trials to notice an interruption and save a checkpoint before their processes are ended;
a second interruption ends them at once."""

RESTARTS = 3
"""How many times in a row a lost Ray is replaced if no trial ends in between."""


class Launch:
    """One launch: its jobs, their results, and the thread that reports on them."""

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
        budget: Budget | None = None,
    ) -> None:
        self.plan, self.store, self.settings = plan, store, settings
        self.trials = {trial.key: trial for trial in todo}
        self.name = new_launch()
        self.folder = store.running / self.name
        jobs = _by_first_stage(todo)
        in_order = [trial for trials in jobs for trial in trials]
        processes = len(settings.shares())
        must_be_left = needed(in_order, budget.expected, processes) if budget else {}
        self.jobs = [
            Job(
                study=plan.study,
                scale=plan.scale,
                variation=plan.variation,
                launch=self.name,
                function=function,
                settings=settings,
                store=str(store.path),
                driver=this_process(),
                trials=tuple(trials),
                limit=_limit(budget, trials, must_be_left),
            )
            for trials in jobs
        ]
        self.pace = None if budget is None else Pace(budget, store.running, self.name)
        self.held = False
        """Whether a trial did not begin because it would not end in time."""
        self.results: dict[str, TrialResult] = {}
        self.died: dict[str, str] = {}
        """Key of each trial whose process or thread ended without a record -> why."""
        self.trouble: str | None = None
        self.interrupted = False
        self.rounds = 0
        self.numbers = itertools.count()
        self.on_progress, self.on_record = on_progress, on_record

    def run(self, session: Path) -> Execution:
        """Runs all jobs in a session folder, which is removed at the end."""
        clock = time.perf_counter()
        try:
            self.store.note_holder(session=str(session))
            self._log(
                began=now(),
                command=self.settings.command,
                trials=len(self.trials),
                slots=self.settings.slots,
                threads=self.settings.threads,
                load_average=load_average(),
            )
            with notifying(
                self.plan,
                self.store,
                self.results,
                launch=self.name,
                processes=len(self.settings.shares()),
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
            execution = self._execution(time.perf_counter() - clock)
        finally:
            remove_session(session)
        with contextlib.suppress(StoreError):
            self._log(
                ended=now(),
                **{
                    name: len(getattr(execution, name))
                    for name in ("finished", "failed", "died", "left")
                },
                interrupted=execution.interrupted,
                stopped=execution.stopped,
            )
        return execution

    def _log(self, **facts: Any) -> None:
        log_launch(self.store, self.plan.label, launch=self.name, **facts)

    def _rounds(self, session: Path) -> None:
        """Runs all jobs; when Ray is lost, another one runs the rest."""
        jobs, lost = self.jobs, 0
        while jobs and self.trouble is None and not self.interrupted and not self.held:
            ended = len(self.results)
            try:
                jobs = self._with_one_ray(jobs, session)
            except RayLostError as error:
                jobs = self._left(jobs)
                lost = lost + 1 if len(self.results) == ended else 1
                if lost > RESTARTS:
                    self.trouble = (
                        f"Ray was lost {lost} times before a trial ended (the last time {error});"
                        f" see {ray_log(self.store)}, then run again"
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
                without_result = 0
                while jobs and self.trouble is None and not self.held:
                    ended = len(self.results)
                    self.rounds += 1
                    ray.run(
                        self.rounds,
                        self._files(jobs),
                        launch=self.name,
                        on_ended=self.take_result,
                        enough=lambda: self.trouble is not None,
                    )
                    jobs = self._after_deaths(jobs)
                    without_result = without_result + 1 if len(self.results) == ended else 0
                    # One death ends all trials of a pack, and no other trial of its round begins.
                    most = 1 if self.settings.packed else 0
                    if without_result > most and jobs and not self.held and self.trouble is None:
                        self.trouble = (
                            "every worker exited before its first trial finished; run one trial on "
                            f"its own to see why, or look at the logs in {self.store.running}"
                        )
            except KeyboardInterrupt:
                self.interrupted = True
            if self.interrupted or self.trouble is not None:
                self._ask_to_stop()
        return jobs

    def _files(self, jobs: list[Job]) -> list[str]:
        """The packs of a round, each in a file for the worker that takes it."""
        packs = [Pack(jobs=(job,), members=1) for job in jobs]
        files: list[str] = []
        with as_store_error(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            if self.settings.packed:
                # Dealt out beforehand, they would leave the worker idle whose trials end first.
                shared = self.folder / f"jobs-{next(self.numbers):05d}"
                put_jobs(shared, jobs)
                packs = [Pack(shared=shared, members=s) for s in self.settings.shares(len(jobs))]
            for pack in packs:
                file = self.folder / f"{next(self.numbers):05d}.json"
                file.write_text(pack.model_dump_json(), encoding="utf-8")
                files.append(str(file))
        return files

    def take_result(self, ended: list[Any]) -> None:
        """Takes the result of a trial, as its worker reported it."""
        key, state, text, attempt = ended
        if state == "trouble":
            self.trouble = str(text)
        elif state == "died":
            # It may have been interrupted after its record was there.
            if not self._has_record(key):
                self.died[key] = str(text)
        elif state == HELD:
            self.held = True
        elif state != "stopped":
            # One that failed says nothing of how long whole trials take.
            timed = None if self.pace is None or state != "finished" else self.pace
            if timed is not None and (record := self.store.record(key, attempt)) is not None:
                timed.took(key, record.cost_seconds)
            self.results[key] = TrialResult(key, state, text, attempt)
            ends = [
                TrialEnd(self.trials[key].cell, one.error)
                for key, one in itertools.islice(self.results.items(), self.settings.slots + 1)
            ]
            self.trouble = self.trouble or common_failure(ends, self.settings.slots)

    def _after_deaths(self, jobs: list[Job]) -> list[Job]:
        """Marks the trial that each dead worker was running; returns the jobs with the trials after it."""
        if self.trouble is not None:
            return []
        rest: list[Job] = []
        for job in jobs:
            ended = {*self.results, *self.died}
            missing = [trial for trial in job.trials if trial.key not in ended]
            if not missing:
                continue
            first, *behind = missing
            if not self._has_record(first.key):
                if self.held and not self._began(first.key):
                    continue
                if self.settings.packed and not self._began(first.key):
                    # The worker died before this job's turn.
                    rest.append(job.model_copy(update={"trials": tuple(missing)}))
                    continue
                self.died[first.key] = why_it_died(self._log_of(first.key))
                self._clear_heartbeats([first.key])
            if behind:
                rest.append(job.model_copy(update={"trials": tuple(behind)}))
        return rest

    def _left(self, jobs: list[Job]) -> list[Job]:
        """The jobs of the trials without a record, whose workers ended with Ray."""
        self._clear_heartbeats(self._running())
        rest: list[Job] = []
        for job in jobs:
            left = [t for t in job.trials if t.key not in self.died and not self._has_record(t.key)]
            if left:
                rest.append(job.model_copy(update={"trials": tuple(left)}))
        return rest

    def _began(self, key: str) -> bool:
        """Whether a worker began the trial and left its heartbeat."""
        return (self.store.running / f"{key}.json").exists()

    def _has_record(self, key: str) -> bool:
        """Whether a trial ended in this launch; its worker may have died before it reported so."""
        for record in self.store.records([key]) if key not in self.results else ():
            if record.launch == self.name:
                self.results[key] = TrialResult(key, record.state, record.error, record.attempt)
        return key in self.results

    def _ask_to_stop(self) -> None:
        with contextlib.suppress(OSError):
            stop_file(self.store.running, self.name).touch()
        until = time.monotonic() + GRACE_SECONDS
        while time.monotonic() < until and self._running():
            time.sleep(0.05)

    def _log_of(self, key: str) -> Path:
        return self.store.running / f"{key}.log"

    def _running(self) -> list[str]:
        """Keys of the trials of this launch that have a heartbeat."""
        notes = heartbeats(self.store.running)
        return [note["key"] for note in notes if note.get("launch") == self.name]

    def _clear_heartbeats(self, keys: list[str]) -> None:
        for key in keys:
            (self.store.running / f"{key}.json").unlink(missing_ok=True)

    def _clear(self, session: Path) -> None:
        end_processes(session)
        self._clear_heartbeats(self._running())
        for file in (stop_file, hold_file, pace_file):
            file(self.store.running, self.name).unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.settings.keep == "none":
            for job in self.jobs:
                drop_temporary_artifacts(job, self.store)
        if self.trouble is None:
            ray_log(self.store).unlink(missing_ok=True)

    def _execution(self, seconds: float) -> Execution:
        def unfinished(key: str, why: str, log: Path) -> UnfinishedTrial:
            return UnfinishedTrial(key, self.trials[key].cell, self.trials[key].seed, why, log)

        return Execution(
            launch=self.name,
            finished=tuple(key for key, one in self.results.items() if one.state == "finished"),
            failed=tuple(
                unfinished(key, one.error or "", self.store.attempt(key, one.attempt) / "log.txt")
                for key, one in self.results.items()
                if one.state == "failed"
            ),
            died=tuple(unfinished(key, why, self._log_of(key)) for key, why in self.died.items()),
            left=tuple(key for key in self.trials if key not in {*self.results, *self.died}),
            interrupted=self.interrupted,
            held=self.held,
            stopped=self.trouble,
            seconds=seconds,
        )


def _limit(
    budget: Budget | None, trials: Iterable[Trial], must_be_left: dict[str, float]
) -> Limit | None:
    if budget is None:
        return None
    own = {trial.key: must_be_left[trial.key] for trial in trials}
    return Limit(ends=time.time() + budget.seconds, needed=own)


def _by_first_stage(trials: Iterable[Trial]) -> list[list[Trial]]:
    """Trials in the plan's order; trials that share their first stage follow the first of them."""
    together: dict[str, list[Trial]] = {}
    for trial in trials:
        together.setdefault(trial.stages[0].key, []).append(trial)
    return list(together.values())
