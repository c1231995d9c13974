"""What holds for every test: Hypothesis' profile, no silent skips, no process that outlives a run."""

import sys
from pathlib import Path

import hypothesis
import pytest
from proof.outliving import NothingOutlives
from proof.skips import allowed, listed

hypothesis.settings.register_profile("steady", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("steady")

SKIPS = Path(__file__).with_name("SKIPS.md")


@pytest.fixture(autouse=True)
def seeded() -> None:
    """What a test draws without a generator of its own is the same, whatever ran before it."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


class SkipsAreListed:
    """Ends a session in red when a test was skipped that SKIPS.md does not list."""

    def __init__(self) -> None:
        self.unlisted: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self._noted(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:  # a whole module
            self._noted(report)

    def _noted(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        told = report.longrepr
        reason = str(told[2]) if isinstance(told, tuple) else str(told)
        if not allowed(report.nodeid, reason, listed(SKIPS)):
            self.unlisted.append(f"{report.nodeid}: {reason}")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.unlisted and session.exitstatus in (0, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for line in self.unlisted:
            terminalreporter.write_line(
                f"skipped without a row in tests/SKIPS.md: {line}", red=True
            )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow modules first, so that two processes end together; else the order is left as shuffled."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(SkipsAreListed(), "skips-are-listed")
    if not hasattr(config, "workerinput"):  # else a worker of pytest-xdist, which inherits the mark
        config.pluginmanager.register(NothingOutlives(), "nothing-outlives")
