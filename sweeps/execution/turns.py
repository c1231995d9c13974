"""Trials that run at once in one process take turns: one runs, the others wait."""

import threading
from collections import deque
from types import TracebackType
from typing import Self


class Turns:
    """A baton for threads. The one that holds it runs; it is handed on in the order of waiting.

    A trial's numbers cannot depend on when another one ran: between two turns it changes nothing
    that the other one reads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._held = False

    def __enter__(self) -> Self:
        """Waits for the first turn."""
        with self._lock:
            if not self._held:
                self._held = True
                return self
            gate = self._join()
        gate.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leaves; the next one runs."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._held = False

    def give_way(self) -> None:
        """Lets every thread that waits now have its turn first; returns at once if none does."""
        with self._lock:
            if not self._waiting:
                return
            gate = self._join()
            self._waiting.popleft().release()
        gate.acquire()

    def _join(self) -> threading.Lock:
        gate = threading.Lock()
        gate.acquire()
        self._waiting.append(gate)
        return gate
