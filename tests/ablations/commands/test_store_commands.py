"""`ablate store`: what a user types to share, check and tidy a store, and what is said to mistakes."""

import json
from pathlib import Path

import pytest
from commands import STUDY, called, recorded, the_plan, written_study

from ablations.commands.store_commands import LOCK
from sweeps.storage.launch_log import save_plan
from sweeps.storage.store import Store


@pytest.fixture
def ran(here: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A folder in which a study of one trial has run."""
    study = written_study(here, STUDY.replace("seeds: 2", "seeds: 1"))
    said = called(capsys, "trial", study, _first(capsys, study))
    assert said.code == 0, said.err
    return here


def _first(capsys: pytest.CaptureFixture[str], study: str) -> str:
    return str(called(capsys, "plan", study, "--json").json["trials"][0]["key"])


def test_a_store_that_was_shared_has_the_same_records_and_can_be_reported(
    ran: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = called(capsys, "store", "export", "mine", "--to", "a.tar.gz")
    taken = called(capsys, "store", "import", "a.tar.gz", "--store", "other")
    again = called(capsys, "store", "import", "a.tar.gz", "--store", "other")

    assert "a.tar.gz: 1 record of 1 study\nsha256: " in shared.out
    assert "other: 1 record added\n" in taken.out
    assert "0 records added, 1 were already there" in again.out
    assert again.err.endswith(
        "was already there and stays as it is; `ablate report` includes the new records\n"
    )
    assert list(Store(ran / "other").records()) == list(Store(ran / "runs").records())


def test_seeds_that_two_machines_ran_are_one_study_in_one_store(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = written_study(here)
    for name, seed in (("a", 0), ("b", 1)):
        plan = the_plan(study, seeds=(seed,))
        save_plan(recorded(Path(name), plan), plan)
        called(capsys, "store", "export", "mine", "--store", name, "--to", f"{name}.tar.gz")
        assert called(capsys, "store", "import", f"{name}.tar.gz", "--store", "both").code == 0

    trials = called(capsys, "plan", study, "--store", "both", "--json").json["trials"]
    said = called(capsys, "report", study, "--store", "both")

    arms = [trial for trial in trials if trial["role"] == "arm"]
    assert [trial["reason"] for trial in arms] == ["finished"] * 4
    assert said.code == 0
    assert "50.5" in said.out  # 50 and 51: the mean of both seeds


def test_check_names_what_is_damaged_and_ends_with_1(
    ran: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = called(capsys, "store", "check")
    record = next(ran.glob("runs/trials/*/001/record.json"))
    record.write_text(record.read_text().replace('"seed": 0', '"seed": 1'))

    said = called(capsys, "store", "check")
    told = called(capsys, "store", "check", "--json")

    assert (whole.code, whole.err) == (0, "")
    assert "1 record and 1 artifact: all intact" in whole.out
    assert said.code == told.code == 1
    assert f"{record.parent} changed since it was written" in said.err
    assert "the next launch sets it aside and runs what is missing" in said.err
    assert "0 records and 1 artifact: 1 damaged" in said.out
    assert len(json.loads(told.out)["faults"]) == 1


def test_an_export_names_the_record_that_it_cannot_contain(
    ran: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = next(ran.glob("runs/trials/*/001/record.json"))
    record.write_text("torn")

    said = called(capsys, "store", "export", "--to", "a.tar.gz")

    assert f"{record.parent} cannot be read" in said.err
    assert "set-aside" in said.err
    assert "; the export does not contain it" in said.err
    assert "a.tar.gz: 0 records of 0 studies" in said.out


def test_the_command_that_reads_an_export_can_be_pasted(
    ran: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = called(capsys, "store", "export", "--to", "of mine.tar.gz")

    assert (ran / "of mine.tar.gz").is_file()
    assert "to read it: ablate store import 'of mine.tar.gz' --store DIR\n" in said.out


def test_gc_says_what_it_freed(ran: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (ran / "runs/cache").mkdir(exist_ok=True)
    (ran / "runs/cache/x").write_bytes(b"x" * 5_000_000)

    said = called(capsys, "store", "gc", "--encoders")

    assert said.out.startswith("5 MB freed; all records are still there")
    assert Store(ran / "runs").artifacts() == {}


@pytest.mark.parametrize("words", ["export", "check", "gc"])
def test_without_a_store_there_is_one_message(
    here: Path, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    said = called(capsys, "store", words, "--store", "runz")

    assert said.code == 2
    assert said.err == (
        "ablate: --store: there is no store at runz; create one with `ablate run`, or name another "
        "with --store\n"
    )
    assert list(here.iterdir()) == []


def test_every_study_that_the_store_lacks_is_named(
    ran: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = called(capsys, "store", "export", "mein", "zz")

    assert said.code == 2
    assert f"the store {ran / 'runs'} has no study 'mein'; did you mean 'mine'?" in said.err
    assert (
        f"the store {ran / 'runs'} has no study 'zz'; there are 'mine@laptop', 'mine'" in said.err
    )
    assert not list(ran.glob("*.tar.gz"))


def test_the_options_of_ablate_toml_apply_to_the_commands_below_store(
    ran: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (ran / "runs").rename(ran / "results")
    (ran / "ablate.toml").write_text('store = "results"\n')

    said = called(capsys, "store", "check")

    assert "all intact" in said.out


def test_a_checkout_has_the_lock_that_an_export_includes() -> None:
    assert LOCK.is_file()
