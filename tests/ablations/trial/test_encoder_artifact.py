"""An encoder that the store kept: what is known of its training goes with it, whoever trained it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from commands import STUDY, the_plan, written_study
from counted import run_counted, steps

from ablations.trial import stages as product
from sweeps.errors import LaunchError, StoreError
from sweeps.record import TrialRecord
from sweeps.storage import Store

MORE = STUDY.replace("batch_size: 32", "batch_size: 32\n      evaluation.knn.k: 5")
"""The same encoders, read out otherwise."""

FOLDER = STUDY.replace("{kind: textures, num_images: 64, num_test: 32}", "{kind: folder, path: %s}")


def record_of(store: Path, key: str) -> TrialRecord:
    return list(Store(store).records([key]))[-1]


def training(record: TrialRecord) -> dict[str, Any]:
    """What a record tells of the training of its encoder, but for the clock."""
    names = ("optimiser_steps", "num_parameters", "images_left_out_of_each_epoch", "collapsed")
    curve = {
        name: column
        for name, column in record.curve.items()
        if name not in {"pairs_per_second", "knn/validation"}
    }
    return {name: record.facts[name] for name in names} | {"curve": curve}


def test_a_record_tells_the_training_of_an_encoder_that_another_trial_trained(here: Path) -> None:
    first = the_plan(written_study(here)).trials[0]
    run_counted(here / "mine.yaml", first.key, here / "runs", here / "counter")
    other = the_plan(written_study(here, MORE), store=here / "runs").trials[0]
    assert other.stages[0] == first.stages[0]

    run_counted(here / "mine.yaml", other.key, here / "runs", here / "counter")

    one, two = (record_of(here / "runs", key) for key in (first.key, other.key))
    assert (one.reused, two.reused) == ((), ("encoder",))
    assert training(two) == training(one)
    assert (two.facts["optimiser_steps"], steps(here / "counter")) == (2, 2)
    assert two.facts["pretraining_seconds"] == one.facts["pretraining_seconds"]
    assert one.curve["loss"]
    # Other neighbours were requested on the way: their numbers are no curve of this trial's.
    assert "knn/validation" in one.curve
    assert "knn/validation" not in two.curve


def test_an_arm_whose_worker_died_after_the_training_has_its_curve_and_steps(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = written_study(here)
    key = the_plan(study).trials[0].key

    def die(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(product, "evaluate", die)
    with pytest.raises(KeyboardInterrupt):
        run_counted(study, key, here / "runs", here / "counter")
    monkeypatch.undo()
    monkeypatch.chdir(here)

    run_counted(study, key, here / "runs", here / "counter")
    run_counted(study, key, here / "unbroken", here / "other counter")

    record, whole = record_of(here / "runs", key), record_of(here / "unbroken", key)
    assert record.reused == ("encoder",)
    assert training(record) == training(whole)
    assert record.curve["knn/validation"] == whole.curve["knn/validation"]


@pytest.mark.parametrize("how", ["a bit", "swapped"])
def test_a_changed_encoder_gives_no_other_score_but_is_trained_again(here: Path, how: str) -> None:
    plan = the_plan(written_study(here))
    for trial in plan.trials[:2]:
        run_counted(here / "mine.yaml", trial.key, here / "runs", here / "counter")
    more = the_plan(written_study(here, MORE), store=here / "runs").trials[0]
    folders = [here / "runs/encoders" / trial.stages[0].key for trial in plan.trials[:2]]
    shutil.copytree(here / "runs", here / "whole")
    if how == "a bit":
        weights = folders[0] / "encoder.pt"
        content = bytearray(weights.read_bytes())
        content[len(content) // 2] ^= 1
        weights.write_bytes(content)
    else:
        folders[0].rename(here / "x")
        folders[1].rename(folders[0])
        (here / "x").rename(folders[1])

    run_counted(here / "mine.yaml", more.key, here / "runs", here / "counter")
    run_counted(here / "mine.yaml", more.key, here / "whole", here / "counter")

    record, expected = record_of(here / "runs", more.key), record_of(here / "whole", more.key)
    assert record.values == expected.values
    assert record.reused == ()
    assert record.facts["encoder_hash_before"] == expected.facts["encoder_hash_before"]
    assert len(record.notes) == 1


# ------------------------------------------------------------------------- of earlier versions


def as_of_an_earlier_version(store: Path, key: str) -> Path:
    """Takes from an encoder's folder what earlier versions did not keep."""
    folder = store / "encoders" / key
    (folder / "training.json").unlink()
    manifest = json.loads((folder / "made.json").read_text())
    old = {name: manifest[name] for name in ("launch", "lasting", "moment")}
    (folder / "made.json").write_text(json.dumps(old))
    return folder


@pytest.mark.parametrize("how", ["as it was", "changed", "without a record"])
def test_an_encoder_without_hashes_is_used_if_a_record_of_it_confirms_its_weights(
    here: Path, how: str
) -> None:
    plan = the_plan(written_study(here))
    for trial in plan.trials[:2]:
        run_counted(here / "mine.yaml", trial.key, here / "runs", here / "counter")
    first = plan.trials[0]
    more = the_plan(written_study(here, MORE), store=here / "runs").trials[0]
    folder = as_of_an_earlier_version(here / "runs", first.stages[0].key)
    other = here / "runs/encoders" / plan.trials[1].stages[0].key
    if how == "changed":
        shutil.copyfile(other / "encoder.pt", folder / "encoder.pt")
    elif how == "without a record":
        shutil.rmtree(here / "runs/trials" / first.key)

    run_counted(here / "mine.yaml", more.key, here / "runs", here / "counter")

    record = record_of(here / "runs", more.key)
    assert record.facts["optimiser_steps"] == 2
    if how == "as it was":
        assert (record.reused, record.notes) == (("encoder",), ())
        assert record.curve["loss"] == record_of(here / "runs", first.key).curve["loss"]
    else:
        assert record.reused == ()
        [told] = record.notes
        assert "by an earlier version" in told


# ------------------------------------------------------------------------- data that change


@pytest.fixture
def images(here: Path) -> Path:
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    for number in range(48):
        place = here / "images" / f"class {number % 2}"
        place.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / f"{number}.png")
    return here / "images"


@pytest.mark.parametrize("how", ["changed", "deleted", "emptied"])
def test_data_that_change_in_mid_run_are_trouble_of_the_launch_and_fail_no_trial(
    here: Path, images: Path, how: str
) -> None:
    study = written_study(here, FOLDER % images)
    plan = the_plan(study)
    run_counted(study, plan.trials[0].key, here / "runs", here / "counter")
    product._datasets.clear()  # another worker, or this one after it took another data set
    if how == "changed":
        (images / "class 0" / "0.png").unlink()
    elif how == "deleted":
        shutil.rmtree(images)
    else:
        for file in images.rglob("*.png"):
            file.unlink()

    settings = {"device": "cpu", "threads": 1, "checkpoint_seconds": 0.0}
    from sweeps.execution import RunSettings, run_here

    with pytest.raises(LaunchError) as caught:
        run_here(
            plan.trials[1],
            plan,
            Store(here / "runs"),
            "ablations.trial.stages:run_trial",
            RunSettings(payload=settings),
        )

    start = "the launch stopped because the images changed while it ran: "
    assert str(caught.value).startswith(start)
    assert "images" in str(caught.value).removeprefix(start)
    assert [one.key for one in Store(here / "runs").summaries()] == [plan.trials[0].key]
    assert not isinstance(caught.value, StoreError)
