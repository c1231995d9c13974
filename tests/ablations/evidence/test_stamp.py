"""Claims, margins and looks are stamped before the first trial, and every later change is told."""

import importlib.metadata
import json
from pathlib import Path
from typing import Any

import pytest
from commands import STUDY, called, recorded, the_plan, written_study

from ablations.commands.verdict_table import show_board
from ablations.compose.planning import compose
from ablations.evidence import stamp as stamping
from ablations.evidence.collect import evidence
from ablations.evidence.resolved import snapshot_of
from ablations.evidence.stamp import fix, stamp_file
from ablations.study.request import Request
from reports.document.sections import document
from reports.judging.verdict_board import board
from reports.spec.evidence import Evidence
from sweeps.execution import executor
from sweeps.execution.trial_runner import RunSettings, TrialResult
from sweeps.storage.store import Store

LABEL = "mine@laptop"


def stamped(study: Path, day: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a run on that day would."""
    composed, store = compose(Request(study=str(study)))
    monkeypatch.setattr(stamping, "now", lambda: f"{day}T10:00:00.000Z")
    store.prepare()
    fix(snapshot_of(composed), store)


def told(study: Path) -> Evidence:
    composed, store = compose(Request(study=str(study)))
    return evidence(snapshot_of(composed), composed.request, store)


def changes(study: Path) -> list[tuple[str, str]]:
    return [(change.claim, change.text) for change in told(study).stamp.changes]


def measured(study: Path, day: str, **request: Any) -> None:
    """As trials of that day would."""
    began = {"started": f"{day}T11:00:00.000Z"}
    plan = the_plan(study, **request)
    recorded(Path("runs"), plan, **{trial.cell: began for trial in plan.trials})


@pytest.fixture
def study(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study with a margin of -2 whose first run was on the 27th, with records since."""
    path = written_study(here, STUDY.replace("margin: 0", "margin: -2"))
    stamped(path, "2026-11-27", monkeypatch)
    measured(path, "2026-11-27")
    return path


def edited(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_what_has_not_changed_is_told_with_the_day_and_nothing_else(study: Path) -> None:
    found = told(study).stamp

    assert (found.fixed[:10], found.unknown, found.changes) == ("2026-11-27", "", ())
    assert len(found.sha256) == 64
    assert "nothing has changed since" in document(told(study)).model_dump_json()


def test_a_margin_edited_after_the_trials_is_told_next_to_its_verdict_with_both_values(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edited(study, "margin: -2", "margin: -20")

    text = "margin was -2 at the first run (2026-11-27), is -20 now"
    assert changes(study) == [("colour helps", text)]
    (row,) = board(told(study)).rows
    assert (row.margin, row.changes) == ("-20 points", (text,))
    (card,) = [b for s in document(told(study)).sections for b in s.blocks if b.kind == "card"]
    assert dict(card.facts)["margin"] == "-20 points"
    assert dict(card.facts)["changed"] == text
    appendix = [s for s in document(told(study)).sections if s.ident == "methods"]
    assert text in str(appendix)
    from ablations.commands.terminal import console

    show_board(told(study), console())
    shown = " ".join(capsys.readouterr().out.split())
    assert "-20 points" in shown
    assert "margin was -2 at the first run" in shown


@pytest.mark.parametrize(
    ("old", "new", "claim", "text"),
    [
        ("primary: true", "primary: false", "colour helps", "primary was true"),
        ("better: with, worse: without", "better: without, worse: with", "colour helps",
         'better was "with"'),
        ("{with: crop+colour, without: crop}", "{with: crop, without: crop+colour}",
         "colour helps", 'roles with was "crop+colour"'),
        ("seeds: 2", "looks: {seeds: [2, 4], shares: [0.5, 0.5]}\nseeds: 2", "",
         "looks seeds was [5, 10]"),
        ("seeds: 2", "metric: knn_top1\nseeds: 2", "", 'metric was "top1"'),
        ("seeds: 2", "control_arm: crop+colour\nseeds: 2", "", "control_arm was null"),
        ("figures:", "published: {values: {crop: 5}, source: table 1}\nfigures:", "colour helps",
         "published crop was absent"),
        ("figures:", "published: {values: {crop: 5}, source: table 1, tie: 2}\nfigures:", "",
         "published tie was 0 at the first run (2026-11-27), is 2 now"),
        ("    set:\n", "    only: [crop]\n    set:\n", "", "cells left out, against those at"),
        ("      crop: [", "      turned: [{kind: rotation}]\n      crop: [", "",
         "cells added, against those at the first run (2026-11-27): turned"),
        ("name: colour helps", "name: another", "another", "it was added later"),
        ("name: colour helps", "name: another", "", "claim 'colour helps' existed"),
    ],
)  # fmt: skip
def test_every_term_that_a_verdict_hangs_on_is_compared(
    study: Path, old: str, new: str, claim: str, text: str
) -> None:
    edited(study, old, new)

    found = changes(study)

    assert any(told[0] == claim and text in told[1] for told in found), found
    if not claim:
        assert any(text in warning for warning in board(told(study)).warnings)


def test_changing_back_stays_visible_once_a_run_has_seen_it(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edited(study, "margin: -2", "margin: -20")
    stamped(study, "2026-11-28", monkeypatch)
    edited(study, "margin: -20", "margin: -2")
    stamped(study, "2026-11-29", monkeypatch)

    text = "margin was -2 at the first run (2026-11-27), -20 from 2026-11-28, is -2 now"
    assert changes(study) == [("colour helps", text)]


RANKED = """\
  - {kind: ranks_like, name: as published}
published: {values: {crop: 50, crop+colour: 60}, source: table 1}
figures:
"""


def test_cells_left_out_after_the_trials_are_told_next_to_the_ranking(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written_study(here, STUDY.replace("figures:\n", RANKED))
    stamped(path, "2026-11-27", monkeypatch)
    measured(path, "2026-11-27")
    edited(path, "    set:\n", "    only: [crop]\n    set:\n")

    text = "cells left out, against those at the first run (2026-11-27): crop+colour"
    assert ("as published", text) in changes(path)
    edited(path, "    only: [crop]\n", "")
    assert changes(path) == []


def test_an_arm_that_was_redefined_after_the_trials_is_told(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edited(study, "crop: [{kind: crop}]", "crop: [{kind: rotation}]")
    stamped(study, "2026-11-28", monkeypatch)

    text = "cells reconfigured, against those at the first run (2026-11-27): crop"
    assert changes(study) == [("", text)]
    edited(study, "crop: [{kind: rotation}]", "crop: [{kind: crop}]")
    assert changes(study) == [("", text.replace("reconfigured", "reconfigured, not now"))]


def test_a_run_of_other_encoders_between_fixes_no_other_margin(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Margin and epochs are changed, a run stamps them, and the epochs are changed back."""
    edited(study, "margin: -2", "margin: -20")
    edited(study, "epochs: 1", "epochs: 2")
    stamped(study, "2026-11-28", monkeypatch)
    assert told(study).stamp.changes == ()
    edited(study, "epochs: 2", "epochs: 1")

    text = "margin was -2 at the first run (2026-11-27), is -20 now"
    assert changes(study) == [("colour helps", text)]


def test_a_read_out_added_after_the_trials_fixes_no_other_margin(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Other keys of trials, but of encoders whose numbers are known.
    edited(study, "margin: -2", "margin: -20")
    edited(study, "  views: {kind", "  evaluation: {label_fractions: [0.5]}\n  views: {kind")
    stamped(study, "2026-11-28", monkeypatch)
    measured(study, "2026-11-28")

    assert ("colour helps", "margin was -2 at the first run (2026-11-27), is -20 now") in changes(
        study
    )


def test_a_stamp_of_another_study_fixes_nothing(study: Path, here: Path) -> None:
    """A cheap study with the margin that would please is stamped, and its stamp is copied."""
    text = study.read_text().replace("margin: -2", "margin: -20")
    cheap = text.replace("name: mine", "name: cheap").replace("batch_size: 32", "batch_size: 16")
    other = written_study(here, cheap, "cheap.yaml")
    composed, store = compose(Request(study=str(other)))
    fix(snapshot_of(composed), store)
    edited(study, "margin: -2", "margin: -20")
    stamp_file(store, LABEL).write_bytes(stamp_file(store, "cheap@laptop").read_bytes())

    assert "the stamp of the first run belongs to other encoders" in told(study).stamp.unknown


def test_a_stamp_younger_than_the_trials_fixes_nothing(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The records are put away, the study is stamped, and the records are put back."""
    stamp_file(Store("runs"), LABEL).unlink()
    Path("runs/trials").rename("away")
    edited(study, "margin: -2", "margin: -20")
    stamped(study, "2026-11-28", monkeypatch)
    for path in Path("runs/trials").glob("*"):
        path.rmdir()
    Path("runs/trials").rmdir()
    Path("away").rename("runs/trials")

    found = told(study).stamp.unknown
    assert found.startswith("the stamp dates from 2026-11-28, but trials on record are older")


def test_a_run_without_a_change_adds_nothing(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = stamp_file(Store("runs"), LABEL)
    before = file.read_bytes()

    stamped(study, "2026-11-28", monkeypatch)

    assert file.read_bytes() == before


def test_without_a_stamp_where_records_are_it_is_not_known(study: Path) -> None:
    stamp_file(Store("runs"), LABEL).unlink()

    text = "the stamp of the first run is missing"
    assert text in told(study).stamp.unknown
    assert any(text in warning for warning in board(told(study)).warnings)
    assert "not known to be fixed before the run" in document(told(study)).model_dump_json()


@pytest.mark.parametrize("damage", ["torn", "edited", "of another form", "empty", "a list"])
def test_a_damaged_stamp_is_never_ignored(
    study: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    file = stamp_file(Store("runs"), LABEL)
    text = file.read_text()
    assert '"margin": -2.0' in text
    file.write_text(
        {
            "torn": text[:100],
            "edited": text.replace('"margin": -2.0', '"margin": -20.0'),
            "of another form": '{"entries": [3]}',
            "empty": "",
            "a list": "[]",
        }[damage]
    )

    assert "is damaged" in told(study).stamp.unknown
    stamped(study, "2026-11-28", monkeypatch)
    found = told(study).stamp.unknown
    assert found.startswith("the stamp dates from 2026-11-28, when 4 trials were on record")


def test_before_any_trial_a_change_is_none(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As after kill -9 between the stamp and the trials.
    path = written_study(here)
    stamped(path, "2026-11-27", monkeypatch)
    edited(path, "margin: 0", "margin: 3")
    assert told(path).stamp.changes == ()
    stamped(path, "2026-11-28", monkeypatch)
    measured(path, "2026-11-28")

    found = told(path).stamp
    assert (found.fixed[:10], found.unknown, found.changes) == ("2026-11-28", "", ())


def test_a_checkout_that_is_not_installed_is_stamped_too(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", gone)
    stamped(written_study(here), "2026-01-01", monkeypatch)

    [entry] = json.loads(stamp_file(Store("runs"), LABEL).read_text())["entries"]
    assert entry["version"] == "not installed"


def test_a_report_writes_no_stamp(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = stamp_file(Store("runs"), LABEL)
    before = file.read_bytes()
    edited(study, "margin: -2", "margin: -20")

    assert called(capsys, "report", study).code == 0
    assert file.read_bytes() == before
    file.unlink()
    assert called(capsys, "report", study).code == 0
    assert not file.exists()


def test_the_stamp_is_written_under_the_lock_before_any_trial_starts(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = written_study(here)
    seen: list[bool] = []

    def run_trial(_: Any, trial: Any, store: Store, **__: Any) -> TrialResult:
        seen.append(
            all((store.study(LABEL) / name).exists() for name in ("stamp.json", "snapshot.json"))
        )
        return TrialResult(trial.key, "failed", "not run here", 1)

    monkeypatch.setattr(executor, "run_trial", run_trial)
    key = the_plan(study).trials[0].key
    assert called(capsys, "trial", study, key).code == 1
    assert seen == [True]

    # The launch of many trials calls `before` at the same place.
    class Launch:
        def __init__(self, **_: Any) -> None: ...

        def run(self, _: Path) -> None:
            seen.append(bool(order))

    order: list[bool] = []

    def before() -> None:
        with pytest.raises(Exception, match="in use"), Store("runs").locked():
            pass
        order.append(True)

    monkeypatch.setattr(executor, "Launch", Launch)
    store = Store("runs")
    executor.execute(
        the_plan(study), store, "x:y", RunSettings(slots=1, threads=1, gpus=0.0), before=before
    )
    assert seen == [True, True]
    assert json.loads(stamp_file(store, LABEL).read_text())["entries"][0]["trials"] == 0
