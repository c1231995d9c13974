"""`export --mlflow`: what `mlflow.pytorch.load_model` gives has our features; what cannot be is refused."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import called
from exported import TINY, Ran

from ablations.commands import mlflow_model
from ablations.run_files import FILES_OF
from sweeps.storage.store import Store
from sweeps.tracking import LoggedModel, open_tracking

OWN = """
from torch import nn

def net(seed):
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
"""

LOADED = """
import sys, torch
{code}
x = torch.load("x.pt")
with torch.no_grad():
    torch.save([model(x), model(x[:1])], "found.pt")
heavy = [name for name in sys.modules if name.split(".")[0] in ("simclr_core", "ablations")]
print(heavy)
"""

RUNS = """
import json, sys
from mlflow.tracking import MlflowClient
client = MlflowClient(sys.argv[1])
[experiment] = [e for e in client.search_experiments() if e.name != "Default"]
[run] = client.search_runs([experiment.experiment_id], "tags.`sweeps.role` = 'trial'")
models = client.search_logged_models([experiment.experiment_id])
files = client.list_logged_model_artifacts(models[0].model_id)
print(json.dumps({
    "run": [run.info.run_id, run.info.status, run.info.end_time],
    "outputs": [m.model_id for m in run.outputs.model_outputs] if run.outputs else [],
    "models": [[m.model_id, m.name, m.status.value, m.source_run_id] for m in models],
    "files": sorted(f.path for f in files),
}))
"""


def python(script: str, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *words], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()[-1]


def printed_code(out: str) -> str:
    lines = out.splitlines()
    return "\n".join(lines[lines.index("import mlflow") :])


def logged(ran: Ran) -> str:
    """The study in the store's own database."""
    assert open_tracking(ran.store, ran.plan).close(timeout=300).trouble is None
    return f"sqlite:///{ran.store.path.absolute()}/mlflow.db"


@pytest.mark.proof
@pytest.mark.parametrize("encoder", [TINY, "{kind: vit, patch: 8, dim: 16, depth: 1, heads: 2}"])
def test_the_loaded_model_has_our_features_bit_for_bit(
    here: Path, capsys: pytest.CaptureFixture[str], encoder: str
) -> None:
    ran = Ran(here, encoder)
    address = logged(ran)
    ours = ran.config.encoder.build(0, 32)
    ours.load_state_dict(ran.state)
    x = torch.rand(5, 3, 32, 32)
    torch.save(x, here / "x.pt")

    said = called(capsys, "export", ran.key[:8], "--mlflow")
    again = called(capsys, "export", ran.key[:8], "--mlflow")

    assert (said.code, said.err) == (0, "")
    foreign = python(LOADED.format(code=printed_code(said.out)))
    with torch.no_grad():
        expected = [ours.eval()(x), ours(x[:1])]
    found = torch.load(here / "found.pt")
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
    assert float(expected[0].std()) > 1e-3  # so the comparison compares something
    assert foreign == "[]"  # where it is loaded, this package is not needed
    about = json.loads(python(RUNS, address))
    [[model, name, status, source]] = about["models"]  # the second call logged nothing
    assert (name, status, source) == ("encoder", "READY", about["run"][0])
    assert about["outputs"] == [model]
    assert {"MLmodel", "about.json", "data"} <= set(about["files"])
    assert printed_code(again.out) == printed_code(said.out)
    assert f"models:/{model}" in said.out
    assert not list(here.glob("mlflow.db*"))


@pytest.mark.proof
def test_the_run_stays_as_it_was_and_a_moved_store_has_its_model(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = Ran(here)
    address = logged(ran)
    script = RUNS.replace(
        "files = client.list_logged_model_artifacts(models[0].model_id)", ""
    ).replace('"files": sorted(f.path for f in files),', "")
    before = json.loads(python(script, address))["run"]
    called(capsys, "export", ran.key[:8], "--mlflow")
    assert json.loads(python(script, address))["run"] == before

    shutil.move(here / "runs", here / "moved")
    moved = called(capsys, "export", ran.key[:8], "--mlflow", "--store", "moved")

    address = f"sqlite:///{here}/moved/mlflow.db"
    about = json.loads(python(RUNS, address))
    assert len(about["models"]) == 1  # found in its new place, and not logged again
    assert about["models"][0][0] in moved.out


@pytest.mark.proof
def test_a_trial_that_mlflow_does_not_have_is_named_with_what_logs_it(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = Ran(here)
    other = Store(here / "other")
    other.prepare()
    address = f"sqlite:///{other.path.absolute()}/./mlflow.db"

    said = called(capsys, "export", ran.key[:8], "--mlflow", "--tracking", address)

    assert said.code == 2
    assert f"no run of a trial has the key '{ran.key}'" in said.err
    assert "run its study again: that logs it without repeating it" in said.err


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What would be logged; MLflow and torch's exporter take seconds."""
    calls: list[Any] = []

    def log_model(*words: Any, **more: Any) -> LoggedModel:
        calls.append((words, more))
        return LoggedModel("models:/m-1", "abc", "http://host")

    monkeypatch.setattr(mlflow_model, "log_model", log_model)
    monkeypatch.setattr(mlflow_model, "_save", lambda _c, _w, folder: folder.mkdir())
    return calls


def test_it_prints_the_address_for_load_model_and_writes_no_file(
    here: Path, capsys: pytest.CaptureFixture[str], told: list[Any]
) -> None:
    ran = Ran(here)

    said = called(capsys, "export", ran.key[:8], "--mlflow", "--tracking", "http://host")

    assert said.code == 0
    assert said.out.splitlines() == [
        "model: models:/m-1 (mine@laptop, crop, seed 0; top-1 50.0 %, one trial, no interval)",
        "in the run abc at http://host",
        (
            "images: float32 [N, 3, 32, 32], RGB in [0, 1], not normalised by a mean or standard "
            "deviation, 32 px a side"
        ),
        "import mlflow",
        "mlflow.set_tracking_uri('http://host')",
        "model = mlflow.pytorch.load_model('models:/m-1')",
    ]
    [(words, more)] = told
    assert words[1:3] == (ran.key, 1)
    assert (more["name"], more["uri"]) == ("encoder", "http://host")
    assert more["files_of"] == FILES_OF  # a database that is first rebuilt has them
    assert sorted(path.name for path in here.iterdir()) == ["mine.yaml", "runs"]


def test_an_encoder_that_was_not_saved_is_refused_with_what_saves_one(
    here: Path, capsys: pytest.CaptureFixture[str], told: list[Any]
) -> None:
    ran = Ran(here)
    ran.weights.unlink()

    said = called(capsys, "export", ran.key[:8], "--mlflow")

    assert (said.code, told) == (2, [])
    assert f"the store has no weights of trial {ran.key}: it ran with --keep none" in said.err
    assert "run its study with --again --keep last" in said.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--mlflow", "--to", "x.pt"), "--to: --mlflow writes no file; leave one of the two out"),
        (("--tracking", "http://host"), "--tracking: a file is not tracked; add --mlflow"),
        (("--mlflow", "--tracking", "runs"), "--tracking: 'runs' is not an address that MLflow"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    here: Path,
    capsys: pytest.CaptureFixture[str],
    told: list[Any],
    words: tuple[str, ...],
    message: str,
) -> None:
    ran = Ran(here)

    said = called(capsys, "export", ran.key[:8], *words)

    assert (said.code, told) == (2, [])
    assert message in said.err


def test_raw_pixels_and_an_encoder_of_ones_own_are_refused(
    here: Path, capsys: pytest.CaptureFixture[str], told: list[Any]
) -> None:
    (here / "net.py").write_text(OWN)
    own = Ran(here, "{kind: file, path: net.py, name: net, num_features: 4}")
    (here / "pixels").mkdir()
    pixels = Ran(here / "pixels", "{kind: pixels}", epochs=0)

    said = [
        called(capsys, "export", one.key[:8], "--mlflow", "--store", one.store.path)
        for one in (own, pixels)
    ]

    assert ([one.code for one in said], told) == ([2, 2], [])
    assert "trained an encoder from your own file, which MLflow could load only" in said[0].err
    assert "evaluates raw pixels, so it has no weights to export" in said[1].err
