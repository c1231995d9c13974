"""What a full replication would take, from the study file alone."""

from pathlib import Path

import pytest
from PIL import Image
from torchvision.models import ResNet50_Weights

from ablations.compose.planning import compose
from ablations.evidence.resolved import snapshot_of
from ablations.study.request import Request
from reports.spec import Scope


def scope_of(study: str, scale: str) -> Scope:
    composed, _ = compose(Request(study=study, scale=scale))  # type: ignore[arg-type]
    return snapshot_of(composed).scope


def test_a_full_replication_is_the_paper_scale_whatever_runs_here() -> None:
    smoke = scope_of("quickstart", "smoke")

    assert list(smoke.here) == list(smoke.full) == ["crop", "crop+colour", "crop+colour+rotation"]
    assert {one.images for one in smoke.here.values()} == {256}
    assert {(one.images, one.size) for one in smoke.full.values()} == {(1_281_167, 224)}
    assert {(one.epochs, one.batch) for one in smoke.full.values()} == {(100, 4096)}
    assert smoke.full_seeds == 5
    assert smoke.full == scope_of("quickstart", "gpu").full


def test_the_papers_encoder_takes_the_operations_of_its_network() -> None:
    papers = scope_of("width", "laptop").papers

    assert papers is not None
    seen = 1_281_167 // 4096 * 4096 * 100
    forward = 2e9 * ResNet50_Weights.IMAGENET1K_V1.meta["_ops"]  # multiply and add
    # Two views, a backward pass of two forward ones; head and last layer are below 1 %.
    assert papers.operations == pytest.approx(seen * 2 * 3 * forward, rel=0.02)


STUDY = """\
name: mine
title: t
question: q
source: s
axes: [{kind: levels, name: depth, field: encoder.depth, levels: [18, 34]}]
scales:
  laptop: {set: {data: DATA, batch_size: 16, epochs: 2, schedule: {kind: constant}}}
"""


def test_the_images_of_a_folder_are_counted_as_if_the_study_had_said_their_number(
    tmp_path: Path,
) -> None:
    for nth in range(64):
        for part in ("train", "test") if nth < 10 else ("train",):
            file = tmp_path / "images" / part / f"{'ant' if nth % 2 else 'bee'}" / f"{nth}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8), (nth, 0, 0 if part == "train" else 9)).save(file)
    study, said = tmp_path / "mine.yaml", tmp_path / "said.yaml"
    study.write_text(STUDY.replace("DATA", "{kind: folder, path: images, size: 32}"))
    said.write_text(STUDY.replace("DATA", "{kind: textures, num_images: 64, num_test: 10}"))

    found = scope_of(str(study), "laptop").here["18"]

    assert (found.data, found.images) == ("images", 64)
    assert found.operations == scope_of(str(said), "laptop").here["18"].operations
    assert found.operations


def test_an_encoder_of_ones_own_has_no_count(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("def build(seed):\n    raise AssertionError('executed')\n")
    study = tmp_path / "mine.yaml"
    study.write_text(
        "name: mine\ntitle: t\nquestion: q\nsource: s\n"
        "axes:\n- {kind: levels, name: net, field: encoder, levels: {own: {kind: file, path: net.py,"
        " name: build, num_features: 8}, small: {kind: resnet, depth: 18}}}\n"
        "scales: {laptop: {set: {data: {kind: textures, num_images: 64, num_test: 32},"
        " batch_size: 16, epochs: 1, schedule: {kind: constant}}}}\n"
    )

    found = scope_of(str(study), "laptop").here

    assert found["own"].operations is None
    assert found["small"].operations
