"""Standard streams that may refuse output: a full disk or a closed stream does not end a command."""

import contextlib
import io
import os
import sys
from typing import Any, TextIO


class Output:
    """Standard output and standard error, from now to the end of the process."""

    def __init__(self) -> None:
        there = [_is_open(descriptor) for descriptor in range(3)]
        # A file opened later would take the number of a closed stream, and hear what is printed.
        for descriptor in (number for number in range(3) if not there[number]):
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # noqa: FBT003
            assert _is_open(descriptor), "the lowest free number is given"
        self._out = _Stream(1, tell=True, closed=not there[1])
        sys.stdout = _text(self._out, sys.stdout)
        sys.stderr = _text(_Stream(2, tell=False, closed=not there[2]), sys.stderr)

    def refused(self) -> bool:
        """Whether standard output refused anything; flushes it first."""
        # None where a reader has seen enough.
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(BrokenPipeError, AttributeError):
                stream.flush()
        return self._out.refused


class _Stream(io.FileIO):
    """Raises only BrokenPipeError, which means that the reader has stopped reading."""

    def __init__(self, descriptor: int, *, tell: bool, closed: bool) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._tell, self._is_closed = tell, closed
        self.refused = False

    def write(self, data: Any, /) -> int | None:
        """Writes, or reports once that it cannot and discards the rest silently."""
        if not self.refused:
            try:
                if not self._is_closed:
                    return super().write(data)
                self._refuse("is closed")
            except BrokenPipeError:
                raise
            except OSError as error:
                self._refuse(f"cannot be written ({error.strerror})")
        return memoryview(data).nbytes

    def _refuse(self, why: str) -> None:
        self.refused = True
        if self._tell:
            from ablations.commands.terminal import say

            say(
                f"standard output {why}: printed text is lost, but trials and reports are saved; "
                "redirect the output elsewhere to see it"
            )


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _text(stream: _Stream, before: TextIO | None) -> TextIO:
    was = before if isinstance(before, io.TextIOWrapper) else None
    return io.TextIOWrapper(
        io.BufferedWriter(stream),
        encoding="utf-8" if was is None else was.encoding,
        errors="replace" if was is None else was.errors,
        line_buffering=was is not None and (was.line_buffering or was.write_through),
    )
