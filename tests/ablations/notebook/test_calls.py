"""Studies from Python: shapes and types of data frames, selection by the report's rules, errors."""

import html
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from commands import STUDY, record_of, recorded, the_plan, written_study

import ablations as ab
from ablations.commands import report_tracking
from ablations.errors import StudyError, UsageError
from ablations.evidence.collect import evidence
from ablations.evidence.snapshots import current
from ablations.notebook.frames import verdict_frame
from ablations.notebook.outcome import ReportFiles, RunResult
from ablations.study.request import Request
from reports.document.blocks import Table
from reports.document.sections import document
from reports.errors import ReportError
from reports.spec import CellInfo, Equivalent, Evidence, Increases
from sweeps.errors import PlanError
from sweeps.storage.store import Store
from sweeps.tracking.contract import TrackingResult

CURVE = {"step": [1, 2, 3], "loss": [2.0, None, 1.5], "rate": [0.1, 0.2, 0.3]}
DIVERGED = {"state": "failed", "values": {}, "error": "Diverged: the loss is nan at step 3"}
TYPES = {
    **dict.fromkeys(("study", "scale", "variation", "cell", "axis.views"), "category"),
    **dict.fromkeys(("role", "state"), "category"),
    **dict.fromkeys(("seed", "attempt"), "Int64"),
    **dict.fromkeys(("metric.top1", "seconds"), "float64"),
    **dict.fromkeys(("key", "error"), "string"),
    "collapsed": "boolean",
}


@pytest.fixture(autouse=True)
def untracked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without MLflow's process."""

    class Nothing:
        def settle(self, **_: Any) -> None: ...

        def close(self, **_: Any) -> TrackingResult:
            return TrackingResult(0, None, 0.0)

    monkeypatch.setattr(report_tracking, "open_tracking", lambda *_, **__: Nothing())


def complete(here: Path, text: str = STUDY, **told: dict[str, Any]) -> str:
    study = written_study(here, text)
    recorded(Path("runs"), the_plan(study), **{"crop": {"curve": CURVE}, **told})
    return str(study)


def test_the_import_is_cheap_and_lists_its_names() -> None:
    script = (
        "import sys, ablations as ab; assert {'run', 'results'} <= set(dir(ab));"
        "heavy = {'torch', 'ray', 'mlflow', 'pandas', 'numpy', 'pydantic', 'typer', 'rich'};"
        "print(sorted(heavy & {name.partition('.')[0] for name in sys.modules}))"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="no attribute 'rows'"):
        ab.rows  # noqa: B018 -- the access is what fails


def test_results_have_a_row_for_each_trial_and_typed_columns(here: Path) -> None:
    study = complete(here)

    frame = ab.results(study)

    plan = the_plan(study)
    shown = [trial for trial in plan.trials if trial.role != "control"]
    assert frame["key"].tolist() == [trial.key for trial in shown]
    assert frame["cell"].tolist() == [trial.cell for trial in shown]
    assert frame["seed"].tolist() == [trial.seed for trial in shown]
    assert frame["metric.top1"].tolist() == [50.0 + trial.seed for trial in shown]
    assert {name: str(frame.dtypes[name]) for name in TYPES} == TYPES
    others = frame.columns.difference(list(TYPES))
    assert all(name.startswith("metric.") for name in others)
    assert all(str(frame.dtypes[name]) == "float64" for name in others)
    assert (frame["study"] == "mine").all()
    assert frame["axis.views"].isna().tolist() == [trial.role != "arm" for trial in shown]
    assert frame["error"].isna().all()


def test_controls_are_apart(here: Path) -> None:
    study = complete(here)

    extra = set(ab.results(study, controls=True)["role"]) - set(ab.results(study)["role"])

    assert extra == {"control"}


def test_an_empty_store_gives_the_columns_and_types_of_a_full_one(here: Path) -> None:
    study = str(written_study(here))
    empty = [ab.results(study, store="none"), ab.curves(study, store="none")]
    claims = ab.verdicts(study, store="none")
    assert not Path("none").exists()
    complete(here)

    full = [ab.results(study), ab.curves(study)]

    for one, other in zip(empty, full, strict=True):
        assert len(one) == 0
        assert len(other) > 0
        assert list(one.columns) == list(other.columns)
        assert [str(t) for t in one.dtypes] == [str(t) for t in other.dtypes]
    assert claims["verdict"].tolist() == ["waiting for its look"] or claims["n"].tolist() == [0]
    assert claims["difference"].isna().all()
    assert claims.dtypes.equals(ab.verdicts(study).dtypes)


def test_the_attempt_that_counts_stands_for_its_trial_and_strays_are_left_out(here: Path) -> None:
    study = complete(here)
    plan, store = the_plan(study), Store("runs")
    first = next(trial for trial in plan.trials if trial.cell == "crop")
    for attempt, told in ((2, {"values": {"top1": 70.0}}), (3, DIVERGED)):
        again = record_of(first, plan, attempt=attempt, **told)
        store.commit(again, store.running / "again.log")
    stray = record_of(first, plan).model_copy(update={"key": "0" * len(first.key), "stages": ()})
    store.commit(stray, store.running / "stray.log")

    frame = ab.results(study).set_index("key")

    assert (frame.loc[first.key, "metric.top1"], frame.loc[first.key, "attempt"]) == (70.0, 2)
    assert stray.key not in frame.index


def test_a_failed_trial_has_its_error_and_no_number(here: Path) -> None:
    study = complete(here, **{"crop+colour": DIVERGED})

    frame = ab.results(study)

    lost = frame[frame["cell"] == "crop+colour"]
    assert lost["state"].tolist() == ["failed"] * 2
    assert lost["error"].tolist() == [DIVERGED["error"]] * 2
    assert lost["metric.top1"].isna().all()


def test_curves_are_long_and_leave_out_what_is_unknown(here: Path) -> None:
    study = complete(here)

    found = ab.curves(study)

    one = found[(found["cell"] == "crop") & (found["seed"] == 0)]
    rows = list(zip(one["step"], one["metric"], one["value"], strict=True))
    assert rows == [
        *((1, "loss", 2.0), (3, "loss", 1.5)),
        *((1, "rate", 0.1), (2, "rate", 0.2), (3, "rate", 0.3)),
    ]
    assert set(found["cell"]) == {"crop"}
    assert [str(kind) for kind in found.dtypes] == [
        *("string", "category", "Int64", "Int64", "category", "float64")
    ]


def test_verdicts_are_those_of_the_report(here: Path) -> None:
    study = complete(here, **{"crop+colour": {"values": {"top1": 60.0}}})

    (row,) = ab.verdicts(study).to_dict("records")

    made = evidence(
        current(Request(study=study), Store("runs")).snapshot, Request(study=study), Store("runs")
    )
    blocks = [b for section in document(made).sections for b in section.blocks]
    (claims,) = [b for b in blocks if isinstance(b, Table) and b.ident == "claims"]
    shown = dict(zip([c.name for c in claims.columns], claims.rows[0], strict=True))
    assert row["claim"] == shown["claim"].text == "colour helps"
    assert (row["kind"], row["primary"], row["n"]) == ("beats", True, 2)
    assert f"{row['difference']:+.1f}" == shown["estimate"].text == "+9.5"
    assert f"[{row['low']:+.1f}, {row['high']:+.1f}]" == shown["interval"].text
    assert row["verdict"] == shown["verdict"].text
    assert (row["level"], row["margin"]) == (0.95, 0.0)


def test_the_frame_gives_the_reports_means(here: Path) -> None:
    study = complete(here)
    files = ab.report(study)

    means = ab.results(study).groupby("cell", observed=True)["metric.top1"].mean()

    cells = pd.read_csv(files.tables / "cells.csv").set_index("cell")["mean, %"]
    assert cells.to_dict() == pytest.approx(means.to_dict(), abs=1e-12)


def test_a_run_returns_verdicts_counts_and_paths(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = complete(here, **{"crop+colour": DIVERGED})

    done = ab.run(study, store="runs")

    assert done.study == "mine@laptop"
    assert done.counts["failed"] == 2
    assert sum(done.counts.values()) == len(the_plan(study).trials)
    assert not done.complete
    assert len(done.messages) == 2
    assert all("Diverged" in message for message in done.messages)
    assert done.verdicts.equals(ab.verdicts(study))
    place = here / "runs/studies/mine@laptop"
    assert done.report == ReportFiles(
        place / "report.html", place / "report.pdf", place / "tables", place / "figures"
    )
    assert done.report.pdf.is_file()
    assert "colour helps" in capsys.readouterr().out


def test_a_report_has_the_bytes_of_the_runs(here: Path) -> None:
    study = complete(here)
    done = ab.run(study)
    place = here / "runs/studies/mine@laptop"
    parts = ("report.*", "tables/*", "figures/*")
    before = {path: path.read_bytes() for part in parts for path in place.glob(part)}

    ab.report(study)

    assert len(before) > 15
    assert before == {path: path.read_bytes() for part in parts for path in place.glob(part)}
    assert done.complete


def test_in_jupyter_a_report_is_a_frame_that_cannot_leave_it(here: Path) -> None:
    name = "</iframe><script>alert(1)</script>"
    study = complete(here, STUDY.replace("A study of my own", f'"{name}"'))

    shown = ab.report(study)._repr_html_()

    (attributes, page) = re.fullmatch(
        r'<iframe ([^<>]*?) srcdoc="([^"]*)"></iframe>', shown
    ).groups()
    assert 'sandbox="allow-scripts"' in attributes
    source = html.unescape(page)
    assert source.startswith("<!DOCTYPE html>")
    assert "default-src 'none'" in source
    assert html.escape(name) in source
    assert name not in source
    assert source.count("<script>") == 1  # the page's own, allowed by its hash
    assert not re.search(r'(?:src|href)="(?!#|data:)', source)
    assert (here / "runs/studies/mine@laptop/report.html").read_text().count('class="files"') > 5


def test_a_report_that_is_gone_says_so(tmp_path: Path) -> None:
    gone = ReportFiles(*(tmp_path / name for name in ("<b>.html", "b", "c", "d")))

    assert "&lt;b&gt;.html cannot be read (No such file or directory)" in gone._repr_html_()


def test_every_kind_of_claim_keeps_its_name() -> None:
    claims = (
        Equivalent(name="alike", among=("a", "b"), margin=1.0),
        Increases(name="rises", along=("a", "b")),
    )
    cells = (CellInfo(name="a"), CellInfo(name="b"))
    made = Evidence(
        study="s", title="t", question="", source="", scale="laptop", synthetic_data=False,
        data_name="none", cells=cells, planned=(), records=(), claims=claims,
        roles={"a": "a", "b": "b"},
    )  # fmt: skip

    assert verdict_frame(made)["kind"].tolist() == ["equivalent", "increases"]


def test_names_and_axes_of_any_kind_have_columns_of_their_own(here: Path) -> None:
    levels = {"=1+1": [{"kind": "crop"}], "seed": [{"kind": "crop"}, {"kind": "colour"}]}
    text = STUDY.replace("name: views", "name: state")
    text = text.replace("crop: [{kind: crop}]", f'"=1+1": {json.dumps(levels["=1+1"])}')
    text = text.replace("crop+colour: [", "seed: [", 1)
    text = text.replace("with: crop+colour, without: crop", 'with: seed, without: "=1+1"')
    study = complete(here, text.replace("axis: views", "axis: state"))

    frame = ab.results(study)

    assert set(frame["axis.state"].dropna()) == {"=1+1", "seed"}
    assert set(frame["state"]) == {"finished"}


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"scale": "lapptop"}, UsageError, "scale: must be one of .*laptop"),
        ({"device": "gpu"}, UsageError, "device: must be one of"),
        ({"seeds": 0}, UsageError, "must be 1 to 10000"),
        ({"seeds": [1, 1]}, UsageError, "only once"),
        ({"only": "crpo"}, (UsageError, PlanError), "did you mean 'crop'"),
        ({"only": []}, UsageError, "^only: must name at least one cell, got none$"),
        ({"set": {"loss.temperatures": 1}}, (UsageError, StudyError), "loss.temperature"),
        ({"study": "mien.yaml"}, (UsageError, StudyError), "mien.yaml"),
    ],
)
def test_a_wrong_argument_raises_the_packages_error(
    here: Path, arguments: dict[str, Any], error: Any, words: str
) -> None:
    study = {"study": str(written_study(here))} | arguments
    with pytest.raises(error, match=words):
        ab.results(**study)
    with pytest.raises(error, match=words):
        ab.run(**study)
    assert not Path("runs").exists()


def test_all_wrong_arguments_are_named_together(here: Path) -> None:
    wrong: dict[str, Any] = {"scale": "lapptop", "seeds": 0, "only": [], "set": {"": 1}}
    how: dict[str, Any] = {"keep": "all", "slots": 0, "budget": "soon"}

    with pytest.raises(UsageError) as caught:
        ab.run(str(written_study(here)), **wrong, **how)

    named = [sentence.partition(":")[0].lstrip("-") for sentence in caught.value.sentences]
    assert named == ["scale", "only", "seeds", "set", "keep", "slots", "budget"]
    assert not Path("runs").exists()


def test_arguments_select_what_the_options_select(here: Path) -> None:
    study = complete(here)

    assert set(ab.results(study, only="crop", seeds=2)["seed"]) == {0, 1}
    assert len(ab.results(study, set={"loss.temperature": 0.2})) < len(ab.results(study))
    variation = ab.results(study, set={"loss.temperature": 0.2})["variation"]
    assert variation.cat.categories.tolist() == ["loss.temperature=0.2"]


def test_a_report_of_nothing_and_one_that_cannot_be_written_raise(here: Path) -> None:
    study = str(written_study(here))
    with pytest.raises(UsageError, match="there is no store"):
        ab.report(study)
    complete(here)
    (here / "runs/studies/mine@laptop/report.html/in the way").mkdir(parents=True)

    with pytest.raises(ReportError, match=r"report\.html"):
        ab.report(study)
    with pytest.raises(ReportError, match=r"report\.html was not written"):
        ab.run(study)


def test_in_jupyter_a_run_without_a_report_shows_why(tmp_path: Path) -> None:
    gone = ReportFiles(*(tmp_path / name for name in ("a.html", "b", "c", "d")))
    messages = ("Ray cannot start (<b>)", "10 trials were not run")

    ran = RunResult("mine@laptop", {"missing": 10}, messages, gone, tmp_path, pd.DataFrame())

    assert ran._repr_html_() == ("<p>Ray cannot start (&lt;b&gt;)</p><p>10 trials were not run</p>")
