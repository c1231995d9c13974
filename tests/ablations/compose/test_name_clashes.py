"""Two study files with one `name:`: the second does not take the folder and reports of the first."""

from pathlib import Path
from typing import Any

import pytest
from commands import STUDY, called, recorded, the_plan, tree, written_study

from ablations.commands import report_tracking
from sweeps.storage.launch_log import save_plan
from sweeps.tracking.contract import TrackingResult

OTHER = STUDY.replace("batch_size: 32", "batch_size: 16")


class Tracker:
    """Stands for MLflow's process."""

    def settle(self, **_: Any) -> None: ...

    def close(self, **_: Any) -> TrackingResult:
        return TrackingResult(0, None, 0.0)


@pytest.fixture(autouse=True)
def _no_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*_: Any, **__: Any) -> Tracker:
        return Tracker()

    monkeypatch.setattr(report_tracking, "open_tracking", opened)


@pytest.fixture
def first(here: Path) -> Path:
    """A study of which all trials are on record."""
    study = written_study(here)
    plan = the_plan(study)
    save_plan(recorded(Path("runs"), plan), plan)
    return study


@pytest.mark.parametrize("command", ["run", "trial", "plan"])
def test_another_design_in_another_file_is_refused_with_both_files_and_changes_nothing(
    here: Path, first: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    second = written_study(here, OTHER, "second.yaml")
    key = the_plan(second).trials[0].key
    before = tree(here / "runs", but="index.jsonl")

    said = called(capsys, command, second, *([key] if command == "trial" else []))

    assert said.code == 2
    assert said.out == ""
    [line] = said.err.splitlines()
    assert line == (
        f"ablate: {second} and {first} both have name: mine but different designs; mine@laptop in the "
        f"store {here / 'runs'} belongs to {first}, and its reports would be overwritten; give one of them "
        "another name:, or name another store with --store"
    )
    assert tree(here / "runs", but="index.jsonl") == before


def test_the_same_design_in_a_copy_goes_on(
    here: Path, first: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = written_study(here, first.read_text(), "copy.yaml")

    assert called(capsys, "run", copy).code == 0


def test_a_copy_with_a_level_more_shares_what_it_can(
    here: Path, first: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del first
    more = STUDY.replace("seeds: 2", "seeds: [0]").replace("statement: It does", "statement: Yes")
    copy = written_study(here, more, "copy.yaml")

    assert called(capsys, "run", copy).code == 0


@pytest.mark.parametrize("what", ["moved", "edited", "renamed"])
def test_a_file_that_was_moved_or_edited_or_got_another_name_stands_in_nobodys_way(
    here: Path,
    first: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    from ablations.commands import run as running
    from sweeps.execution import Execution

    went_on: list[int] = []

    def execute(*_: Any) -> Execution:
        went_on.append(1)
        return Execution()

    monkeypatch.setattr(running, "_execute", execute)
    study = first if what == "edited" else here / "second.yaml"
    study.write_text(OTHER)
    if what == "moved":
        first.unlink()
    if what == "renamed":
        first.write_text(STUDY.replace("name: mine", "name: older", 1))

    said = called(capsys, "run", study)

    assert "name: mine" not in said.err
    assert went_on == [1]


def test_status_of_a_file_looks_for_its_name(
    here: Path, first: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first.rename(here / "another.yaml")

    said = called(capsys, "status", here / "another.yaml")

    assert said.code == 0, said.err
    assert "mine@laptop: 10 of 10 trials" in said.out


def test_status_of_a_file_that_is_gone_or_broken_looks_for_what_it_is_called(
    here: Path, first: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "mine.yaml").write_text("name: [")
    broken = called(capsys, "status", here / "mine.yaml")
    first.unlink()
    gone = called(capsys, "status", here / "mine.yaml")

    assert (broken.code, gone.code) == (0, 0)
