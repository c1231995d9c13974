"""Layers and targets in a study: one encoder for h and g(h), kept with its head."""

import json
from pathlib import Path
from typing import Any

import pytest
from commands import STUDY, called, the_plan, written_study

from ablations.compose.planning import compose
from ablations.evidence.collect import evidence
from ablations.evidence.resolved import snapshot_of
from ablations.study.request import Request
from simclr_core.evaluation.frozen_features import state_hash
from sweeps.storage.store import Store

AXES = """\
  - kind: levels
    name: from
    field: evaluation.layer
    levels: {h: h, g(h): z}
"""
LAYERS = (
    STUDY.replace(STUDY[STUDY.index("  - kind: levels") : STUDY.index("seeds: 2")], AXES)
    .replace("{with: crop+colour, without: crop}", "{with: h, without: g(h)}")
    .replace("axis: views", "axis: from")
)


def trial_of(study: Path, cell: str, seed: int = 0, **request: Any) -> Any:
    return next(t for t in the_plan(study, **request).trials if (t.cell, t.seed) == (cell, seed))


def record_at(here: Path, key: str, attempt: int = 1) -> dict[str, Any]:
    return json.loads((here / f"runs/trials/{key}/{attempt:03d}/record.json").read_text())


def test_h_and_its_head_are_read_from_one_training(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = written_study(here, LAYERS)
    at_h, at_z = trial_of(study, "h"), trial_of(study, "g(h)")
    assert at_h.stages[0].key == at_z.stages[0].key
    assert at_h.key != at_z.key

    first = called(capsys, "trial", study, at_h.key)
    second = called(capsys, "trial", study, at_z.key)

    assert (first.code, second.code) == (0, 0), first.err + second.err
    assert "using the stored encoder" in second.out
    one, other = record_at(here, at_h.key), record_at(here, at_z.key)
    assert (one["facts"]["optimiser_steps"], other["facts"]["optimiser_steps"]) == (2, 2)
    assert (one["reused"], other["reused"]) == ([], ["encoder"])
    assert one["facts"]["encoder_hash_after"] == other["facts"]["encoder_hash_after"]
    import torch

    folder = Store(Path("runs")).artifact("encoder", at_h.stages[0].key)
    assert folder is not None
    head = torch.load(folder / "head.pt", weights_only=True)
    assert other["facts"]["head_hash_before"] == state_hash(head)


def test_an_encoder_kept_without_its_head_is_trained_anew_where_the_head_is_asked_for(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = written_study(here, LAYERS)
    at_h, at_z = trial_of(study, "h"), trial_of(study, "g(h)")
    assert called(capsys, "trial", study, at_h.key).code == 0
    folder = Store(Path("runs")).artifact("encoder", at_h.stages[0].key)
    assert folder is not None
    (folder / "head.pt").unlink()  # as versions did that kept none, and no hashes
    manifest = json.loads((folder / "made.json").read_text())
    old = {name: manifest[name] for name in ("launch", "lasting", "moment")}
    (folder / "made.json").write_text(json.dumps(old))

    few = ("--set", "evaluation.knn.k=3")
    other = json.loads(called(capsys, "plan", study, *few, "--json").out)
    [key] = [t["key"] for t in other["trials"] if (t["cell"], t["seed"]) == ("h", 0)]
    plain = called(capsys, "trial", study, key, *few)
    deep = called(capsys, "trial", study, at_z.key)

    assert (plain.code, deep.code) == (0, 0), plain.err + deep.err
    assert "using the stored encoder" in plain.out
    assert "it will be created again" in deep.out
    assert record_at(here, at_z.key)["facts"]["optimiser_steps"] == 2
    assert (folder / "head.pt").exists()


def test_random_encoders_and_raw_pixels_stand_beside_each_layer(here: Path) -> None:
    plan = the_plan(written_study(here, LAYERS))

    floors = {t.cell: t for t in plan.trials if t.role == "floor" and t.seed == 0}
    pixels = [t for t in plan.trials if t.role == "reference"]

    assert set(floors) == {"random encoder (h)", "random encoder (g(h))"}
    assert len({t.stages[0].key for t in floors.values()}) == 1
    assert {t.config["evaluation"]["layer"] for t in floors.values()} == {"h", "z"}
    assert [t.config["evaluation"]["layer"] for t in pixels] == ["h"]


def test_an_own_head_is_named_where_it_is_executed_to_be_read(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "heads.py").write_text("def g(num_features, seed): pass\n")
    head = "head={kind: file, path: heads.py, name: g}"
    study = written_study(here, LAYERS)
    Store(here / "runs").prepare()
    for trial in the_plan(study).trials:
        folder = here / "runs" / "encoders" / trial.stages[0].key
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "made.json").write_text("{}")

    named = {
        only: "heads.py (" in called(capsys, "plan", study, "--set", head, "--only", only).out
        for only in ("random encoder (h)", "random encoder (g(h))")
    }

    assert named == {"random encoder (h)": False, "random encoder (g(h))": True}


def test_what_is_our_choice_about_targets_stands_beside_the_verdict(here: Path) -> None:
    composed, store = compose(Request(study=str(written_study(here, NOISE)), scale="paper"))

    [arm, _] = [
        cell
        for cell in evidence(snapshot_of(composed), composed.request, store).cells
        if cell.role == "arm"
    ]

    found = {one.field: one for one in arm.deviations}
    assert "not published (table 3)" in found["evaluation.probe"].paper
    assert found["evaluation.probe"].here.startswith("one hidden layer by Adam")
    assert "not published" in found["evaluation.target"].paper


def test_a_head_without_weights_has_its_cells_like_any_other(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = written_study(here, LAYERS)
    none = ("--set", "head={kind: none}")
    told = json.loads(called(capsys, "plan", study, *none, "--json").out)
    keys = {t["cell"]: t["key"] for t in told["trials"] if t["seed"] == 0}

    ends = {
        cell: called(capsys, "trial", study, keys[cell], *none)
        for cell in ("h", "g(h)", "random encoder (g(h))", "permuted labels")
    }

    assert {cell: said.code for cell, said in ends.items()} == dict.fromkeys(ends, 0)
    assert "using the stored encoder" in ends["g(h)"].out
    h, z = (record_at(here, keys[cell])["values"] for cell in ("h", "g(h)"))
    assert h == z


NOISE = LAYERS.replace(
    "  views: {", "  evaluation: {target: {kind: noise}, probe: {kind: mlp}}\n  views: {"
)


def test_controls_that_speak_of_classes_are_not_made_with_cells_that_do_not(here: Path) -> None:
    (here / "classes.yaml").write_text(LAYERS)
    (here / "noise.yaml").write_text(NOISE)

    found = {
        name: [t.cell for t in the_plan(here / f"{name}.yaml").trials if t.role == "control"]
        for name in ("classes", "noise")
    }
    mixed = the_plan("head-layers", only=("noise / h", "classes / g(h)"))

    assert set(found["classes"]) == {"permuted labels", "shuffled positives"}
    assert found["noise"] == ["permuted labels"]
    shuffled = next(t for t in mixed.trials if t.cell == "shuffled positives")
    assert shuffled.config["evaluation"]["target"]["kind"] == "classes"
    permuted = {
        t.cell: t.config["evaluation"]["probe"]["kind"]
        for t in mixed.trials
        if t.cell.startswith("permuted")
    }
    assert permuted == {"permuted labels": "logistic", "permuted labels, probe mlp": "mlp"}


def test_the_metric_is_named_by_what_the_read_outs_are(here: Path) -> None:
    names: dict[str, str] = {}
    for name, text in {
        "classes": LAYERS,
        "noise": NOISE,
        "own": NOISE + "metric_name: mine\n",
    }.items():
        (here / f"{name}.yaml").write_text(text)
        composed, store = compose(Request(study=str(here / f"{name}.yaml")))
        told = evidence(snapshot_of(composed), composed.request, store)
        names[name] = told.metric_name
        assert {cell.predicts for cell in told.cells} == {
            "classes" if name == "classes" else "noise"
        }

    assert names == {
        "classes": "linear probe, top-1", "noise": "accuracy of the probe", "own": "mine"
    }  # fmt: skip


def test_a_metric_that_a_target_cannot_have_is_refused_when_it_is_planned(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written_study(here, NOISE + "metric: top5\n")

    said = called(capsys, "plan", "mine.yaml")

    assert said.code == 2
    assert "one of validation_top1, top1, knn_top1" in said.err


def test_status_and_export_say_of_what_an_accuracy_speaks(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "classes.yaml").write_text(LAYERS)
    (here / "noise.yaml").write_text(NOISE)
    said: dict[str, str] = {}
    for name in ("classes", "noise"):
        study = here / f"{name}.yaml"
        for cell in ("h", "g(h)"):
            key = trial_of(study, cell).key
            assert called(capsys, "trial", study, key).code == 0
            out = called(capsys, "export", key, "--to", f"{name}-{cell[0]}.pt").out
            said[f"{name} / {cell}"] = out[out.index("; ") : out.index(" %, one trial")]

    assert said["classes / h"].startswith("; top-1 ")
    assert "from" not in said["classes / h"]
    assert said["classes / g(h)"].startswith("; top-1 of classes from z ")
    assert said["noise / h"].startswith("; top-1 of noise from h ")
    assert said["noise / g(h)"].startswith("; top-1 of noise from z ")


@pytest.mark.parametrize("deviation", [".inf", "0", "-1"])
def test_noise_without_bound_is_told_with_its_field(
    here: Path, capsys: pytest.CaptureFixture[str], deviation: str
) -> None:
    study = written_study(
        here, NOISE.replace("kind: noise", f"kind: noise, deviation: {deviation}")
    )

    said = called(capsys, "plan", study)

    assert said.code == 2
    assert "evaluation.target.deviation: must be" in said.err
