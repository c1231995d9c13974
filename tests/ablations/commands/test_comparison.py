"""`ablate compare` and `ab.compare`: studies, variations and stores by name, and their report."""

import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from commands import called, record_of, the_plan, tree, written_study
from scipy import stats

import ablations as ab
from ablations.compose import compose
from ablations.errors import UsageError
from ablations.evidence import save, snapshot_of
from ablations.study import Request, parse_assignment
from sweeps.storage import Store, save_plan

PLAIN, WARMER = "mine@laptop", "mine@laptop+loss.temperature=0.2"
CROP = {PLAIN: [50.0, 51.5, 49.0], WARMER: [54.0, 54.5, 55.0]}


def launched(store: Path, study: Path, *texts: str, numbers: list[float], **request: Any) -> str:
    """What a launch leaves in a store, with these numbers for each arm; returns the label."""
    settings = tuple(parse_assignment(text) for text in texts)
    asked = {"set": settings, "seeds": (0, 1, 2), "store": store, **request}
    plan = the_plan(study, **asked)
    made = Store(store)
    made.prepare()
    for trial in plan.todo:
        values = {"top1": numbers[trial.seed] if trial.role == "arm" else 10.0}
        record = record_of(trial, plan, variation=plan.variation, values=values)
        made.commit(record, made.running / "log")
    save_plan(made, plan)
    save(snapshot_of(compose(Request(study=str(study), **asked))[0]), made)
    return plan.label


@pytest.fixture
def study(here: Path) -> Path:
    """A study and its variation, on record in `runs`, and the study once more in `others`."""
    path = written_study(here)
    launched(here / "runs", path, numbers=CROP[PLAIN])
    launched(here / "runs", path, "loss.temperature=0.2", numbers=CROP[WARMER])
    launched(here / "others", path, numbers=[50.5, 51.0, 49.0])
    return path


def test_a_study_and_its_variation_are_compared_in_a_report_of_their_own(
    study: Path, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(here / "runs/studies")
    # It reads snapshots and records only.
    study.unlink()
    monkeypatch.setitem(sys.modules, "ablations.compose", None)

    said = called(capsys, "compare", "mine", "loss.temperature=0.2")

    assert said.code == 0, said.err
    folder = here / f"runs/comparisons/{PLAIN}_vs_{WARMER}"
    assert f"report: {folder / 'report.html'}\n" in said.out
    low, high = stats.ttest_rel(CROP[WARMER], CROP[PLAIN]).confidence_interval(0.95)
    assert re.search(r"^arm +difference \(points\) ", said.out, re.MULTILINE)
    row = next(line for line in said.out.splitlines() if line.startswith("crop "))
    assert row.split(maxsplit=2)[1] == "+4.3"
    assert f"[{low:+.1f}, {high:+.1f}]   3   paired by seed" in row
    assert "This comparison is exploratory" in said.out
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "<title>loss.temperature=0.2 against mine@laptop" in page
    assert {path.name for path in folder.iterdir()} == {
        "report.html", "report.pdf", "tables", "figures",
    }  # fmt: skip
    assert tree(here / "runs/studies") == before


@pytest.mark.usefixtures("study")
def test_stores_are_compared_by_name_and_nothing_of_another_comparison_is_overwritten(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (
        ("mine@laptop", "others:mine"),
        ("mine", "others"),  # a store alone: what the other side is
        ("runs:mine@laptop", "others:mine@laptop"),
    ):
        said = called(capsys, "compare", *words)
        assert said.code == 0, said.err
        assert f"first: {PLAIN} in runs\nother: {PLAIN} in others\n" in said.out
    assert called(capsys, "compare", "mine", "loss.temperature=0.2").code == 0
    assert called(capsys, "compare", "mine", "others", "loss.temperature=0.2").code == 0
    shutil.copytree(here / "others", here / "third")
    assert called(capsys, "compare", "mine", "third").code == 0

    assert len(list((here / "runs/comparisons").iterdir())) == 4


@pytest.mark.usefixtures("study")
def test_python_gives_the_same_differences_as_a_frame_and_writes_nothing(here: Path) -> None:
    before = tree(here, but="index.jsonl")

    frame = ab.compare("mine", "loss.temperature=0.2", store=here / "runs")

    theirs = stats.ttest_rel(CROP[WARMER], CROP[PLAIN]).confidence_interval(0.95)
    assert list(frame["arm"]) == ["crop", "crop+colour"]
    first = frame.iloc[0]
    assert (first["first"], first["other"]) == (PLAIN, "loss.temperature=0.2")
    assert [first["mean.first"], first["mean.other"], first["difference"]] == pytest.approx(
        [150.5 / 3, 54.5, 13 / 3]
    )
    assert (first["low"], first["high"]) == pytest.approx(tuple(theirs))
    assert (first["n"], first["level"], first["how"]) == (3, 0.95, "paired by seed")
    assert tree(here, but="index.jsonl") == before
    with pytest.raises(UsageError, match="at least two"):
        ab.compare("mine", store=here / "runs")


def test_every_wrong_name_is_one_message_with_the_nearest(
    study: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    launched(here / "runs", study, numbers=[1.0, 2.0, 3.0], scale="smoke")
    before = tree(here, but="index.jsonl")

    for words, sentences in {
        ("mine", "loss.temperature=0.2"): (
            f"'mine' fits 2 studies; name one: {PLAIN}, mine@smoke",
        ),
        (PLAIN, "loss.temperature=0.3", "nowhere:mine"): (
            (
                f"the store {here / 'runs'} has no study 'loss.temperature=0.3'; did you mean "
                "'loss.temperature=0.2'"
            ),
            "nowhere:mine: there is no store at nowhere;",
        ),
        (PLAIN, PLAIN): (
            f"each side must be another one, but {PLAIN} in {here / 'runs'} is named twice",
        ),
        (PLAIN,): ("compare: needs at least two of STUDY, VARIATION or STORE, got one",),
    }.items():
        said = called(capsys, "compare", *words)
        assert (said.code, said.out) == (2, "")
        for sentence, line in zip(sentences, said.err.splitlines(), strict=True):
            assert sentence in line
    assert tree(here, but="index.jsonl") == before


@pytest.mark.usefixtures("study")
def test_a_study_without_a_snapshot_names_the_command_that_stores_one(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "runs/studies" / WARMER / "snapshot.json").unlink()

    said = called(capsys, "compare", "mine", "loss.temperature=0.2")

    assert said.code == 2
    assert "has no snapshot that can be read; write its report with `ablate report " in said.err
    assert "--set loss.temperature=0.2" in said.err


def test_a_run_of_some_cells_is_compared_by_these_and_lacks_nothing(
    study: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    only = {"only": ("crop+colour",), "numbers": [60.0, 61.0, 62.5]}
    launched(here / "third", study, "loss.temperature=0.2", **only)
    # `ablate report` without --only stores a snapshot without this run's own controls.
    whole = Request(study=str(study), set=(parse_assignment("loss.temperature=0.2"),))
    save(snapshot_of(compose(whole)[0]), Store(here / "third"))

    said = called(capsys, "compare", "mine", "third")

    assert said.code == 0, said.err
    rows = [line.split()[:2] for line in said.out.splitlines() if line.startswith("crop")]
    assert rows == [["crop+colour", "+11.0"]]
    [folder] = (here / "runs/comparisons").iterdir()
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "None: every planned trial of each side finished." in page
