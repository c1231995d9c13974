"""The progress of a study and its remaining time, from records and heartbeats, which are small files."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sweeps.execution.heartbeat import heartbeats
from sweeps.planning import Plan, Role, Trial, by_key, counting, has_number
from sweeps.processes import mark_of
from sweeps.record import Summary
from sweeps.storage import Store

PROJECT_FROM = 0.1
"""Fraction of a trial after which its speed predicts its duration; before, its start weighs too much."""


@dataclass(frozen=True, slots=True)
class Running:
    """A trial that runs now, according to its heartbeat."""

    key: str
    cell: str
    seed: int
    fraction: float | None
    """The fraction of its work, from 0 to 1; None before the trial reports progress."""
    metrics: dict[str, float | None]
    seconds: float
    """Elapsed in all launches, at its last heartbeat; other trials of its process ran meanwhile."""
    own_seconds: float
    """Of them, those of its own turns, or all of them where those are unknown."""

    def projected(self) -> float | None:
        """Estimated seconds of its own turns for the whole trial.

        None while its start would weigh more than its work.
        """
        return None if self._early() else self.own_seconds / (self.fraction or 1.0)

    def left(self) -> float | None:
        """Estimated seconds until it ends, in its present company; None as above."""
        return None if self._early() else self.seconds * (1.0 / (self.fraction or 1.0) - 1.0)

    def _early(self) -> bool:
        return self.fraction is None or self.fraction < PROJECT_FROM


@dataclass(frozen=True, slots=True)
class CellProgress:
    """One row of a live table."""

    cell: str
    role: Role
    total: int
    """Trials of the plan in this cell."""
    finished: tuple[Summary, ...]
    """The attempt of each finished trial that counts if no metric is named."""
    failed: tuple[Summary, ...]
    running: tuple[Running, ...]
    attempts: tuple[tuple[Summary, ...], ...]
    """All attempts of each finished trial."""

    def values(self, metric: str) -> list[float]:
        """The final values of a metric, by finished trial, of the attempts that count for it."""
        found = [counting(attempts, metric) for attempts in self.attempts]
        return [one.values[metric] or 0.0 for one in found if one and has_number(one, metric)]


@dataclass(frozen=True, slots=True)
class Progress:
    """The state of a plan."""

    cells: tuple[CellProgress, ...]
    eta_seconds: float | None
    """Seconds until the remaining trials are done; None while the duration of a trial is unknown."""

    @property
    def total(self) -> int:
        """Trials of the plan."""
        return sum(cell.total for cell in self.cells)

    @property
    def finished(self) -> int:
        """Trials with a finished record."""
        return sum(len(cell.finished) for cell in self.cells)

    @property
    def failed(self) -> int:
        """Trials that failed."""
        return sum(len(cell.failed) for cell in self.cells)

    @property
    def running(self) -> tuple[Running, ...]:
        """All trials that run now."""
        return tuple(trial for cell in self.cells for trial in cell.running)


def progress(
    store: Store,
    plan: Plan,
    *,
    processes: int = 1,
    since: str | None = None,
    summaries: Sequence[Summary] | None = None,
) -> Progress:
    """The state of a plan from records and heartbeats; `summaries` are the store's, if known.

    A trial that the launch `since` runs again counts as finished once its new record is there. For each
    remaining trial, the estimate uses the mean own seconds (`cost_seconds`) of finished trials of its
    cell, else of its role, else of all trials, else the projection of the running ones. Trials that
    reused an artifact count only if there are no others. The sum is divided by the number of
    processes that run at a time, however many trials share one, and is at least the elapsed time that
    the longest running trial still needs.
    """
    known = store.summaries() if summaries is None else summaries
    attempts = by_key(_of_plan(known, plan, since))
    chosen = {key: one for key, of in attempts.items() if (one := counting(of)) is not None}
    running = _running(store, {trial.key for trial in plan.trials})
    roles: dict[str, Role] = {cell.name: cell.role for cell in plan.cells}
    trials_of: dict[str, list[Trial]] = {name: [] for name in roles}
    for trial in plan.trials:
        trials_of.setdefault(trial.cell, []).append(trial)
    rows: list[CellProgress] = []
    for name, trials in trials_of.items():
        records = [chosen[trial.key] for trial in trials if trial.key in chosen]
        finished = tuple(record for record in records if record.state == "finished")
        rows.append(
            CellProgress(
                cell=name,
                role=roles.get(name, "arm"),
                total=len(trials),
                finished=finished,
                failed=tuple(
                    one for one in records if one.state == "failed" and one.key not in running
                ),
                running=tuple(running[trial.key] for trial in trials if trial.key in running),
                attempts=tuple(tuple(attempts[record.key]) for record in finished),
            )
        )
    left = [trial for trial in plan.trials if trial.todo and trial.key not in chosen]
    return Progress(tuple(rows), _eta(left, chosen.values(), running, roles, processes))


def _of_plan(summaries: Iterable[Summary], plan: Plan, since: str | None) -> Iterator[Summary]:
    """The attempts of the plan's trials, without those that the launch `since` replaces."""
    trials = {trial.key: trial for trial in plan.trials}
    for summary in summaries:
        trial = trials.get(summary.key)
        if trial is None:
            continue
        again = trial.rerun or (trial.todo and trial.reason.startswith("failed"))
        if since is None or not again or summary.launch == since:
            yield summary


def _running(store: Store, keys: set[str]) -> dict[str, Running]:
    found: dict[str, Running] = {}
    for note in heartbeats(store.running):
        if note["key"] not in keys or not mark_of(note).alive():
            continue
        done, total = note.get("done"), note.get("total")
        seconds = float(note.get("seconds", 0.0))
        own = note.get("own_seconds")
        found[note["key"]] = Running(
            key=note["key"],
            cell=note["cell"],
            seed=note["seed"],
            fraction=min(1.0, max(0.0, done / total)) if done is not None and total else None,
            metrics=note.get("metrics", {}),
            seconds=seconds,
            own_seconds=seconds if own is None else float(own),
        )
    return found


def _eta(
    left: list[Trial],
    records: Iterable[Summary],
    running: dict[str, Running],
    roles: dict[str, Role],
    processes: int,
) -> float | None:
    """Seconds until the trials left are done; None while the length of a trial is unknown."""
    if not left:
        return 0.0
    measured = [record for record in records if record.state == "finished"]
    whole = [record for record in measured if not record.reused] or measured
    seconds_of: dict[object, list[float]] = defaultdict(list)
    for record in whole:
        for name in (("cell", record.cell), ("role", roles.get(record.cell, "arm")), "all"):
            seconds_of[name].append(record.cost_seconds)
    if not whole:
        projected = (trial.projected() for trial in running.values())
        seconds_of["all"] = [seconds for seconds in projected if seconds is not None]
    means = {name: sum(values) / len(values) for name, values in seconds_of.items() if values}
    if not means:
        return None
    work, longest = 0.0, 0.0
    for trial in left:
        by_role = means.get(("role", trial.role), means["all"])
        seconds = means.get(("cell", trial.cell), by_role)
        now = running.get(trial.key)
        if now is not None:
            seconds = max(0.0, (now.projected() or seconds) - now.own_seconds)
            ends = now.left()
            longest = max(longest, seconds if ends is None else ends)
        work += seconds
    return max(work / max(1, processes), longest)
