"""A study with a part of the user's own: planned without being executed, run, recorded, reported."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from commands import STUDY, Said, called, the_plan, tree, written_study

from ablations.study.assignments import Setting
from ablations.study.paths import resolve_paths
from simclr_core.plugins import component
from sweeps.execution.result import Execution
from sweeps.execution.trial_runner import Job, RunSettings, log_and_terminal, run_trial
from sweeps.planning.trial_plan import Plan
from sweeps.storage.store import Store

pytestmark = pytest.mark.usefixtures("tracker")

LOSSES = """\
from pathlib import Path

import torch
import torch.nn.functional as F

Path("MARKER").touch()


def own(z, temperature=0.1):
    u = F.normalize(z, dim=1)
    logits = (u @ u.T).div_(temperature).fill_diagonal_(-torch.inf)
    return F.cross_entropy(logits, torch.arange(len(z)).roll(len(z) // 2))


def darken(images, uniform):
    return images * (1 - 0.5 * uniform[:, :, None, None])
"""

AXES = STUDY[STUDY.index("axes:") : STUDY.index("seeds: 2")]
MINE = (
    STUDY.replace(
        AXES,
        """\
axes:
  - kind: levels
    name: loss
    field: loss
    levels:
      paper: {kind: nt_xent, temperature: 0.2}
      mine: {kind: file, path: losses.py, name: own, options: {temperature: 0.2}}
""",
    )
    .replace("seeds: 2", "seeds: 1")
    .replace("      epochs: 1\n", "      epochs: 1\n      evaluation.probe.l2: [1.0]\n")
    .replace("with: crop+colour, without: crop", "with: mine, without: paper")
    .replace("axis: views", "axis: loss")
)
"""The study of the other tests, in which a loss stands beside the paper's."""


@pytest.fixture
def study(here: Path) -> Path:
    """The study and its file in a folder of their own; executing the file leaves a marker."""
    (here / "lab").mkdir()
    text = LOSSES.replace("MARKER", str(here / "marker"))
    (here / "lab" / "losses.py").write_text(text)
    written_study(here / "lab", MINE)
    return Path("lab/mine.yaml")


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A launch in this process; the trials come by way of JSON, and nothing was read before.

    `before`, if a test sets it, is called when the launch begins.
    """
    hooks: dict[str, Any] = {}

    def execute(plan: Plan, store: Store, function: str, settings: RunSettings, **_: Any) -> Any:
        hooks.get("before", lambda: None)()
        texts = dict(component._texts)
        component._texts.clear()
        job = Job(
            study=plan.study,
            scale=plan.scale,
            variation=plan.variation,
            launch="20260101T000000-0000",
            function=function,
            settings=settings,
            store=str(store.path),
            driver=None,
            trials=plan.todo,
        )
        job = Job.model_validate_json(job.model_dump_json())
        for trial in job.trials:
            run_trial(job, trial, store, log_to=log_and_terminal)
        component._texts.update(texts)
        return Execution("x", (), (), (), (), interrupted=False, stopped=None, seconds=1.0)

    monkeypatch.setattr("sweeps.execution.execute", execute)
    return hooks


def records(here: Path) -> dict[str, dict[str, Any]]:
    """The last attempt of each cell."""
    files = sorted(here.glob("runs/trials/*/*/record.json"))
    return {
        told["cell"]: {**told, "at": f.parent} for f in files if (told := json.loads(f.read_text()))
    }


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def succeeded(said: Said) -> Said:
    assert said.code == 0, said.err
    return said


# --------------------------------------------------------------------------- from plan to report


@pytest.mark.proof
@pytest.mark.slow
def test_an_own_loss_goes_from_plan_to_report_and_is_executed_by_the_run_alone(
    here: Path, study: Path, workers: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    file, marker = here / "lab" / "losses.py", here / "marker"
    content, digest = file.read_bytes(), sha256(file)

    plan = succeeded(called(capsys, "plan", study))
    as_json = succeeded(called(capsys, "plan", study, "--json")).json
    succeeded(called(capsys, "list"))
    succeeded(called(capsys, "show", study))

    assert f"a run executes lab/losses.py ({digest[:12]})" in plan.out
    assert as_json["executes"] == [{"path": "lab/losses.py", "sha256": digest}]
    assert not marker.exists()

    # Saved again while the study runs: the trials and the report are those of the plan all the same.
    workers["before"] = lambda: file.write_text("an edit that is no Python")
    ran = succeeded(called(capsys, "run", study))

    assert marker.exists()
    marker.unlink()
    found = records(here)
    assert {told["state"] for told in found.values()} == {"finished"}
    # The file's loss is NT-Xent: to the bit the same encoder, from the bytes that were planned with.
    assert (
        found["mine"]["facts"]["encoder_hash_before"]
        == found["paper"]["facts"]["encoder_hash_before"]
    )
    assert found["mine"]["key"] != found["paper"]["key"]
    kept = f"losses-{digest[:12]}.py"
    assert found["mine"]["files"] == [kept, "views.png"]
    assert (found["mine"]["at"] / "files" / kept).read_bytes() == content
    assert found["mine"]["config"]["loss"]["sha256"] == digest
    assert found["paper"]["files"] == ["views.png"]
    assert "mine" in ran.out

    file.write_bytes(content)
    succeeded(called(capsys, "report", study))
    succeeded(called(capsys, "status"))
    again = succeeded(called(capsys, "plan", study))
    page = (here / "runs/studies/mine@laptop/report.html").read_text()

    assert f"own of losses.py ({digest[:12]})" in page
    assert "a run executes" not in again.out
    assert "0 of 6 trials to run" in again.out
    assert not marker.exists()

    # Elsewhere the same file is the same part; one byte more, and it is another.
    (here / "lab").rename(here / "attic")
    moved = succeeded(called(capsys, "plan", "attic/mine.yaml"))
    (here / "attic" / "losses.py").write_bytes(content + b"\n")
    changed = succeeded(called(capsys, "plan", "attic/mine.yaml"))

    assert "0 of 6 trials to run" in moved.out
    assert "configuration changed: loss.path, loss.sha256" in changed.out
    assert "1 of 6 trials to run" in changed.out


def test_a_part_that_fails_fails_its_trials_and_nothing_else(
    here: Path, study: Path, workers: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    del workers
    (here / "lab" / "losses.py").write_text("def own(z, temperature):\n    return z.nothing\n")

    said = called(capsys, "run", study)

    found = records(here)
    states = {cell: told["state"] for cell, told in found.items()}
    assert said.code == 1
    assert states["mine"] == "failed"
    assert states["paper"] == "finished"
    assert found["mine"]["error"].startswith(
        "PartError: lab/losses.py:2: own raised AttributeError"
    )
    assert "lab/losses.py:2: own raised AttributeError" in said.err
    log = (found["mine"]["at"] / "log.txt").read_text()
    assert "return z.nothing" in log
    assert len(found["mine"]["files"]) == 1


def test_where_encoders_are_at_hand_or_nothing_is_trained_only_the_encoders_file_is_named(
    here: Path, study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "lab" / "net.py").write_text("def net(seed): pass\n")
    encoder = "{kind: file, path: lab/net.py, name: net, num_features: 4}"
    net, losses = f"lab/net.py ({sha256(here / 'lab/net.py')[:12]})", "lab/losses.py ("

    both = succeeded(called(capsys, "plan", study, "--set", f"encoder={encoder}"))
    trained = the_plan(study)
    Store(here / "runs").prepare()
    for trial in trained.trials:
        folder = here / "runs" / "encoders" / trial.stages[0].key
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "made.json").write_text("{}")
    at_hand = succeeded(called(capsys, "plan", study))
    floor = succeeded(
        called(capsys, "plan", study, "--set", f"encoder={encoder}", "--only", "random encoder")
    )

    assert net in both.out
    assert losses in both.out
    assert "the encoders' weights are unknown before their file is executed" in both.out
    assert "evaluation missing" in at_hand.out
    assert "executes" not in at_hand.out
    assert net in floor.out
    assert losses not in floor.out


# ------------------------------------------------------------------------------------ paths, words


def test_paths_are_meant_from_the_study_wherever_a_part_stands_in_it() -> None:
    part = {"kind": "file", "path": "a.py", "options": {"kind": "file", "path": "b.py"}}
    there = {**part, "path": "lab/a.py"}
    given = {
        "loss": (part, there),
        "loss.path": ("a.py", "lab/a.py"),
        "loss.options.path": ("b.py", "b.py"),
        "loss.options": (part, part),
        "views.operations": ([{"kind": "crop"}, part], [{"kind": "crop"}, there]),
        "views.operations.1": (part, there),
        "views.branch": ([part, part], [there, there]),
        "views.branch.0.path": ("a.py", "lab/a.py"),
        "views": (
            {"kind": "one_branch", "branch": [part]},
            {"kind": "one_branch", "branch": [there]},
        ),
        "data.path": ("x", str(Path("lab/x").absolute())),
        "data": (
            {"kind": "folder", "path": "x"},
            {"kind": "folder", "path": str(Path("lab/x").absolute())},
        ),
        "encoder": ({"kind": "file", "path": "/a.py"}, {"kind": "file", "path": "/a.py"}),
        "evaluation.path": ("a.py", "lab/a.py"),
    }
    settings = [Setting(field, value, "x:1") for field, (value, _) in given.items()]

    found = {one.field: one.value for one in resolve_paths(settings, Path("lab"))}

    assert found == {field: expected for field, (_, expected) in given.items()}


def test_a_path_on_the_command_line_is_meant_from_the_working_folder(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "lab").mkdir()
    written_study(here / "lab")
    (here / "losses.py").write_text(LOSSES)
    part = "{kind: file, path: losses.py, name: own}"

    said = succeeded(called(capsys, "plan", "lab/mine.yaml", "--set", f"loss={part}"))

    assert f"a run executes losses.py ({sha256(here / 'losses.py')[:12]})" in said.out


def replaced(old: str, new: str) -> str:
    assert old in MINE
    return MINE.replace(old, new)


WRONG: dict[str, tuple[str, str]] = {
    "no such file": (
        replaced("path: losses.py", "path: loses.py"),
        (
            "loss.path: must name a Python file, but there is no lab/loses.py; did you mean "
            "lab/losses.py?"
        ),
    ),
    "no such name": (
        replaced("name: own", "name: owm"),
        (
            "loss.name: must be defined at the top level of lab/losses.py, got 'owm'; did you mean "
            "own?"
        ),
    ),
    "no Python": (
        replaced("path: losses.py", "path: mine.yaml"),
        (
            "lab/mine.yaml:13: loss.path: must name a Python file, but lab/mine.yaml:2 is not "
            "valid Python: "
        ),
    ),
    "no path": (
        replaced("path: losses.py, ", ""),
        "mine.yaml:13: loss.path: is required but missing",
    ),
    "another family's field": (
        replaced("name: own", "num_features: 3, name: own"),
        "mine.yaml:13: loss.num_features: no such field; there are kind, path, name, options, sha256",
    ),
    "another kind": (
        replaced("kind: file", "kind: fil"),
        (
            "mine.yaml:13: loss.kind: must be one of nt_xent, nt_logistic, margin_triplet, sup_con, "
            "cross_entropy, file, got 'fil'; did you mean file?"
        ),
    ),
    "another hash": (
        replaced("name: own", f"sha256: {'ab' * 32}, name: own"),
        "mine.yaml:13: loss.sha256: must be that of lab/losses.py, ",
    ),
    "a file of another scale": (
        replaced("roles: {", "  gpu: {set: {head: {kind: file, path: h.py, name: h}}}\nroles: {"),
        "head.path: must name a Python file, but there is no lab/h.py",
    ),
}


@pytest.mark.parametrize("name", list(WRONG))
@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_wrong_part_is_told_before_anything_runs_with_its_line(
    here: Path, study: Path, capsys: pytest.CaptureFixture[str], command: str, name: str
) -> None:
    text, line = WRONG[name]
    written_study(here / "lab", text)
    before = tree(here)

    said = called(capsys, command, study)

    assert (said.code, said.out) == (2, "")
    assert line in said.err
    assert said.err.startswith("ablate: lab/mine.yaml:")
    assert len(said.err.splitlines()) == 1
    assert "Traceback" not in said.err
    assert tree(here) == before


def test_a_wrong_part_is_told_with_all_other_mistakes(
    here: Path, study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = replaced("path: losses.py", "path: gone.py").replace("batch_size: 32", "batch_size: 1")
    written_study(here / "lab", wrong)

    said = called(capsys, "plan", study)

    assert said.code == 2
    assert [line.split(": ")[2] for line in said.err.splitlines()] == ["loss.path", "batch_size"]


# ------------------------------------------------------------------------------------- deviations


def test_a_part_of_ones_own_is_told_as_a_deviation_with_file_and_hash(
    here: Path, study: Path
) -> None:
    from ablations.compose.planning import compose, planned
    from ablations.evidence.deviations import Paper
    from ablations.study.request import Request

    part = "{kind: file, path: losses.py, name: darken}"
    text = MINE.replace("[{kind: crop}]}", f"[{{kind: crop}}, {part}]}}").replace(
        "  laptop:\n    set:\n", f"  laptop:\n    set:\n      loss: {part}\n"
    )
    levels = text[text.index("      paper: {") : text.index("seeds: 1")]
    text = text.replace("field: loss", "field: epochs")
    written_study(here / "lab", text.replace(levels, "      paper: 20\n      mine: 2\n"))
    composed, store = compose(Request(study=str(study)))
    plan = planned(composed, store.known())
    cell = next(cell for cell in composed.sweep().arms() if cell.name == "paper")

    config = next(trial.config for trial in plan.trials if trial.cell == cell.name)

    found = Paper(composed).deviations(cell, config)

    told = f"darken of losses.py ({sha256(here / 'lab/losses.py')[:12]})"
    ours = {d.field: (d.here, d.paper) for d in found if "loss" in d.field or "views" in d.field}
    assert ours == {
        "loss.kind": (told, "nt_xent"),
        "views.operations.1": (told, "not used in the paper"),
    }
