"""Reports from the snapshot and the records alone: no images, no torch, no ray, no mlflow."""

import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from commands import STUDY, Said, called, recorded, the_plan, written_study
from PIL import Image

from ablations.compose.planning import compose
from ablations.evidence.resolved import snapshot_of
from ablations.evidence.snapshots import FILE, save, stored
from ablations.evidence.stamp import fix
from ablations.study.assignments import Setting
from ablations.study.request import Request
from reports.spec.snapshot import Snapshot
from sweeps.planning import key_of
from sweeps.storage.store import Store

LABEL = "mine@laptop"

WITHOUT = """\
import sys
for name in ("torch", "torchvision", "ray", "mlflow"):
    sys.modules[name] = None
from ablations.__main__ import main
main(sys.argv[1:])
"""
"""The command in a process in which none of these can be imported."""

WITH_IMAGES = STUDY.replace(
    "{kind: textures, num_images: 64, num_test: 32}", "{kind: folder, path: images, size: 8}"
)


def without_trainer(*words: str | Path, cwd: Path) -> Said:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, *map(str, words)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def images(folder: Path) -> Path:
    for place in range(40):
        path = folder / "ab"[place % 2] / f"{place}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (12, 12), (6 * place, 0, 128 * (place % 2))).save(path)
    return folder


def written(label: str = LABEL) -> dict[str, bytes]:
    folder = Path("runs/studies") / label
    return {path.name: path.read_bytes() for path in sorted(folder.glob("report.*"))}


@pytest.fixture
def launched(here: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A study of a folder of images, with a record of each trial, after `ablate run`."""
    images(here / "images")
    path = written_study(here, WITH_IMAGES)
    recorded(Path("runs"), the_plan(path))
    assert called(capsys, "run", path).code == 0
    return path


@pytest.fixture
def study(here: Path) -> Path:
    """A study with a record of each trial, a stamp and a snapshot, as after a launch."""
    path = written_study(here)
    recorded(Path("runs"), the_plan(path))
    composed, store = compose(Request(study=str(path)))
    fix(snapshot_of(composed), store)
    save(snapshot_of(composed), store)
    return path


@pytest.fixture
def untrained(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the launch: studies cannot be composed any more, as where torch is not installed."""
    assert study.exists()
    monkeypatch.setitem(sys.modules, "ablations.compose", None)


@pytest.mark.usefixtures("tracker")
def test_without_images_torch_ray_and_mlflow_the_report_has_the_bytes_of_the_runs(
    launched: Path, here: Path
) -> None:
    by_the_run = written()
    assert list(by_the_run) == ["report.html", "report.pdf"]
    for name in by_the_run:
        (here / "runs/studies" / LABEL / name).unlink()
    shutil.rmtree(here / "images")

    said = without_trainer("report", launched, cwd=here)

    assert said.code == 0, said.err
    assert written() == by_the_run
    assert "torch is not installed here: the report uses the cells as stored on" in said.err


@pytest.mark.usefixtures("tracker")
def test_without_the_images_the_report_has_the_bytes_of_the_runs(
    launched: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    by_the_run = written()
    shutil.rmtree(here / "images")

    said = called(capsys, "report", launched)

    assert said.code == 0, said.err
    assert written() == by_the_run
    assert (
        "the images are missing or cannot be used: the report uses the cells as stored on"
        in said.err
    )


@pytest.mark.usefixtures("untrained")
def test_what_was_recorded_since_the_launch_counts(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from ablations.evidence import current, evidence

    request = Request(study=str(study))
    store = Store("runs")
    before = evidence(current(request, store).snapshot, request, store)
    [known] = {one.seed for one in before.planned} - {0}
    [old] = [o for o in before.records if (o.cell, o.seed) == ("crop", known)]
    # Another seed, with the key that the chain of identities gives, and another attempt.
    snapshot = stored(request, store)
    assert snapshot is not None
    cell = next(arm for arm in snapshot.sweep.arms() if arm.name == "crop")
    key = ""
    for stage, identity in snapshot.resolve(cell)(7).chain:
        key = key_of([key, stage, identity])
    for told in ({"key": key, "seed": 7}, {"values": {"top1": 99.0}}):
        store.commit(old.model_copy(update=told), store.running / "log")

    after = evidence(current(request, store).snapshot, request, store)

    assert {(one.cell, one.seed) for one in after.planned} - {
        (one.cell, one.seed) for one in before.planned
    } == {("crop", 7)}
    assert [one.attempt for one in after.records if one.key == old.key] == [1, 2]
    assert called(capsys, "report", study).code == 0


@pytest.mark.usefixtures("untrained")
def test_a_margin_edited_since_is_shown_without_the_trainer(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study.write_text(study.read_text().replace("margin: 0", "margin: -20"))

    said = called(capsys, "report", study)

    assert "margin was 0 when" in " ".join(said.out.split())
    assert b"is -20 now" in written()["report.html"]
    assert "the study file has since changed" not in said.err


@pytest.mark.usefixtures("untrained")
def test_a_design_edited_since_is_named_where_it_cannot_be_resolved(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study.write_text(study.read_text().replace("epochs: 1", "epochs: 2"))

    said = called(capsys, "report", study)

    assert said.code == 0, said.err
    assert "has since changed in parts that only the trainer can resolve" in said.err


def test_a_design_edited_since_is_resolved_anew_where_it_can_be(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = Path("runs/studies") / LABEL / FILE
    before = file.read_bytes()
    study.write_text(study.read_text().replace("seeds: 2", "seeds: 3"))

    assert called(capsys, "report", study).code == 0
    assert file.read_bytes() != before


@pytest.mark.parametrize("damage", ["", "{", '{"format": 2}', None])
@pytest.mark.usefixtures("untrained")
def test_without_the_trainer_and_a_snapshot_the_message_says_where_to_write_the_report(
    study: Path, capsys: pytest.CaptureFixture[str], damage: str | None
) -> None:
    file = Path("runs/studies") / LABEL / FILE
    if damage is None:
        file.unlink()
    else:
        file.write_text(damage)

    said = called(capsys, "report", study)

    assert said.code == 2
    assert "can then only use the snapshot of an earlier launch" in said.err
    assert "write the report on a machine with torch" in said.err


def test_an_import_that_fails_otherwise_is_not_taken_for_a_missing_package(
    study: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # What Ctrl-C in the middle of an import of torch leads to, or a torch that is broken.
    monkeypatch.setitem(sys.modules, "ablations.compose", ModuleType("ablations.compose"))

    with pytest.raises(ImportError, match="cannot import name 'compose'"):
        called(capsys, "report", study)


@pytest.mark.usefixtures("untrained")
def test_a_cell_that_was_never_resolved_is_named(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The control goes with the first arm of the launch; for another arm it was never resolved.
    said = called(capsys, "report", study, "--only", "crop+colour")

    assert said.code == 2
    assert "has none for 'permuted labels'" in said.err


def test_the_controls_of_a_selection_outlive_a_report_without_it(
    study: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = compose(Request(study=str(study)))[1]
    save(snapshot_of(compose(Request(study=str(study), only=("crop+colour",)))[0]), store)
    assert called(capsys, "report", study).code == 0
    monkeypatch.setitem(sys.modules, "ablations.compose", None)

    said = called(capsys, "report", study, "--only", "crop+colour")

    assert said.code == 0, said.err


@pytest.mark.parametrize("part", ["code", "design", "cells"])
def test_cells_of_other_code_another_study_or_other_images_are_not_merged(
    study: Path, part: str
) -> None:
    composed, store = compose(Request(study=str(study)))
    old = snapshot_of(compose(Request(study=str(study), only=("crop+colour",)))[0])
    shared = next(iter(snapshot_of(composed).cells))
    other = old.cells[shared].model_copy(update={"config": {"of": "other images"}})
    changed = {"code": "1", "design": "1", "cells": old.cells | {shared: other}}
    (store.study(LABEL) / FILE).unlink()
    save(old.model_copy(update={part: changed[part]}), store)

    save(snapshot_of(composed), store)

    found = stored(Request(study=str(study)), store)
    assert found is not None
    assert found.cells.keys() == snapshot_of(composed).cells.keys()


@pytest.mark.usefixtures("untrained")
def test_a_study_whose_file_is_elsewhere_is_reported_by_its_name(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study.unlink()

    said = called(capsys, "report", "mine")

    assert said.code == 0, said.err
    assert "with the claims of that date" in said.err


@pytest.mark.usefixtures("tracker")
def test_a_variation_is_found_by_its_options(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = written_study(here)
    photos = images(here / "photos")
    cooler = (Setting("loss.temperature", 0.3, "--set"),)
    recorded(Path("runs"), the_plan(study, set=cooler, data=photos))
    options = ("--set", "loss.temperature=0.3", "--data", photos)
    assert called(capsys, "run", study, *options).code == 0
    [label] = [path.name for path in Path("runs/studies").iterdir()]
    by_the_run = written(label)
    shutil.rmtree(photos)

    assert called(capsys, "report", study, *options).code == 0
    assert written(label) == by_the_run
    monkeypatch.setitem(sys.modules, "ablations.compose", None)
    assert called(capsys, "report", study, *options).code == 0
    assert written(label) == by_the_run
    assert called(capsys, "report", study).code == 2


def test_a_snapshot_survives_its_json_and_resolves_every_seed_as_the_trainer_does(
    here: Path,
) -> None:
    study = written_study(here)
    composed, store = compose(Request(study=str(study)))
    snapshot = snapshot_of(composed)
    store.prepare()

    save(snapshot, store)

    read = stored(composed.request, store)
    assert read == snapshot
    assert Snapshot.model_validate_json(snapshot.model_dump_json()) == snapshot
    for cell in the_plan(study).cells:
        for seed in (0, 1, 77):
            assert snapshot.resolve(cell)(seed) == composed.resolve(cell)(seed)
