"""Executing a plan: Ray Tune runs its trials, or one trial runs in this process."""

import time
from collections.abc import Callable
from pathlib import Path

from sweeps.execution.budget import Budget
from sweeps.execution.heartbeat import heartbeats
from sweeps.execution.launch import Launch
from sweeps.execution.notifier import OnProgress, OnRecord
from sweeps.execution.ray_session import (
    end_processes,
    new_session,
    own_session,
    processes,
    remove_session,
)
from sweeps.execution.result import Execution
from sweeps.execution.trial_runner import (
    Job,
    RunSettings,
    TrialResult,
    drop_temporary_artifacts,
    log_and_terminal,
    run_trial,
)
from sweeps.planning import Plan, Trial
from sweeps.processes import mark_of, now
from sweeps.storage import Store, log_launch, new_launch, read_json, save_plan


def execute(
    plan: Plan,
    store: Store,
    function: str,
    settings: RunSettings,
    *,
    on_progress: OnProgress | None = None,
    on_record: OnRecord | None = None,
    before: Callable[[], None] | None = None,
    budget: Budget | None = None,
) -> Execution:
    """Runs the `todo` trials of a plan in its order, `settings.slots` at a time.

    `function` names the trial function as `module:name`. The callbacks are called from another thread:
    with the progress about every second, and with each record once it is stored. `before` is called
    under the store's lock, before any trial starts. With a `budget` no trial begins that is not expected
    to end in time; those that run are not stopped.

    Raises:
        StoreError: the store cannot be used. A later problem with the store stops the launch and is in
            the result.
    """
    clock = time.perf_counter()
    with store.locked():
        _clear_after_predecessor(store)
        done = {one.key for one in store.summaries() if one.state == "finished"}
        todo = [trial for trial in plan.todo if trial.rerun or trial.key not in done]
        save_plan(store, plan)
        if before is not None:
            before()
        if not todo:
            return Execution(seconds=time.perf_counter() - clock)
        launch = Launch(
            plan=plan,
            store=store,
            function=function,
            settings=settings,
            todo=todo,
            on_progress=on_progress,
            on_record=on_record,
            budget=budget,
        )
        return launch.run(new_session(store.identity))


def run_here(
    trial: Trial,
    plan: Plan,
    store: Store,
    function: str,
    settings: RunSettings,
    *,
    before: Callable[[], None] | None = None,
) -> TrialResult:
    """Runs one trial of a plan in this process with full output, even if it has finished before.

    `before` is called as in `execute`. Ctrl-C leaves no record and is raised.
    """
    with store.locked():
        _clear_after_predecessor(store)
        store.note_holder()
        if before is not None:
            before()
        job = Job(
            study=plan.study,
            scale=plan.scale,
            variation=plan.variation,
            launch=new_launch(),
            function=function,
            settings=settings,
            store=str(store.path),
            driver=None,
            trials=(trial.model_copy(update={"todo": True}),),
        )
        log_launch(
            store, plan.label, launch=job.launch, began=now(), command=settings.command, trials=1
        )
        try:
            result = run_trial(job, job.trials[0], store, log_to=log_and_terminal)
        finally:
            drop_temporary_artifacts(job, store)
        log_launch(store, plan.label, launch=job.launch, ended=now(), **{result.state: 1})
        return result


def _clear_after_predecessor(store: Store) -> None:
    """Waits for workers of a dead driver, ends those that remain, and removes its files."""
    note = read_json(store.path / "lock")
    session = own_session(note.get("session"), store.identity) if isinstance(note, dict) else None
    if session is not None:
        until = time.monotonic() + 5.0
        while time.monotonic() < until and _lives(store, session):
            time.sleep(0.05)
        end_processes(session)
    store.clear_leftovers()
    store.clear_checkpoints()
    if session is not None:
        remove_session(session)


def _lives(store: Store, session: Path) -> bool:
    """Whether a trial of the session still runs; trials elsewhere are not waited for."""
    alive = {mark.pid for one in heartbeats(store.running) if (mark := mark_of(one)).alive()}
    return bool(alive) and any(process.pid in alive for process in processes(session))
