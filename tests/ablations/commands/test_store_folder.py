"""`--store` names a store or a folder that may become one; anything else is left as it is."""

from pathlib import Path

import pytest
from commands import STUDY, called, tree, written_study


@pytest.fixture
def home(here: Path) -> Path:
    """A folder of somebody's, with hidden files below folders whose names end in s."""
    for name in ("notes/.git/HEAD", "docs/.env", "trials/.hidden", "a.txt", "running/5k.json"):
        (here / name).parent.mkdir(exist_ok=True, parents=True)
        (here / name).write_text(f"of the user's: {name}")
    return here


@pytest.mark.parametrize("command", ["plan", "run", "report", "trial"])
def test_a_folder_that_is_no_store_is_refused_by_every_command_and_stays_as_it_was(
    home: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    study = written_study(home)
    before = tree(home)
    words = [study, *(["0" * 16] if command == "trial" else [])]

    said = called(capsys, command, *words, "--store", ".")

    assert said.code == 2
    assert tree(home) == before
    [line] = said.err.splitlines()
    assert f"{home} is not a store: it contains a.txt, docs, mine.yaml, notes and 2 more" in line
    assert "name a new or empty folder" in line


@pytest.mark.parametrize("command", ["status", "export"])
def test_there_is_no_store_in_a_folder_of_other_things(
    home: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    before = tree(home)

    said = called(capsys, command, *(["00"] if command == "export" else []), "--store", ".")

    assert (said.code, tree(home)) == (2, before)
    assert "--store: there is no store at ." in said.err


def test_a_run_that_is_refused_leaves_an_empty_folder_as_it_was(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = written_study(here, STUDY.replace("batch_size: 32", "batch_size: 4096"))

    said = called(capsys, "run", study, "--store", "new")

    assert said.code == 2
    assert "batch_size" in said.err
    assert not (here / "new").exists()
