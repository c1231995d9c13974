"""What holds for every test: Hypothesis' profile, and that no test is skipped in silence."""

import re
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("steady", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("steady")

SKIPS = Path(__file__).with_name("SKIPS.md")


def listed_skips() -> dict[str, str]:
    """The rows of SKIPS.md: the beginning of a test's id -> the reason that may skip it."""
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \|", SKIPS.read_text(), re.MULTILINE)
    return {test: reason.strip() for test, reason in rows}


class SkipsAreListed:
    """Ends a session in red when a test was skipped that SKIPS.md does not list."""

    def __init__(self) -> None:
        self.unlisted: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not report.skipped or hasattr(report, "wasxfail"):
            return
        reason = (
            str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)
        )
        if not any(
            report.nodeid.startswith(test) and words in reason
            for test, words in listed_skips().items()
        ):
            self.unlisted.append(f"{report.nodeid}: {reason}")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.unlisted and session.exitstatus == 0:
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
