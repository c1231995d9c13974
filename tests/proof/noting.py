"""A plugin of pytest that writes down what became of each test, one JSON line each.

`-p proof.noting` with PROOF_NOTES, the file, in the environment. With PROOF_ENOUGH the session ends
once so many different tests have failed; the parameters of one test count as one.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest


class Noting:
    """Writes on the process that starts the session, not on xdist's workers."""

    def __init__(self, file: Path, enough: int | None) -> None:
        self._file, self._enough = file, enough
        self._failed: set[str] = set()
        self._session: pytest.Session | None = None

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        self._session = session

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        expected = getattr(report, "wasxfail", None)
        if report.failed:
            self._note(report, "red", f"{report.when}: {_message(report)}")
        elif report.skipped:
            self._note(
                report, "skipped", f"expected to fail: {expected}" if expected else _why(report)
            )
        elif report.when == "call":
            told = [str(value) for _, value in report.user_properties]
            self._note(report, "green", "", told)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._note(report, "red", f"collection: {_message(report)}")
        elif report.skipped:
            self._note(report, "skipped", _why(report))

    def _note(self, report: Any, state: str, reason: str, told: list[str] | None = None) -> None:
        line = {"test": report.nodeid, "state": state, "reason": reason, "told": told or []}
        with self._file.open("a", encoding="utf-8") as notes:
            notes.write(json.dumps(line) + "\n")
        if state == "red":
            self._failed.add(report.nodeid.split("[")[0])
        if self._session and self._enough and len(self._failed) >= self._enough:
            self._session.shouldfail = f"{self._enough} tests have failed"


def _why(report: Any) -> str:
    return str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)


def _message(report: Any) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    told = crash.message.splitlines()[:1] if crash else str(report.longreprtext).splitlines()[-1:]
    return told[0].strip() if told else "no reason given"


def pytest_configure(config: pytest.Config) -> None:
    file = os.environ.get("PROOF_NOTES")
    if file and not hasattr(config, "workerinput"):
        enough = os.environ.get("PROOF_ENOUGH")
        config.pluginmanager.register(
            Noting(Path(file), int(enough) if enough else None), "proof-noting"
        )
