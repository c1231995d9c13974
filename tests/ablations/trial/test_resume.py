"""A trial that was killed goes on: with the rest of its steps, to the numbers of an unbroken one."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from commands import STUDY, the_plan, written_study
from counted import run_counted, steps

from ablations.trial import stages as product
from sweeps.record import TrialRecord
from sweeps.storage import Store

# 30 steps in 10 epochs of three.
LONG = STUDY.replace("num_images: 64", "num_images: 96").replace("epochs: 1", "epochs: 10")


def record_of(store: Path, key: str) -> TrialRecord:
    found = list(Store(store).records([key]))
    return found[-1]


def told(record: TrialRecord) -> dict[str, Any]:
    """What a record says that no clock enters."""
    facts = {
        name: fact
        for name, fact in record.facts.items()
        if name not in {"pretraining_seconds", "resumed_at_step"}
    }
    curve = {name: column for name, column in record.curve.items() if name != "pairs_per_second"}
    return {"values": record.values, "facts": facts, "curve": curve}


def checkpoints(store: Path) -> list[Path]:
    folder = store / "checkpoints"
    return list(folder.iterdir()) if folder.is_dir() else []


def test_killed_with_9_in_an_epoch_it_takes_the_rest_of_its_steps_and_ends_with_the_same_bits(
    here: Path,
) -> None:
    study = written_study(here, LONG)
    key = the_plan(study).trials[0].key
    counter, store = here / "counter", here / "killed"
    script = Path(__file__).parents[1] / "counted.py"
    driver = subprocess.Popen(
        [sys.executable, str(script), str(study), key, str(store), str(counter)],
        cwd=here,
        env={"PATH": "", "PYTHONPATH": str(script.parents[2]), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    until = time.monotonic() + 120
    while steps(counter) < 5:
        assert driver.poll() is None, (driver.stderr and driver.stderr.read()) or "it ended"
        assert time.monotonic() < until
        time.sleep(0.001)
    driver.kill()
    driver.communicate()
    before = steps(counter)
    assert before < 30, "it was killed too late to prove anything"
    assert Store(store).summaries() == ()

    run_counted(study, key, store, counter)
    run_counted(study, key, here / "unbroken", here / "other counter")

    resumed, whole = record_of(store, key), record_of(here / "unbroken", key)
    [step] = resumed.facts["resumed_at_step"]
    # The step on which it was killed may have been drawn and not saved.
    assert before - 1 <= step <= before
    assert steps(counter) == before + 30 - step
    assert resumed.facts["optimiser_steps"] == steps(here / "other counter") == 30
    assert told(resumed) == told(whole)
    assert resumed.facts["encoder_hash_before"] == whole.facts["encoder_hash_before"]
    assert resumed.seconds > resumed.earlier_seconds > 0
    assert resumed.facts["pretraining_seconds"] < resumed.seconds
    assert checkpoints(store) == []


def test_killed_while_reading_out_it_reads_the_kept_encoder_out_anew(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = written_study(here)
    key = the_plan(study).trials[0].key
    evaluate = product.evaluate

    def killed(*arguments: Any, **named: Any) -> Any:
        evaluate(*arguments, **named)
        raise KeyboardInterrupt

    monkeypatch.setattr(product, "evaluate", killed)
    with pytest.raises(KeyboardInterrupt):
        run_counted(study, key, here / "killed", here / "counter")
    monkeypatch.undo()
    monkeypatch.chdir(here)
    assert checkpoints(here / "killed") == []

    run_counted(study, key, here / "killed", here / "counter")
    run_counted(study, key, here / "unbroken", here / "other counter")

    again, whole = record_of(here / "killed", key), record_of(here / "unbroken", key)
    assert again.values == whole.values
    assert again.reused == ("encoder",)
    assert again.facts["encoder_hash_after"] == whole.facts["encoder_hash_after"]
    assert steps(here / "counter") == steps(here / "other counter") == 2


def test_a_trial_that_diverges_leaves_no_checkpoint_to_diverge_from_again(here: Path) -> None:
    # A rate so high that the second step has no number, after a checkpoint of the first.
    study = written_study(here, LONG.replace("learning_rate: 1.0e-3", "learning_rate: 1.0e+30"))
    key = the_plan(study).trials[0].key

    ran = run_counted(study, key, here / "runs", here / "counter")

    assert ran.state == "failed"
    assert "Diverged" in str(ran.error)
    assert checkpoints(here / "runs") == []


def test_a_checkpoint_made_in_another_layout_is_told_and_the_trial_starts_anew(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = written_study(here)
    key = the_plan(study).trials[0].key
    monkeypatch.setattr(product, "pretrain", _breaking_off(product.pretrain))
    with pytest.raises(KeyboardInterrupt):
        run_counted(study, key, here / "runs", here / "counter")
    monkeypatch.undo()
    monkeypatch.chdir(here)
    assert len(checkpoints(here / "runs")) == 1

    run_counted(study, key, here / "runs", here / "counter", memory_format="contiguous")

    record = record_of(here / "runs", key)
    log = (here / "runs" / record.log).read_text()
    assert "was made with memory format channels_last, not contiguous; the stage starts" in log
    assert "resumed_at_step" not in record.facts
    assert record.earlier_seconds == 0.0


def _breaking_off(pretrain: Any) -> Any:
    def broken(*arguments: Any) -> Any:
        pretrain(*arguments)
        raise KeyboardInterrupt

    return broken


def test_the_mark_of_a_collapse_goes_with_the_kept_encoder(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = written_study(here)
    plan = the_plan(study)
    marks = {"collapsed": True, "collapse": {"step": 2, "effective_rank": 1.5}}

    def pretrain(*arguments: Any) -> Any:
        trained = true(*arguments)
        return trained._replace(facts={**trained.facts, **marks})

    true = product.pretrain
    monkeypatch.setattr(product, "pretrain", pretrain)
    run_counted(study, plan.trials[0].key, here / "runs", here / "counter")
    monkeypatch.undo()
    monkeypatch.chdir(here)
    newer = written_study(
        here, STUDY.replace("batch_size", "evaluation.knn.k: 5\n      batch_size")
    )
    other = the_plan(newer, store=here / "runs").trials[0]
    assert other.reason == "evaluation missing"

    run_counted(newer, other.key, here / "runs", here / "counter")

    first = record_of(here / "runs", plan.trials[0].key)
    second = record_of(here / "runs", other.key)
    assert "the embeddings collapsed" in (here / "runs" / first.log).read_text()
    for record in (first, second):
        assert {name: record.facts[name] for name in marks} == marks
    assert (second.facts["optimiser_steps"], second.reused) == (2, ("encoder",))
