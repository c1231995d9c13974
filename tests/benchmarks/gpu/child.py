"""The child process: sections one after the other, each with its share of the time that is left."""

import argparse
import gc
import json
import os
import statistics
import sys
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from typing import Any

from benchmarks.gpu import stand_ins
from benchmarks.gpu.command import share
from benchmarks.gpu.rows import Row


class Bench:
    """What a section measures with: its device, sizes and time, and where its rows go."""

    def __init__(
        self,
        section: str,
        options: argparse.Namespace,
        seconds: float,
        emit: Callable[[dict[str, Any]], None],
    ) -> None:
        import torch

        self.section, self.options, self.miniature = section, options, options.miniature
        here = "cuda" if torch.cuda.is_available() else "cpu"
        self.device = here if options.device == "auto" else options.device
        self._emit, self._until = emit, time.perf_counter() + seconds
        self.wrong = 0
        """Parts that failed, and rows that are not as they should be."""
        self.spoilt = False
        """Whether the sections after this one need another process."""

    def left(self) -> float:
        """Seconds of the section's time; below 0 where it is over."""
        return self._until - time.perf_counter()

    def row(
        self,
        what: str,
        value: float | str | None,
        unit: str = "",
        *,
        n: int | None = None,
        note: str = "",
    ) -> None:
        """A finding; it stays whatever happens to the section afterwards."""
        self._emit({"row": Row(self.section, what, value, unit, n, note)})

    def tried(self, what: str, work: Callable[[], None]) -> None:
        """Does a part of a section; where it fails, the others go on and a row says why."""
        import torch

        try:
            work()
        except torch.OutOfMemoryError:
            self.row(what, None, note="out of memory")
        except (RuntimeError, ValueError, AssertionError, ImportError) as error:
            if broken(error):
                raise
            self.wrong += 1
            self.row(what, "failed", note=told(error))
        clean()

    def median(self, work: Callable[[], float], most: int) -> tuple[float, int]:
        """The median of what `work` gives, and of how many; fewer than `most` if time is short."""
        found = [work()]
        while len(found) < most and self.left() > 0:
            found.append(work())
        return statistics.median(found), len(found)

    def seconds(self, work: Callable[[], object], most: int) -> tuple[float, int]:
        """The median seconds of some work on the device, which is done once before."""
        self.wait()
        work()

        def timed() -> float:
            self.wait()
            began = time.perf_counter()
            work()
            self.wait()
            return time.perf_counter() - began

        return self.median(timed, most)

    def wait(self) -> None:
        """Until the device has done all that was queued."""
        import torch

        if self.device == "cuda":
            torch.cuda.synchronize()


def clean() -> None:
    """Frees what nothing refers to any more."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def told(error: BaseException) -> str:
    """An error in one line, with its place."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    place = "".join(f" ({os.path.basename(at.filename)}:{at.lineno})" for at in last)  # noqa: PTH119
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:200]}{place}"


def broken(error: BaseException) -> bool:
    """Whether nothing more can be computed on the GPU in this process."""
    return any(word in str(error) for word in ("illegal", "assert triggered", "launch failure"))


def run_sections(options: argparse.Namespace) -> int:
    """Runs the sections; 3 where the rest needs another process."""
    lines = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no line of the protocol

    def emit(said: dict[str, Any]) -> None:
        print(json.dumps(said), file=lines, flush=True)

    standing_in = stand_ins.put_in_place()
    names = options.sections
    for name in names:
        emit({"begin": name})
        error: BaseException | None = None
        bench = Bench(name, options, share(name, names, options.child - time.time()), emit)
        try:
            if name == "machine" and standing_in:
                bench.row("packages that are not installed", ", ".join(standing_in))
            _section(name)(bench)
        except Exception as raised:  # noqa: BLE001 -- the other sections go on
            traceback.print_exc(file=sys.stderr)
            error = raised
        text = f"{bench.wrong} of its rows are wrong" if bench.wrong else None
        emit({"end": name, "error": text if error is None else told(error)})
        if bench.spoilt or (error is not None and broken(error)):
            os._exit(3)
        clean()
    return 0


def _section(name: str) -> Callable[[Bench], None]:
    module, function = ("packs", "networks") if name == "networks" else (name, "run")
    return getattr(import_module(f"benchmarks.gpu.{module}"), function)
