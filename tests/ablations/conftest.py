"""Lets the tests here import `commands`, which stands next to them; each runs in an empty folder."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from commands import Tracker
from timed_machine import timed_machine

from ablations import machine_profile


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of the command: empty, without an ablate.toml, 200 columns wide."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


@pytest.fixture(autouse=True)
def _timed_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new store does not time the machine, for seconds; the tests of the timing do."""
    monkeypatch.setattr(machine_profile, "measure", lambda _: timed_machine())


@pytest.fixture
def tracker(monkeypatch: pytest.MonkeyPatch) -> Tracker:
    """Takes the place of MLflow's process, which needs seconds to start."""
    told = Tracker()
    monkeypatch.setattr("ablations.commands.report_tracking.open_tracking", lambda *_, **__: told)
    return told
