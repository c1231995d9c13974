"""The commands `run` and `trial`: plan, execute, track, judge, write, show."""

import contextlib
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from ablations.commands.collector import unsearched
from ablations.commands.output import DATA_MISSING, threads
from ablations.commands.terminal import console, say, say_all
from ablations.commands.verdict_table import show_board
from ablations.commands.write_reports import Reports, show_written, write_all
from ablations.compose import (
    ResolvedStudy,
    as_configured,
    compose,
    cost,
    duration,
    foreseen,
    left_out,
    own_texts,
    planned,
    refuse_another_design,
    rounds_of,
)
from ablations.errors import UsageError
from ablations.evidence import evidence, fix, save, snapshot_of
from ablations.study import Request
from reports.spec import Evidence, Snapshot
from sweeps.approximate_time import duration as time_text
from sweeps.errors import StoreError
from sweeps.planning import Plan, Trial, by_key, counting
from sweeps.storage import Store
from sweeps.suggest import did_you_mean
from sweeps.tracking import shown

if TYPE_CHECKING:
    from ablations.commands.report_tracking import Track
    from sweeps.execution import Budget, Execution, RunSettings

FUNCTION = "ablations.trial.stages:run_trial"
"""By name, so that each worker imports it itself."""

PACKAGES = ("torch", "torchvision", "numpy", "ray", "mlflow", "pandas", "scipy", "pydantic")
"""The packages whose versions every record contains."""

DONE, FAILED, STOPPED = 0, 1, 130

MOST_NAMED = 5
"""How many trials a message lists."""

Keep = Literal["none", "last"]


class Performed(NamedTuple):
    """The result of a run."""

    evidence: Evidence
    reports: Reports
    store: Store
    messages: tuple[str, ...]
    """What was printed for each trial without a result, and for tracking."""
    complete: bool
    """Whether no trial failed or was left."""


class _Stopped(KeyboardInterrupt):
    """An interruption after which the run can be continued with this command."""

    def __init__(self, again: str) -> None:
        super().__init__(f"stopped; finished trials are saved; continue with: {again}")


def run_study(
    request: Request,
    *,
    keep: Keep,
    tracking: str | None,
    slots: int | None = None,
    budget: float | None = None,
) -> int:
    """Runs what is missing, then judges and writes; returns the exit code."""
    try:
        done = perform(request, keep=keep, tracking=tracking, slots=slots, budget=budget)
    except _Stopped:
        return STOPPED
    code = show_written(console(), done.reports)
    return code if done.complete else FAILED


def perform(
    request: Request,
    *,
    keep: Keep,
    tracking: str | None,
    slots: int | None = None,
    budget: float | None = None,
) -> Performed:
    """Runs what is missing, then judges, prints the board and writes the reports.

    With a `budget` in seconds, trials begin only while they, and the rest of a new round of seeds, are
    expected to end in time.

    Raises:
        AblationError, SweepError: The request cannot be run; nothing was.
        KeyboardInterrupt: Finished trials are saved; how to continue was printed.
    """
    from ablations.commands.report_tracking import Track
    from ablations.compose import decode
    from sweeps.tracking import tracking_uri

    with unsearched():
        composed, store = compose(request)
        plan = planned(composed, store.known())
    refuse_another_design(composed, store, plan.label)
    _refuse_missing_data(plan)
    _refuse_recompute(plan.todo, request)
    tracking_uri(store, tracking)
    decode(plan.todo, store)
    snapshot = snapshot_of(composed)
    limit = None
    if budget is not None and plan.todo:
        limit = _limit(budget, plan, store, composed, slots)
    again = _again(request, keep, tracking, slots, budget)
    try:
        with Track(store, composed, plan, tracking) as track:
            execution = _execute(composed, snapshot, store, plan, keep, track, slots, limit)
            if execution.interrupted:
                raise KeyboardInterrupt  # noqa: TRY301 -- the same end as before and after the trials
            with unsearched():
                gathered = evidence(snapshot, request, store)
            written = Reports((), ())
            if gathered.records:  # else nothing to judge, and no number for MLflow
                show_board(gathered, console())
                track.settle(gathered)
            lost, messages = _failures(execution, gathered, store, again)
            if gathered.records:
                written = write_all(gathered, store, request)
                track.finish((*written.files, *written.drawings))
    except KeyboardInterrupt:
        stopped = _Stopped(again)
        say(str(stopped))
        raise stopped from None
    finally:
        say_all(store.messages)
    if (trouble := track.trouble) is not None:
        say(trouble)
        messages.append(trouble)
    return Performed(gathered, written, store, tuple(messages), not lost)


def _again(
    request: Request, keep: Keep, tracking: str | None, slots: int | None, budget: float | None
) -> str:
    """The command that continues: without --again, which would repeat finished trials."""
    options = ["--failed"] * request.failed + ["--keep", keep] * (keep != "last")
    options += [] if tracking is None else ["--tracking", shown(tracking)]
    options += [] if slots is None else ["--slots", str(slots)]
    options += [] if budget is None else ["--budget", f"{budget:g}s"]
    return " ".join([f"ablate run {request.words()}", *map(shlex.quote, options)])


def run_one(request: Request, key: str, *, keep: Keep) -> int:
    """Runs one trial in this process, even if it is already on record."""
    from ablations.compose import decode
    from sweeps.execution import run_here

    composed, store = compose(request)
    plan, others = planned(composed, store.known()), _whole_plan(composed, store)
    say_all(store.messages)
    refuse_another_design(composed, store, plan.label)
    trial = _chosen(plan.label, [*plan.trials, *others.trials], key)
    if trial.reason.startswith(DATA_MISSING):
        raise UsageError(trial.reason.removeprefix(f"{DATA_MISSING}: "))
    _refuse_recompute([trial], request)
    decode([trial], store)
    store.prepare()
    settings = _settings(composed, store, [trial], keep)
    out = console()
    out.print(f"{plan.label}: {trial.cell}, seed {trial.seed}, key {trial.key}")
    snapshot = snapshot_of(composed)
    ran = run_here(trial, plan, store, FUNCTION, settings, before=lambda: _begin(snapshot, store))
    record = store.record(ran.key, ran.attempt)
    if record is None or ran.state != "finished":
        say(f"{trial.cell}, seed {trial.seed} failed: {ran.error}")
        return FAILED
    for name, value in record.values.items():
        out.print(f"{name}: {'unknown' if value is None else f'{value:.2f}'}")
    out.print(f"record: {store.trials / ran.key / f'{ran.attempt:03d}'}")
    return DONE


def _execute(
    composed: ResolvedStudy,
    snapshot: Snapshot,
    store: Store,
    plan: Plan,
    keep: Keep,
    track: "Track",
    slots: int | None,
    budget: "Budget | None",
) -> "Execution":
    from ablations.commands.progress_table import Live
    from ablations.machine_profile import on_gpus
    from sweeps.execution import Execution, execute, unused_variables
    from sweeps.storage import save_plan

    out = console()
    if not plan.todo:
        out.print(
            f"{plan.label}: nothing to run: all {len(plan.trials)} trials have finished or failed"
        )
        for note in left_out(
            composed, plan, as_configured(composed, plan, store.known().summaries)
        ):
            out.print(f"note: {note}", soft_wrap=True)
        # If another launch holds the store, the next run adds to the history.
        with contextlib.suppress(StoreError), store.locked():
            _begin(snapshot, store)
        save_plan(store, plan)
        return Execution()
    out.print(f"{plan.label}: {composed.study.question}")
    for note in foreseen(composed, plan, as_configured(composed, plan, store.known().summaries)):
        out.print(f"note: {note}", soft_wrap=True)
    settings = _settings(composed, store, plan.todo, keep, slots)
    out.print(
        f"{len(plan.todo)} of {len(plan.trials)} trials to run, {settings.slots} at a time with "
        f"{threads(settings.threads)} each"
    )
    if (spread := on_gpus(settings.slots, settings.workers)) is not None:
        out.print(f"note: {spread}", soft_wrap=True)
    unused = unused_variables()
    if unused is not None:
        say(unused)
    with Live(out, composed.study.metric, composed.metric_name, composed.study.unit) as live:
        return execute(
            plan,
            store,
            FUNCTION,
            settings,
            on_progress=live.update,
            on_record=track.record,
            before=lambda: _begin(snapshot, store),
            budget=budget,
        )


def _limit(
    budget: float, plan: Plan, store: Store, composed: ResolvedStudy, slots: int | None
) -> "Budget":
    """What each trial is expected to take, and the limit.

    Raises:
        UsageError: not even the next round of seeds is expected to end in time.
    """
    from ablations.machine_profile import machine
    from sweeps.execution import Budget

    store.prepare()
    timed = machine(store.machine, composed.device, console().print).with_slots(slots)
    price = cost(plan, store.known(), timed, device=composed.device)
    if price.expected is None:
        return Budget(budget, {})
    first = rounds_of(plan.todo)[0]
    needed = duration(price.expected, first, price.processes).middle
    if needed > budget:
        trials = "1 trial" if len(first) == 1 else f"{len(first)} trials"
        raise UsageError(
            f"--budget: the next round of seeds ({trials}) takes about "
            f"{time_text(needed)}, got {time_text(budget)}; give more time, or fewer cells with --only"
        )
    return Budget(budget, price.expected.seconds)


def _begin(snapshot: Snapshot, store: Store) -> None:
    """Stores the stamp and the snapshot before the first trial; only for the holder of the lock."""
    fix(snapshot, store)
    save(snapshot, store)


def _settings(
    composed: ResolvedStudy,
    store: Store,
    trials: Iterable[Trial],
    keep: Keep,
    slots: int | None = None,
) -> "RunSettings":
    from ablations.machine_profile import machine
    from sweeps.execution import RunSettings
    from sweeps.provenance import collect

    timed = machine(store.machine, composed.device, console().print).with_slots(slots)
    return RunSettings(
        slots=timed.slots,
        workers=timed.workers,
        threads=timed.threads,
        gpus=1.0 if timed.device == "cuda" else 0.0,
        payload={
            "device": timed.device,
            "threads": timed.threads,
            "memory_format": timed.memory_format,
            "recompute": composed.request.recompute,
            "files": own_texts(trials),
        },
        keep=keep,
        provenance={
            **collect(code=Path(__file__).parents[1], packages=PACKAGES),
            "device": timed.device,
            "memory_format": timed.memory_format,
        },
        command=f"ablate run {composed.request.words()}",
    )


def _failures(
    execution: "Execution", gathered: Evidence, store: Store, again: str
) -> tuple[bool, list[str]]:
    """Prints each trial that ended without a result; whether there is any, and the messages."""
    messages: list[str] = []

    def tell(message: str) -> None:
        messages.append(message)
        say(message)

    names = {trial.key: trial for trial in gathered.planned}
    counted = [
        counting(of, gathered.metric)
        for key, of in by_key(gathered.records).items()
        if key in names
    ]
    failed = [record for record in counted if record is not None and record.state == "failed"]
    for record in failed:
        tell(
            f"failed: {record.cell}, seed {record.seed}: {record.error}; log "
            f"{store.path / record.log}; run it again with --failed"
        )
    for ended in execution.died:
        tell(
            f"{ended.cell}, seed {ended.seed}: {ended.why}; log {ended.log}; run the study again to resume"
        )
    if execution.stopped is not None:
        tell(execution.stopped)
    left = [names[key] for key in execution.left if key in names]
    if left:
        shown = ", ".join(f"{trial.cell} seed {trial.seed}" for trial in left[:MOST_NAMED])
        more = f" and {len(left) - MOST_NAMED} more" if len(left) > MOST_NAMED else ""
        were = "trials were" if len(left) > 1 else "trial was"
        why = ", since they would not end within the budget" if execution.held else ""
        tell(f"{len(left)} {were} not run{why}: {shown}{more}; continue with: {again}")
    return bool(failed or execution.died or left), messages


def _refuse_missing_data(plan: Plan) -> None:
    missing = [t.reason for t in plan.trials if t.reason.startswith(DATA_MISSING)]
    if missing and len(missing) == len(plan.trials):
        raise UsageError(*dict.fromkeys(one.removeprefix(f"{DATA_MISSING}: ") for one in missing))


def _refuse_recompute(trials: Iterable[Trial], request: Request) -> None:
    own = {t.cell for t in trials if t.config["epochs"] and t.config["encoder"]["kind"] == "file"}
    if request.recompute and own:
        raise UsageError(
            f"--recompute: cell {min(own)!r} trains a custom encoder, which has no blocks to recompute; "
            f"leave the option out, or set gradient_cache"
        )


def _whole_plan(composed: ResolvedStudy, store: Store) -> Plan:
    from sweeps.planning import plan

    return plan(
        composed.sweep(everything=True), composed.resolve, store.known(), failed=True, again=True
    )


def _chosen(label: str, known: Iterable[Trial], key: str) -> Trial:
    trials = {trial.key: trial for trial in known}
    found = [one for one in trials if one.startswith(key.lower())]
    if len(found) == 1:
        return trials[found[0]]
    if not found:
        raise UsageError(
            f"{label} has no trial {key!r}{did_you_mean(key, trials)}; list them with `ablate plan "
            f"--json` and the same options"
        )
    shown = ", ".join(found[:5])
    raise UsageError(f"{key!r} matches {len(found)} keys ({shown}, ...); give more characters")
