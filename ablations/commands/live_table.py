"""The view of a running study: a live table on a terminal, plain lines when piped."""

import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ablations.commands.progress_table import line, means, table
from sweeps.execution import Progress

if TYPE_CHECKING:
    from rich.console import Console

LINE_EVERY = 10.0
"""Seconds between two plain lines."""


class Live:
    """Shows each progress that it is handed; calls may come from another thread."""

    def __init__(self, out: "Console", metric: str, metric_name: str, unit: str) -> None:
        self.out, self.metric, self.title = out, metric, f"{metric_name} ({unit})"
        self.table: Any = None
        self.last: Progress | None = None
        self.said = time.monotonic()
        self.lock = threading.Lock()

    def __enter__(self) -> Self:
        if self.out.is_terminal:
            from rich.live import Live as Table

            self.table = Table(console=self.out, auto_refresh=False, transient=True)
            self.table.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.table is not None:
            self.table.__exit__(kind, error, traceback)
        if self.last is not None:
            # What stays on the screen is the state at the end.
            self.out.print(line(self.last))

    def update(self, state: Progress) -> None:
        """A new state; plain lines come no more often than every ten seconds."""
        with self.lock:
            self.last = state
            if self.table is not None:
                from rich.console import Group

                shown = Group(table(state, self.metric, self.title), line(state))
                self.table.update(shown, refresh=True)
            elif time.monotonic() - self.said >= LINE_EVERY:
                self.said = time.monotonic()
                partial = means(state, self.metric)
                self.out.print(line(state) + (f"; {partial}" if partial else ""), soft_wrap=True)
