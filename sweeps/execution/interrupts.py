"""The signals that end a launch cleanly: Ctrl-C, termination, a closed terminal."""

import contextlib
import signal
import threading
from collections.abc import Callable, Generator
from types import FrameType


@contextlib.contextmanager
def interruptible() -> Generator[None]:
    """SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt in the main thread.

    A SIGHUP that the caller ignores (`nohup`) stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with end_signals(signal.default_int_handler):
        yield


@contextlib.contextmanager
def end_signals(
    handler: Callable[[int, FrameType | None], None],
) -> Generator[tuple[signal.Signals, ...]]:
    """Handles the signals that request an end, in the main thread; yields these signals.

    SIGINT is included because a shell starts background processes (`&`) with SIGINT ignored. A SIGHUP
    that the caller ignores stays ignored.
    """
    caught = (signal.SIGINT, signal.SIGTERM)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        caught = (*caught, signal.SIGHUP)
    before = {one: signal.signal(one, handler) for one in caught}
    try:
        yield caught
    finally:
        for one, earlier in before.items():
            signal.signal(one, earlier)
