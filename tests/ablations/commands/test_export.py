"""`export`: what is written loads elsewhere and says the same of images; what cannot be is refused."""

import errno
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import STUDY, called, the_plan, tree, written_study
from exported import TINY, Ran, save_encoder

from simclr_core.config.schema import Config
from simclr_core.evaluation.frozen_features import state_hash
from sweeps.storage.launch_log import save_plan
from sweeps.storage.store import Store


@pytest.fixture
def ran(here: Path) -> Ran:
    return Ran(here)


def printed_code(out: str) -> str:
    """The lines that load the network, as a user would paste them."""
    lines = out.splitlines()
    return "\n".join(lines[lines.index("import torch") :])


# ------------------------------------------------------------------------------- loads elsewhere


@pytest.mark.parametrize(
    ("encoder", "builder", "side"),
    [
        ("{kind: resnet, depth: 50}", "torchvision.models.resnet50()", 32),
        ("{kind: resnet, depth: 18, stem: cifar}", "torchvision.models.resnet18()", 16),
        ("{kind: resnet, depth: 10, stem: small}", "torchvision.models.ResNet(", 32),
        ("{kind: resnet, blocks: [1, 2, 1], stem: small}", "torchvision.models.ResNet(", 32),
        ("{kind: resnet, blocks: [1], stem: imagenet}", "torchvision.models.ResNet(", 32),
        ("{kind: resnet, depth: 18, width: 0.25}", "ResNet(depth=18, width=0.25)", 32),
        (TINY, "ResNet(blocks=(1,), width=0.0625, stem='small').build(0, 32)", 32),
        ("{kind: vit, patch: 8, dim: 16, depth: 1, heads: 2}", ".build(0, 32)", 32),
    ],
)
def test_the_printed_lines_load_the_file_and_give_our_features(
    here: Path, capsys: pytest.CaptureFixture[str], encoder: str, builder: str, side: int
) -> None:
    ran = Ran(here, encoder)
    theirs: dict[str, Any] = {}

    said = called(capsys, "export", ran.key[:8], "--to", "encoder.pt")
    exec(printed_code(said.out), theirs)

    assert said.code == 0
    assert builder in said.out
    foreign = "width" in encoder or "vit" in encoder
    assert ("torchvision: builds no such network" in said.out) == foreign
    ours = ran.config.encoder.build(0, 32)
    ours.load_state_dict(ran.state)
    x = torch.rand(3, 3, side, side, dtype=torch.float64)
    with torch.no_grad():
        expected, found = ours.double().eval()(x), theirs["model"].double()(x)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    assert float(expected.std()) > 1e-3  # so the comparison compares something


def test_raw_pixels_have_no_weights_to_write(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = Ran(here, "{kind: pixels}", epochs=0)

    said = called(capsys, "export", ran.key[:8], "--to", "encoder.pt")

    assert said.code == 2
    assert "evaluates raw pixels, so it has no weights to export" in said.err
    assert not (here / "encoder.pt").exists()


def test_what_stands_beside_it_says_what_was_measured_and_that_it_is_one_trial(
    here: Path, capsys: pytest.CaptureFixture[str], ran: Ran
) -> None:
    said = called(capsys, "export", ran.key.upper()[:10], "--to", "e.pt")

    told = json.loads((here / "e.pt.json").read_text())
    assert told["key"] == ran.key
    assert (told["study"], told["cell"], told["seed"]) == ("mine", "crop", 0)
    assert (told["values"], told["n"]) == ({"top1": 50.0}, 1)
    assert "no interval" in told["values are"]
    assert "not normalised" in told["images"]
    assert told["sha256"] == hashlib.sha256((here / "e.pt").read_bytes()).hexdigest()
    assert told["features"] == 4
    assert Config.model_validate(told["config"]) == ran.config
    assert "top-1 50.0 %, one trial, no interval" in said.out
    assert printed_code(said.out).splitlines() == told["load"]


def test_without_a_destination_the_file_is_named_by_the_key_in_the_current_folder(
    here: Path, capsys: pytest.CaptureFixture[str], ran: Ran
) -> None:
    before = tree(here / "runs", but="index.jsonl")

    assert called(capsys, "export", ran.key).code == 0

    assert {path.name for path in here.glob("encoder-*")} == {
        f"encoder-{ran.key[:12]}.pt",
        f"encoder-{ran.key[:12]}.pt.json",
    }
    assert tree(here / "runs", but="index.jsonl") == before


def test_of_several_attempts_the_one_is_told_that_measured_these_weights(
    here: Path, capsys: pytest.CaptureFixture[str], ran: Ran
) -> None:
    ran.record(values={"top1": 61.0}, facts={"encoder_hash_after": "of other weights"})

    assert called(capsys, "export", ran.key, "--to", "e.pt").code == 0

    told = json.loads((here / "e.pt.json").read_text())
    assert (told["attempt"], told["values"]) == (1, {"top1": 50.0})


# --------------------------------------------------------------------------------------- refusals


def refused(
    here: Path, capsys: pytest.CaptureFixture[str], sentence: str, *words: str | Path
) -> None:
    before = tree(here, but="index.jsonl")

    said = called(capsys, "export", *words)

    assert (said.code, said.out) == (2, "")
    assert len(said.err.splitlines()) == 1
    assert sentence in said.err
    assert "Traceback" not in said.err
    assert tree(here, but="index.jsonl") == before


def test_an_unknown_trial_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str], ran: Ran
) -> None:
    refused(here, capsys, "has no trial 'zzzz'", "zzzz")
    del ran


def test_a_file_that_exists_is_refused_and_stays(
    here: Path, capsys: pytest.CaptureFixture[str], ran: Ran
) -> None:
    (here / "e.pt.json").write_text("mine")

    why = "--to: e.pt.json exists; remove it or name another file with --to"
    refused(here, capsys, why, ran.key, "--to", "e.pt")


def test_a_prefix_of_several_trials_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str], ran: Ran
) -> None:
    refused(here, capsys, f"'' matches {len(ran.plan.trials)} keys (", "")


def test_a_trial_that_has_not_run_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str], ran: Ran
) -> None:
    other = next(t for t in ran.plan.trials if t.cell == "crop+colour")

    refused(here, capsys, "(crop+colour, seed 0) has not finished", other.key)


def test_a_trial_that_failed_is_refused_with_its_reason(
    here: Path, capsys: pytest.CaptureFixture[str], ran: Ran
) -> None:
    other = next(t for t in ran.plan.trials if t.cell == "crop+colour")
    ran.commit(other, state="failed", values={}, error="Diverged: the loss is nan")

    refused(here, capsys, "failed: Diverged: the loss is nan; run it again", other.key)


def test_a_trial_recorded_under_former_names_of_fields_is_exported(
    capsys: pytest.CaptureFixture[str], ran: Ran
) -> None:
    former = dict(ran.trial.config)
    evaluation = former.pop("evaluation")
    former["readouts"] = {
        {"split": "part", "knn": "neighbours"}.get(name, name): value
        for name, value in evaluation.items()
    }
    ran.record(config=former)

    said = called(capsys, "export", ran.key, "--to", "e.pt")

    assert (said.code, said.err) == (0, "")
    assert state_hash(torch.load("e.pt", weights_only=True)) == state_hash(ran.state)


def test_a_trial_that_failed_after_it_finished_still_has_its_encoder(
    capsys: pytest.CaptureFixture[str], ran: Ran
) -> None:
    ran.record(state="failed", values={}, error="Killed", facts={})

    assert called(capsys, "export", ran.key, "--to", "e.pt").code == 0


def test_weights_that_were_not_kept_are_said_to_be_so(
    here: Path, capsys: pytest.CaptureFixture[str], ran: Ran
) -> None:
    shutil.rmtree(ran.weights.parent)

    refused(here, capsys, "it ran with --keep none, or they were removed", ran.key)


@pytest.mark.parametrize("left", [0, 100, -100])
def test_torn_weights_are_refused(
    here: Path, capsys: pytest.CaptureFixture[str], ran: Ran, left: int
) -> None:
    ran.weights.write_bytes(ran.weights.read_bytes()[:left])

    refused(here, capsys, "cannot be read (", ran.key)


def test_weights_that_are_not_those_that_were_measured_are_refused(
    here: Path, capsys: pytest.CaptureFixture[str], ran: Ran
) -> None:
    save_encoder(ran.store, ran.trial, ran.config.encoder.build(5).state_dict())

    refused(here, capsys, "is not the encoder that trial", ran.key)


@pytest.mark.parametrize("name", ["e.pt", "e.pt.json"])
def test_nothing_that_stands_at_the_destination_is_replaced(
    here: Path, capsys: pytest.CaptureFixture[str], ran: Ran, name: str
) -> None:
    (here / name).write_text("of the user")

    refused(here, capsys, f"--to: {name} exists", ran.key, "--to", "e.pt")


def test_a_folder_as_a_destination_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str], ran: Ran
) -> None:
    (here / "models").mkdir()

    refused(here, capsys, "--to: models exists", ran.key, "--to", "models")


def test_a_folder_that_is_not_there_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str], ran: Ran
) -> None:
    refused(here, capsys, "--to: there is no folder no/where", ran.key, "--to", "no/where/e.pt")


def test_a_store_that_is_not_there_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(here, capsys, "--store: there is no store at nowhere", "ab", "--store", "nowhere")


def test_a_disk_that_fills_leaves_nothing_behind(
    here: Path, capsys: pytest.CaptureFixture[str], ran: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []

    def full(descriptor: int) -> None:
        synced.append(descriptor)
        if len(synced) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    refused(here, capsys, "e.pt cannot be written (No space left", ran.key, "--to", "e.pt")


def test_a_name_that_is_taken_meanwhile_stays_as_it_is_and_nothing_else_is_left(
    here: Path, capsys: pytest.CaptureFixture[str], ran: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = Path.hardlink_to

    def slow(path: Path, target: Path) -> None:
        if path.name == "e.pt":
            path.write_text("of another program")
        link(path, target)

    monkeypatch.setattr(Path, "hardlink_to", slow)

    said = called(capsys, "export", ran.key, "--to", "e.pt")

    assert (said.code, said.out) == (2, "")
    assert "e.pt was created in the meantime" in said.err
    assert (here / "e.pt").read_text() == "of another program"
    assert {path.name for path in here.iterdir()} == {"e.pt", "mine.yaml", "runs"}


def test_a_file_of_the_users_own_is_not_executed_by_the_export(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "import torch\n\ndef f(seed):\n    return torch.nn.Sequential(torch.nn.Flatten())\n"
    (here / "f.py").write_text(text)
    ran = Ran.__new__(Ran)
    ran.plan = the_plan(
        written_study(
            here, STUDY.replace(TINY, "{kind: file, path: f.py, name: f, num_features: 4}")
        )
    )
    ran.store = Store(here / "runs")
    ran.store.prepare()
    save_plan(ran.store, ran.plan)
    ran.trial = next(t for t in ran.plan.trials if t.cell == "crop" and t.seed == 0)
    ran.key, ran.state = ran.trial.key, {"weight": torch.ones(2)}
    save_encoder(ran.store, ran.trial, ran.state)
    ran.record()
    (here / "f.py").write_text("open('executed', 'w')\n" + text)

    said = called(capsys, "export", ran.key[:8], "--to", "encoder.pt")

    assert said.code == 0, said.err
    assert "f(...) from your own file, which is saved with the trial's record" in said.out
    assert torch.equal(torch.load(here / "encoder.pt", weights_only=True)["weight"], torch.ones(2))
    assert not (here / "executed").exists()
