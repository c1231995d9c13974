"""`run`, `report` and `trial`: what they say, what they leave, and their exit codes."""

import dataclasses
import errno
import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from commands import (
    STUDY,
    Tracker,
    called,
    record_of,
    recorded,
    spawned,
    the_plan,
    tree,
    written_study,
)

from ablations.commands import report_tracking
from ablations.commands.run import run_one
from ablations.compose import compose
from ablations.evidence import evidence, snapshot_of
from ablations.study.request import Request
from reports.errors import ReportError
from reports.judging import cell_intervals, outcomes
from sweeps.execution.result import Execution, UnfinishedTrial
from sweeps.planning.trial_plan import Plan
from sweeps.storage.store import Store

DIVERGED = {"state": "failed", "values": {}, "error": "Diverged: the loss is nan at step 3"}


def complete(here: Path, **told_by_cell: dict[str, Any]) -> tuple[Path, Plan]:
    """A study of which every trial is on record."""
    study = written_study(here)
    plan = the_plan(study)
    recorded(Path("runs"), plan, **told_by_cell)
    return study, plan


def ended(**how: Any) -> Execution:
    """The result of a launch."""
    nothing = Execution("x", (), (), (), (), interrupted=False, stopped=None, seconds=1.0)
    return dataclasses.replace(nothing, **how)


def executing(monkeypatch: pytest.MonkeyPatch, result: Execution | BaseException) -> None:
    """Lets a launch end so, without Ray."""

    def execute(*_: Any, **__: Any) -> Execution:
        if isinstance(result, BaseException):
            raise result
        return result

    monkeypatch.setattr("sweeps.execution.execute", execute)


@pytest.mark.usefixtures("tracker")
def test_the_first_run_of_a_store_says_that_it_times_the_machine_and_no_later_one(
    here: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    executing(monkeypatch, ended())
    study = written_study(here)

    first, second = called(capsys, "run", study), called(capsys, "run", study)

    said = "timing this machine, once for each store"
    assert first.out.index(said) < first.out.index("trials to run")
    assert said not in second.out


def test_a_complete_study_trains_nothing_and_ends_with_board_and_reports(
    here: Path, capsys: pytest.CaptureFixture[str], tracker: Tracker
) -> None:
    study, plan = complete(here)
    place = here / "runs/studies/mine@laptop"
    own = place / "figures/of-my-own.svg"
    own.parent.mkdir(parents=True)
    own.write_text("<svg/>")

    said = called(capsys, "run", study)

    assert said.code == 0
    assert own.is_file()
    assert f"nothing to run: all {len(plan.trials)} trials have finished or failed" in said.out
    assert "colour helps" in said.out
    assert f"report: {place / 'report.html'}\n" in said.out
    assert f"tables: {place / 'tables'}\nfigures: {place / 'figures'}\n" in said.out
    assert (place / "tables/cells.csv").is_file()
    assert (place / "report.pdf").read_bytes().startswith(b"%PDF-")
    (settled,) = tracker.settled
    assert (settled["cells"]["crop"].n, settled["cells"]["crop"].mean) == (2, 50.5)
    (closed,) = tracker.closed
    drawings = sorted(set((place / "figures").glob("*.svg")) - {own})
    assert "differences.svg" in [path.name for path in drawings]
    assert list(closed["files"]) == [place / "report.html", place / "report.pdf", *drawings]


def test_mlflow_is_given_the_answer_each_mean_and_each_difference(
    here: Path, capsys: pytest.CaptureFixture[str], tracker: Tracker
) -> None:
    study, plan = complete(
        here, **{"crop+colour": {"values": {"top1": 61.0}}, "raw pixels": DIVERGED}
    )
    called(capsys, "run", study)

    (settled,) = tracker.settled
    assert settled["answer"].startswith(
        "Highest mean of 2 arms: crop+colour, 61.0 % (n = 2), next: crop, 50.5 % (n = 2). "
        f"{len(plan.trials) - 1} of {len(plan.trials)} trials finished, 1 failed. colour helps: "
    )
    assert settled["answer"].endswith("(+10.5 points [+4.1, +16.9]).")
    numbers = settled["numbers"]
    assert (numbers["mean/crop"], numbers["mean/crop+colour"]) == (50.5, 61.0)
    assert numbers["difference/colour helps"] == pytest.approx(10.5)
    assert numbers["difference/colour helps_low"] == pytest.approx(4.147, abs=1e-3)
    assert settled["cell_verdicts"]["crop"].endswith("(+10.5 points)")


def test_of_a_scale_that_judges_nothing_mlflow_gets_means_and_no_difference(here: Path) -> None:
    study = written_study(here, STUDY.replace("  laptop:", "  smoke:"))
    request = Request(study=str(study), scale="smoke", store=Path("runs"))
    recorded(request.store, the_plan(study, scale="smoke"))
    composed, store = compose(request)
    gathered = evidence(snapshot_of(composed), request, store)

    numbers = report_tracking.numbers_of(gathered, cell_intervals(outcomes(gathered)))

    assert numbers["mean/crop"] == 50.5
    assert not [name for name in numbers if name.startswith("difference/")]
    assert "points" not in str(report_tracking.cell_verdicts(gathered))


def test_what_mlflow_is_told_of_a_cell_is_students_t(
    here: Path, capsys: pytest.CaptureFixture[str], tracker: Tracker
) -> None:
    from scipy import stats

    study, _ = complete(here)
    called(capsys, "run", study)

    found = tracker.settled[0]["cells"]["crop"]
    expected = stats.t.interval(0.95, 1, loc=50.5, scale=stats.sem([50.0, 51.0]))
    assert (found.n, found.mean) == (2, 50.5)
    assert (found.low, found.high) == pytest.approx(expected)


def test_a_failed_trial_is_named_with_its_reason_and_log_and_the_exit_code_is_1(
    here: Path, capsys: pytest.CaptureFixture[str], tracker: Tracker
) -> None:
    study, plan = complete(here, crop=DIVERGED)
    failed = [trial for trial in plan.trials if trial.cell == "crop"]

    said = called(capsys, "run", study)

    assert said.code == 1
    lines = said.err.splitlines()
    assert len(lines) == len(failed) == 2
    for line, trial in zip(sorted(lines), sorted(failed, key=lambda t: t.seed), strict=True):
        assert f"failed: crop, seed {trial.seed}: Diverged: the loss is nan at step 3" in line
        assert f"{here}/runs/trials/{trial.key}/001/log.txt" in line
        assert "--failed" in line
    assert tracker.closed


def test_a_trial_that_failed_and_then_finished_counts_as_finished(
    here: Path, capsys: pytest.CaptureFixture[str], tracker: Tracker
) -> None:
    del tracker
    study, plan = complete(here, crop=DIVERGED)
    store = Store("runs")
    for trial in plan.trials:
        if trial.cell == "crop":
            store.commit(record_of(trial, plan, attempt=2), store.running / "log")

    assert called(capsys, "run", study).code == 0


def test_variables_for_ray_that_are_not_used_are_named_once(
    here: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tracker: Tracker,
) -> None:
    del tracker
    executing(monkeypatch, ended())
    monkeypatch.setenv("RAY_ADDRESS", "ray://head:10001")

    said = called(capsys, "run", written_study(here))

    assert said.err.count("RAY_ADDRESS is set but not used") == 1
    assert "Traceback" not in said.err


def test_a_trial_whose_process_died_is_named_and_the_exit_code_is_1(
    here: Path,
    capsys: pytest.CaptureFixture[str],
    tracker: Tracker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    del tracker
    study, plan = complete(here, crop=None)
    trial = next(trial for trial in plan.trials if trial.cell == "crop")
    died = UnfinishedTrial(
        trial.key, "crop", 0, "its process ended without a word", Path("runs/x.log")
    )
    executing(monkeypatch, ended(died=(died,), stopped="the disk is full"))

    said = called(capsys, "run", study)

    assert said.code == 1
    assert "crop, seed 0: its process ended without a word; log runs/x.log" in said.err
    assert "the disk is full" in said.err


@pytest.mark.parametrize("how", [ended(interrupted=True, left=("x",)), KeyboardInterrupt()])
def test_an_interrupted_run_says_how_to_go_on_and_its_code_is_130(
    here: Path,
    capsys: pytest.CaptureFixture[str],
    tracker: Tracker,
    monkeypatch: pytest.MonkeyPatch,
    how: Execution | BaseException,
) -> None:
    study = written_study(here)
    executing(monkeypatch, how)

    said = called(capsys, "run", study, "--seeds", "7,", "--set", "loss.temperature=0.5")

    assert said.code == 130
    assert f"continue with: ablate run {study} --set loss.temperature=0.5 --seeds 7,\n" in said.err
    assert tracker.closed == [{"interrupted": True}]


def test_a_damaged_record_is_named_once_by_the_run_that_sets_it_aside(
    here: Path,
    capsys: pytest.CaptureFixture[str],
    tracker: Tracker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    study, _ = complete(here)
    key, _, file = next(Store(here / "runs").places())
    file.write_text(file.read_text().replace('"seconds"', '"second"', 1))
    executing(monkeypatch, ended(left=(key,)))

    said = called(capsys, "run", study)

    assert tracker.settled
    assert said.err.count("; it was moved to ") == 1
    assert f"{file.parent} " in said.err


@pytest.mark.parametrize("earlier", [False, True])
def test_without_ray_a_run_judges_and_writes_what_is_on_record_and_nothing_without_records(
    here: Path,
    capsys: pytest.CaptureFixture[str],
    tracker: Tracker,
    monkeypatch: pytest.MonkeyPatch,
    *,
    earlier: bool,
) -> None:
    if earlier:
        study, plan = complete(here, crop=None)
    else:
        study = written_study(here)
        plan = the_plan(study)
    why = "Ray cannot start (OSError); see why in runs/running/ray.log, then run again"
    left = tuple(trial.key for trial in plan.trials if not earlier or trial.cell == "crop")
    executing(monkeypatch, ended(left=left, stopped=why))
    tracker.trouble = "tracking at x cannot keep up"

    said = called(capsys, "run", study)

    assert said.err.endswith("ablate: tracking at x cannot keep up\n")
    place = here / "runs/studies/mine@laptop"
    assert said.code == 1
    assert f"ablate: {why}\nablate: {len(left)} trial" in said.err
    assert ("Verdicts" in said.out, "report: " in said.out) == (earlier, earlier)
    written = {path.name for path in place.iterdir()} if place.is_dir() else set()
    assert written >= {"report.html", "report.pdf", "tables", "figures"} or not earlier
    assert not written & {"report.html", "report.pdf", "tables", "figures"} or earlier
    assert len(tracker.settled) == earlier
    assert earlier or tracker.closed == [{"interrupted": True}]


def test_a_budget_that_is_over_names_what_is_left_and_the_command_that_goes_on(
    here: Path,
    capsys: pytest.CaptureFixture[str],
    tracker: Tracker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    del tracker
    study, plan = complete(here, crop=None)
    left = tuple(trial.key for trial in plan.trials if trial.cell == "crop")
    executing(monkeypatch, ended(left=left, held=True))

    said = called(capsys, "run", study, "--slots", "3", "--budget", "0.5h")

    assert said.code == 1
    assert "trials were not run, since they would not end within the budget: crop seed" in said.err
    assert f"continue with: ablate run {study} --slots 3 --budget 1800s\n" in said.err


def test_a_budget_below_the_next_round_is_refused_before_anything_runs(
    here: Path,
    capsys: pytest.CaptureFixture[str],
    tracker: Tracker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    study, _ = complete(here, crop=None)
    executing(monkeypatch, AssertionError("nothing may run"))

    said = called(capsys, "run", study, "--budget", "10s")

    assert said.code == 2
    assert "--budget: the next round of seeds (1 trial) takes about 72 s, got 10 s" in said.err
    assert tracker.closed == []


def test_mlflows_last_line_without_a_terminal_is_what_was_done_in_the_end(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 5.0, 5.0, 6.0, 7.0])
    fake = SimpleNamespace(monotonic=lambda: next(clock))
    monkeypatch.setattr(report_tracking, "time", fake)

    with report_tracking.Progress() as progress:
        for done in (0, 4, 8):
            progress.show(done, 8)

    assert capsys.readouterr().err == "MLflow: 0 of 8 runs\nMLflow: 8 of 8 runs\n"


def test_mlflow_that_needs_less_than_a_second_has_no_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with report_tracking.Progress() as progress:
        progress.show(8, 8)

    assert capsys.readouterr().err == ""


def test_tracking_that_fails_is_one_sentence_and_stops_nothing(
    here: Path, capsys: pytest.CaptureFixture[str], tracker: Tracker
) -> None:
    tracker.trouble = "tracking at http://x does not keep up; the next launch catches up"
    study, _ = complete(here)

    said = called(capsys, "run", study)

    assert said.code == 0
    assert said.err == f"ablate: {tracker.trouble}\n"


def in_the_way_of(report: Path) -> None:
    """Nothing can take this place: a folder stands there that is not empty."""
    (report / "kept").mkdir(parents=True)


@pytest.mark.parametrize("name", ["report.html", "report.pdf"])
def test_a_report_that_cannot_be_written_is_named_and_loses_nothing_else(
    here: Path, capsys: pytest.CaptureFixture[str], tracker: Tracker, name: str
) -> None:
    study, _ = complete(here)
    place = here / "runs/studies/mine@laptop"
    in_the_way_of(place / name)
    (other,) = {"report.html", "report.pdf"} - {name}

    said = called(capsys, "run", study)

    assert said.code == 1
    assert "colour helps" in said.out
    (line,) = said.err.splitlines()
    assert line.startswith(f"ablate: {name} was not written: ")
    assert line.endswith(f"write it again with: ablate report {study}")
    assert f"report: {place / other}\n" in said.out
    assert f"report: {place / name}\n" not in said.out
    drawings = sorted((place / "figures").glob("*.svg"))
    assert [list(closed["files"]) for closed in tracker.closed] == [[place / other, *drawings]]
    assert not any(closed.get("interrupted") for closed in tracker.closed)


def test_figures_that_cannot_be_drawn_leave_the_reports_to_mlflow_and_no_older_figure(
    here: Path,
    capsys: pytest.CaptureFixture[str],
    tracker: Tracker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    study, _ = complete(here)
    place = here / "runs/studies/mine@laptop"
    (place / "figures").mkdir(parents=True)
    (place / "figures/differences.svg").write_text("of an earlier report")

    def fails(_: object) -> dict[str, bytes]:
        raise ReportError("no figure")

    monkeypatch.setattr("reports.exports.figure_files", fails)

    said = called(capsys, "run", study)

    assert said.code == 1
    assert "figures were not written: no figure" in said.err
    (closed,) = tracker.closed
    assert list(closed["files"]) == [place / "report.html", place / "report.pdf"]
    assert not closed.get("interrupted")


def test_a_full_disk_names_the_trials_left_and_each_report_that_is_missing(
    here: Path,
    capsys: pytest.CaptureFixture[str],
    tracker: Tracker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    del tracker
    study, plan = complete(here, **{"crop+colour": None})
    left = tuple(trial.key for trial in plan.trials if trial.cell == "crop+colour")
    full = "the disk is full: runs/trials could not be written"
    executing(monkeypatch, ended(left=left, stopped=full))
    for name in ("report.html", "report.pdf"):
        in_the_way_of(here / "runs/studies/mine@laptop" / name)

    said = called(capsys, "run", study)

    assert said.code == 1
    assert full in said.err
    assert "2 trials were not run: crop+colour seed 0, crop+colour seed 1; " in said.err
    assert f"continue with: ablate run {study}\n" in said.err
    assert "report.html was not written" in said.err
    assert "report.pdf was not written" in said.err


@pytest.mark.parametrize(
    "error", [RuntimeError("a defect"), MemoryError(), BaseException("a panic in the compiler")]
)
def test_whatever_a_writer_raises_board_and_numbers_are_out_before(
    here: Path,
    capsys: pytest.CaptureFixture[str],
    tracker: Tracker,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
) -> None:

    study, _ = complete(here)
    seen: list[tuple[str, int]] = []

    def fails(*_: object, **__: object) -> str:
        seen.append((capsys.readouterr().out, len(tracker.settled)))
        raise error

    monkeypatch.setattr("reports.document.html", fails)

    said = called(capsys, "run", study)

    ((board, settled),) = seen
    assert "colour helps" in board
    assert settled == 1
    crop = tracker.settled[0]["cells"]["crop"]
    assert (crop.n, crop.mean) == (2, 50.5)
    assert said.code == 1
    assert f"report.html was not written: {type(error).__name__}" in said.err
    assert "report.pdf\n" in said.out


def test_an_interruption_while_reports_are_written_leaves_the_study_finished_in_mlflow(
    here: Path,
    capsys: pytest.CaptureFixture[str],
    tracker: Tracker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:

    study, _ = complete(here)

    def stopped(*_: object, **__: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("reports.document.html", stopped)

    said = called(capsys, "run", study)

    assert said.code == 130
    assert len(tracker.settled) == 1
    assert [closed.get("interrupted", False) for closed in tracker.closed] == [False]


@pytest.mark.parametrize("name", ["tables", "figures"])
def test_tables_and_figures_that_cannot_be_written_are_named_and_the_reports_are_written(
    here: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    study, _ = complete(here)
    place = here / "runs/studies/mine@laptop"
    place.mkdir(parents=True)
    (place / name).write_text("a file in the way")
    (other,) = {"tables", "figures"} - {name}

    said = called(capsys, "report", study)

    assert said.code == 1
    (line,) = said.err.splitlines()
    assert line.startswith(f"ablate: {name} were not written: ")
    assert line.endswith(f"write it again with: ablate report {study}")
    assert f"{other}: {place / other}\n" in said.out
    assert f"{name}: " not in said.out
    assert "report.html\n" in said.out
    assert "report.pdf\n" in said.out


@pytest.mark.slow
@pytest.mark.proof
def test_in_a_process_of_its_own_a_run_without_its_pdf_ends_with_board_page_and_message(
    here: Path,
) -> None:
    study, _ = complete(here)
    in_the_way_of(here / "runs/studies/mine@laptop/report.pdf")

    said = spawned("run", study, cwd=here)

    assert said.code == 1, said.err
    assert "colour helps" in said.out
    assert [line for line in said.err.splitlines() if "report.pdf was not written" in line]
    assert (here / "runs/studies/mine@laptop/report.html").is_file()


def test_report_says_which_file_it_could_not_write(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study, _ = complete(here)
    in_the_way_of(here / "runs/studies/mine@laptop/report.pdf")

    said = called(capsys, "report", study)

    assert said.code == 1
    assert "colour helps" in said.out
    assert "report.pdf was not written: " in said.err
    assert "report.html\n" in said.out


def test_report_judges_from_the_records_alone(
    here: Path, capsys: pytest.CaptureFixture[str], tracker: Tracker
) -> None:
    study, _ = complete(here)
    before = tree(here / "runs/trials")

    said = called(capsys, "report", study)

    assert said.code == 0
    assert "colour helps" in said.out
    assert tree(here / "runs/trials") == before
    assert tracker.closed == []


def test_report_without_store_or_records_says_which_command_makes_them(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = written_study(here)
    no_store = called(capsys, "report", study)
    Store("runs").prepare()
    no_record = called(capsys, "report", study, "--seeds", "3")

    assert (no_store.code, no_record.code) == (2, 2)
    assert f"`ablate run {study}` creates one" in no_store.err
    assert f"`ablate run {study} --seeds 3` creates them" in no_record.err


@pytest.mark.parametrize(("columns", "table"), [("160", True), ("80", False)])
def test_the_board_is_a_table_where_there_is_room_for_one(
    here: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    columns: str,
    table: bool,  # noqa: FBT001 -- a parameter of the test
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    study, _ = complete(here)

    out = called(capsys, "report", study).out

    assert ("verdict" in out and "estimate" in out) == table
    assert "2 seeds, next look at 5" in out
    paths = ("report:", "tables:", "figures:")  # unbroken, to be copied
    assert all(len(line) <= int(columns) or line.startswith(paths) for line in out.split("\n"))


# `trial`: one trial in this process, with a real training


def test_a_trial_runs_here_by_the_beginning_of_its_key(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    executing(monkeypatch, AssertionError("Ray is not for one trial"))
    study = written_study(here)
    trial = the_plan(study).trials[0]

    said = called(capsys, "trial", study, trial.key[:8])

    assert said.code == 0, said.err
    assert f"{trial.cell}, seed {trial.seed}, key {trial.key}" in said.out
    assert "pre-training for 1 epochs" in said.out
    record = json.loads((here / f"runs/trials/{trial.key}/001/record.json").read_text())
    assert f"top1: {record['values']['top1']:.2f}" in said.out
    assert record["facts"]["optimiser_steps"] == 64 // 32
    assert {t.key: t.reason for t in the_plan(study, store=Path("runs")).trials}[
        trial.key
    ] == "finished"


def test_recomputation_changes_no_key_and_no_number(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = written_study(here)
    key = the_plan(study).trials[0].key

    for options in ((), ("--recompute",)):
        said = called(capsys, "trial", study, key, *options)
        assert said.code == 0, said.err

    first, second = (
        json.loads((here / f"runs/trials/{key}/{attempt}/record.json").read_text())
        for attempt in ("001", "002")
    )
    assert first["values"] == second["values"]
    assert first["facts"]["encoder_hash_before"] == second["facts"]["encoder_hash_before"]
    assert first["facts"]["optimiser_steps"] == second["facts"]["optimiser_steps"] > 0


def test_a_full_disk_at_the_encoder_is_no_failure_of_the_trial(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = written_study(here)
    trial = the_plan(study).trials[0]

    def full(*_: object) -> int:
        raise OSError(errno.EFBIG, "File too large")

    monkeypatch.setattr(Path, "write_bytes", full)
    said = called(capsys, "trial", study, trial.key)
    monkeypatch.undo()
    monkeypatch.chdir(here)

    assert said.code == 2
    assert "the disk is full" in said.err
    assert Store(Path("runs")).summaries() == ()


def test_a_terminal_that_goes_away_is_no_failure_of_the_trial(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = written_study(here)
    trial = the_plan(study).trials[0]

    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            if "pre-training" in text:
                raise BrokenPipeError(errno.EPIPE, "Broken pipe")
            return len(text)

    monkeypatch.setattr("sys.stdout", Gone())
    assert run_one(Request(study=str(study)), trial.key, keep="none") == 0

    [summary] = Store(Path("runs")).summaries()
    assert (summary.state, summary.error) == ("finished", None)


@pytest.mark.parametrize(
    "about", ['{"slots": 0}', '{"slots": "abc"}', '{"slots": null}', "[1]", "[" * 100_000]
)
def test_a_torn_note_on_the_machine_is_as_good_as_none(
    here: Path, capsys: pytest.CaptureFixture[str], about: str
) -> None:
    study = written_study(here)
    Store(Path("runs")).prepare()
    (here / "runs" / "machine.json").write_text(about)

    assert called(capsys, "plan", study).code == 0
    assert called(capsys, "status").code in {0, 2}


@pytest.mark.parametrize("torn", [b"", b"PK\x03\x04 half an archive", b"{}"])
def test_a_torn_encoder_is_set_aside_and_trained_anew(
    here: Path, capsys: pytest.CaptureFixture[str], torn: bytes
) -> None:
    study = written_study(here)
    trial = the_plan(study).trials[0]
    encoder = trial.stages[0].key
    store = Store(Path("runs"))
    store.prepare()
    with store.save_artifact("encoder", encoder, launch="earlier", lasting=True) as folder:
        (folder / "encoder.pt").write_bytes(torn)

    said = called(capsys, "trial", study, trial.key)

    assert said.code == 0, said.err
    assert "it will be created again" in said.out
    record = json.loads((here / f"runs/trials/{trial.key}/001/record.json").read_text())
    assert (record["facts"]["optimiser_steps"], record["reused"]) == (64 // 32, [])
    assert (store.artifact("encoder", encoder) / "encoder.pt").stat().st_size > 1000
    assert len(list((store.path / "set-aside").iterdir())) == 1


@pytest.mark.parametrize("everything", [False, True])
def test_a_record_that_became_unreadable_is_run_again_in_the_same_launch(
    here: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tracker: Tracker,
    *,
    everything: bool,
) -> None:
    study, plan = complete(here)
    store = Store(Path("runs"))
    assert len(store.summaries()) == len(plan.trials)  # the index has all of them
    lost = plan.trials if everything else plan.trials[1:2]
    for trial in lost:
        (store.trials / trial.key / "001" / "record.json").write_text("torn")
    requested: list[str] = []

    def execute(plan: Plan, *_: Any, **__: Any) -> Execution:
        requested.extend(trial.key for trial in plan.todo)
        return ended()

    executing(monkeypatch, ended())
    monkeypatch.setattr("sweeps.execution.execute", execute)

    said = called(capsys, "run", study)

    assert requested == [trial.key for trial in lost]
    assert "cannot be read" in said.err
    assert tracker.closed


def test_a_trial_that_diverges_leaves_a_failed_record_and_exit_code_1(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    executing(monkeypatch, AssertionError("Ray is not for one trial"))
    study = written_study(here, STUDY.replace("learning_rate: 1.0e-3", "learning_rate: 1.0e+30"))
    trial = the_plan(study).trials[0]

    said = called(capsys, "trial", study, trial.key)

    assert said.code == 1
    assert f"{trial.cell}, seed 0 failed: " in said.err
    record = json.loads((here / f"runs/trials/{trial.key}/001/record.json").read_text())
    assert record["state"] == "failed"
    assert record["error"] in said.err


def test_a_beginning_that_fits_several_keys_or_none_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = written_study(here)
    key = the_plan(study).trials[0].key

    several = called(capsys, "trial", study, "")
    none = called(capsys, "trial", study, key[:-1] + "x")

    assert (several.code, none.code) == (2, 2)
    assert several.err.startswith("ablate: '' matches 10 keys (")
    assert several.err.endswith(", ...); give more characters\n")
    assert f"did you mean '{key}'" in none.err
    assert not (here / "runs").exists()


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5", "", "\u0663"])
def test_slots_are_a_whole_number_of_at_least_1(
    here: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    said = called(capsys, "run", written_study(here), f"--slots={text}")

    assert (said.code, said.out) == (2, "")
    assert said.err == f"ablate: --slots: must be a whole number of at least 1, got {text!r}\n"
    assert not (here / "runs").exists()
