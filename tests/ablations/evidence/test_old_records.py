"""Records of format 1, as versions without a seal left them: they count, and the report says so."""

import json
from pathlib import Path

import pytest
from commands import called, recorded, the_plan, written_study

from sweeps.storage.seals import SEAL
from sweeps.storage.store import Store

FORMAT_1 = (
    "key", "study", "scale", "cell", "role", "levels", "seed", "config", "stages", "state", "values",
    "error", "started", "seconds", "attempt", "launch", "reused", "format", "earlier_seconds", "facts",
    "curve", "log", "files", "provenance",
)  # fmt: skip
"""All that such a record holds, in its order."""


def as_format_1(file: Path) -> None:
    about = json.loads(file.read_text()) | {"format": 1}
    assert SEAL in about
    file.write_text(json.dumps({name: about[name] for name in FORMAT_1}, indent=1) + "\n")


def test_records_of_format_1_are_finished_trials_and_the_report_counts_them(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = written_study(here)
    recorded(Path("runs"), the_plan(study))
    before = called(capsys, "report", study)
    files = sorted(Path("runs/trials").rglob("record.json"))
    page = here / "runs/studies/mine@laptop/report.html"
    assert "records without a seal" not in page.read_text()

    for file in files[:3]:
        as_format_1(file)
    after = called(capsys, "report", study)

    assert "missing" not in called(capsys, "plan", study, "--json").out
    assert (after.code, after.err, after.out) == (before.code, before.err, before.out)
    assert [one.seal is None for one in Store("runs").records()].count(True) == 3
    assert "records without a seal" in page.read_text()
    assert f"3 of {len(files)}, written by an earlier version" in page.read_text()
