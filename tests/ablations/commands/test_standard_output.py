"""Standard output that takes nothing: work goes on, one message tells it, and the exit code is 1."""

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from commands import Said, recorded, the_plan, written_study

from ablations.__main__ import main
from ablations.commands import report_tracking
from sweeps.tracking.contract import TrackingResult

REFUSING = {"full": ">/dev/full", "closed": ">&-", "all closed": "<&- >&-"}


def shell(here: Path, words: str, redirection: str) -> Said:
    """The command as a shell starts it, with its streams as the shell leaves them."""
    done = subprocess.run(
        ["/bin/sh", "-c", f"exec {shlex.quote(sys.executable)} -m ablations {words} {redirection}"],
        cwd=here,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


class Tracker:
    """Stands for MLflow's process: remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []

    def settle(self, **told: Any) -> None:
        self.told.append(("settled", told))

    def close(self, **told: Any) -> TrackingResult:
        self.told.append(("closed", told))
        return TrackingResult(0, None, 0.0)


def test_a_run_whose_output_is_refused_writes_its_reports_and_finishes_in_mlflow(
    here: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    study, tracker = written_study(here), Tracker()
    recorded(Path("runs"), the_plan(study))

    def opened(*_: Any, **__: Any) -> Tracker:
        return tracker

    monkeypatch.setattr(report_tracking, "open_tracking", opened)
    monkeypatch.setattr(sys, "stdout", sys.stdout)  # both are put back at the end
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, 1)
    os.close(full)

    with pytest.raises(SystemExit) as end:
        main(["run", str(study)])

    assert end.value.code == 1
    assert [name for name, _ in tracker.told] == ["settled", "closed"]
    assert not tracker.told[1][1].get("interrupted")
    [line] = capfd.readouterr().err.splitlines()
    assert line.startswith("ablate: standard output cannot be written (No space left on device)")
    place = here / "runs/studies/mine@laptop"
    assert (place / "report.html").is_file()
    assert (place / "report.pdf").is_file()


@pytest.mark.parametrize("how", list(REFUSING))
@pytest.mark.parametrize(
    "words",
    [
        "list",
        *(
            pytest.param(one, marks=pytest.mark.proof)
            for one in ("list --json", "--version", "--help")
        ),
    ],
)
def test_every_command_tells_it_in_one_message(here: Path, words: str, how: str) -> None:
    said = shell(here, words, REFUSING[how])

    assert said.code == 1
    [line] = said.err.splitlines()
    assert line.startswith("ablate: standard output")


def test_a_command_that_prints_nothing_is_not_concerned(here: Path) -> None:
    said = shell(here, "show none.yaml", ">&-")

    assert said.code == 2
    assert "standard output" not in said.err


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-"])
def test_messages_that_nobody_can_hear_change_neither_results_nor_exit_codes(
    here: Path, redirection: str
) -> None:
    listed = shell(here, "list --json", redirection)
    wrong = shell(here, "show none.yaml", redirection)

    assert (listed.code, wrong.code) == (0, 2)
    assert listed.out.startswith("{")
    assert wrong.out == ""


def test_a_reader_that_has_seen_enough_is_no_trouble(here: Path) -> None:
    said = shell(here, "list", "| head -n 1")

    assert said.err == ""
