"""`ablate report --watch`: a page that follows the records, and leaves everything as `report` would."""

from pathlib import Path
from typing import Any

import pytest
from commands import called, record_of, recorded, the_plan, tree, written_study

from ablations.commands import watch
from sweeps.planning import Plan
from sweeps.storage import Store


def rests(monkeypatch: pytest.MonkeyPatch, *between: Any) -> list[float]:
    """Instead of resting, each of these in turn; then Ctrl-C. The lengths of the rests."""
    steps, asked = list(between), list[float]()

    def rest(seconds: float) -> None:
        asked.append(seconds)
        if not steps:
            raise KeyboardInterrupt
        steps.pop(0)()

    monkeypatch.setattr(watch, "sleep", rest)
    monkeypatch.setattr(watch.os, "nice", lambda _: None)
    return asked


def page(plan: Plan) -> Path:
    return Store(Path("runs")).study(plan.label) / "report.html"


def test_it_waits_for_records_follows_them_and_ends_as_report_would(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = written_study(here)
    plan = the_plan(study, store=here / "runs")
    pages, stamps = list[str](), list[int]()

    def first() -> None:
        assert not page(plan).exists()
        store = Store(here / "runs")
        store.prepare()
        trial = next(t for t in plan.trials if t.cell == "crop" and t.seed == 0)
        (here / "log").write_text("")
        store.commit(record_of(trial, plan, values={"top1": 40.0}), here / "log")

    def others() -> None:
        pages.append(page(plan).read_text("utf-8"))
        recorded(here / "runs", plan)

    def nothing() -> None:
        stamps.append(page(plan).stat().st_mtime_ns)

    def still_nothing() -> None:
        pages.append(page(plan).read_text("utf-8"))
        assert stamps == [page(plan).stat().st_mtime_ns]

    asked = rests(monkeypatch, first, others, nothing, still_nothing)
    said = called(capsys, "report", str(study), "--watch")

    assert said.code == 130
    assert said.err == (
        f"ablate: watching {here / 'runs'} for records of {study}; Ctrl-C ends it\n"
    )
    one, many = pages
    assert "1 of " in one
    assert one.count('id="pause"') == many.count('id="pause"') == 1
    assert one != many
    assert min(asked) >= watch.PAUSE
    ended = tree(page(plan).parent, but="snapshot.json")
    assert 'id="pause"' not in page(plan).read_text("utf-8")
    assert called(capsys, "report", str(study)).code == 0
    assert tree(page(plan).parent, but="snapshot.json") == ended


def test_it_rests_several_times_as_long_as_it_worked(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = written_study(here)
    recorded(here / "runs", the_plan(study, store=here / "runs"))
    clock = iter([0.0, 3.0])
    monkeypatch.setattr(watch, "monotonic", lambda: next(clock))
    asked = rests(monkeypatch)
    monkeypatch.setattr(watch, "_write", lambda *_: False)

    assert called(capsys, "report", str(study), "--watch").code == 130
    assert asked == [15.0]


def test_a_wrong_study_is_refused_and_nothing_is_watched(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rests(monkeypatch)
    (here / "runs").mkdir()
    (here / "runs" / "mine.txt").write_text("a file of the user's")

    said = called(capsys, "report", str(written_study(here)), "--watch")

    assert said.code == 2
    assert "runs" in said.err
