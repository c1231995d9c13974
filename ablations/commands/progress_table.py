"""A study's state: cells with partial means, failures, running trials, time left.

While it runs, as a live table on a terminal and in plain lines when piped.
"""

import json
import threading
import time
from dataclasses import asdict
from statistics import fmean
from typing import TYPE_CHECKING, Any, Self

from ablations.commands.output import plain_table
from sweeps.approximate_time import duration
from sweeps.execution import CellProgress, Progress

if TYPE_CHECKING:
    from rich.console import Console

LINE_EVERY = 10.0
"""Seconds between two plain lines."""

SAME_EVERY = 60.0
"""Seconds after which a line that says the same is repeated, as a sign of life."""


def table(state: Progress, metric: str, title: str) -> Any:
    """One row for each cell. `metric` is a recorded value, `title` the name of its column."""
    shown = plain_table("cell", "trials", "failed", "running", title, right=("trials", title))
    for cell in state.cells:
        shown.add_row(
            cell.cell,
            f"{len(cell.finished)} of {cell.total}",
            str(len(cell.failed)) if cell.failed else "",
            " ".join(_share(trial.fraction) for trial in cell.running),
            _mean(cell, metric),
        )
    return shown


def line(state: Progress) -> str:
    """The whole state in one line."""
    parts = [f"{state.finished} of {state.total} trials"]
    if state.failed:
        parts.append(f"{state.failed} failed")
    if state.running:
        names = [f"{t.cell} seed {t.seed} {_share(t.fraction)}".strip() for t in state.running]
        parts.append(f"{len(names)} running ({', '.join(names)})")
    elif state.finished + state.failed < state.total:
        parts.append("none running")
    if state.eta_seconds is None:
        parts.append("time left: unknown so far")
    elif state.eta_seconds > 0:
        parts.append(f"about {duration(state.eta_seconds)} left")
    return ", ".join(parts)


def means(state: Progress, metric: str) -> str:
    """The partial means of the cells that have some, in one line."""
    known = [f"{cell.cell} {mean}" for cell in state.cells if (mean := _mean(cell, metric))]
    return "; ".join(known)


def as_json(state: Progress) -> dict[str, Any]:
    """The state for programs."""
    value: dict[str, Any] = json.loads(json.dumps(asdict(state), default=_plain))
    return value


class Live:
    """Shows each progress that it is handed; calls may come from another thread."""

    def __init__(self, out: "Console", metric: str, metric_name: str, unit: str) -> None:
        self.out, self.metric, self.title = out, metric, f"{metric_name} ({unit})"
        self.table: Any = None
        self.last: Progress | None = None
        self.said = time.monotonic()
        self.text = ""
        self.lock = threading.Lock()

    def __enter__(self) -> Self:
        if self.out.is_terminal:
            from rich.live import Live as Table

            self.table = Table(console=self.out, auto_refresh=False, transient=True)
            self.table.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        if self.table is not None:
            self.table.__exit__(*error)
        if self.last is not None:
            # What stays on the screen is the state at the end.
            self.out.print(line(self.last))

    def update(self, state: Progress) -> None:
        """A new state; plain lines come no more often than every ten seconds, equal ones every minute."""
        with self.lock:
            self.last = state
            if self.table is not None:
                from rich.console import Group

                shown = Group(table(state, self.metric, self.title), line(state))
                self.table.update(shown, refresh=True)
                return
            partial = means(state, self.metric)
            text = line(state) + (f"; {partial}" if partial else "")
            if time.monotonic() - self.said >= (SAME_EVERY if text == self.text else LINE_EVERY):
                self.said, self.text = time.monotonic(), text
                self.out.print(text, soft_wrap=True)


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json", exclude={"config"})


def _share(fraction: float | None) -> str:
    return "" if fraction is None else f"{100 * fraction:.0f} %"


def _mean(cell: CellProgress, metric: str) -> str:
    values = cell.values(metric)
    return f"{fmean(values):.1f} (n={len(values)})" if values else ""
