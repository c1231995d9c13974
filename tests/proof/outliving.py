"""No process outlives the tests; `tests/conftest.py` registers it."""

import contextlib
import os
import secrets
import time
from collections.abc import Generator
from pathlib import Path

import pytest


class NothingOutlives:
    """Ends a session in red when a process that a test started outlives it.

    Processes are recognised by an environment variable that they inherit; see /proc (Linux alone).
    """

    VARIABLE = "SIMCLR_TEST_SESSION"
    PATIENCE = 15.0

    def __init__(self) -> None:
        self.token = secrets.token_hex(8)
        self.left: list[str] = []
        os.environ[self.VARIABLE] = self.token

    def living(self) -> list[str]:
        mark = f"{self.VARIABLE}={self.token}\0".encode()
        found: list[str] = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (folder / "environ").read_bytes() and int(folder.name) != os.getpid():
                    words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    found.append(f"{folder.name} {words[:200]}")
        return found

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        yield  # the workers of pytest-xdist end here
        until = time.monotonic() + self.PATIENCE
        while (left := self.living()) and time.monotonic() < until:
            time.sleep(0.2)
        self.left = left
        if left and session.exitstatus == 0:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for line in self.left:
            terminalreporter.write_line(f"a process outlived the tests: {line}", red=True)
