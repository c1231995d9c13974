"""Broken off at any step and gone on with, a training has the bits of one without a break."""

import json
import os
import random
import signal
import subprocess
import time
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from driving import MINE, ablate, command, environment, records, statuses
from heeding import heeding
from interrupted import EACH_STEP, LONG, OPTIMIZERS, Sitting, equal, pictures, sat
from made_trials import HERE, Listener, equal_states, small_config
from timed_machine import SLOTS, spare_the_timing

from simclr_core.evaluation.frozen_evaluation import evaluate

pytestmark = pytest.mark.proof

STEPS = random.Random(2002).sample(range(1, 24), 10)
"""Of 24; drawn once."""


@cache
def unbroken(optimizer: str) -> Sitting:
    return sat({"optimizer": OPTIMIZERS[optimizer]}, until=24)


def read(sitting: Sitting) -> Any:
    return evaluate(
        small_config(LONG), pictures(), sitting.trained.state, HERE, Listener()
    )._asdict()


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("optimizer", ["lars", "adamw"])
def test_told_to_stop_at_a_random_step(optimizer: str, step: int) -> None:
    changes, whole = {"optimizer": OPTIMIZERS[optimizer]}, unbroken(optimizer)

    rest = sat(changes, until=24, memory=sat(changes, until=step).memory)

    assert rest.steps == 24 - step
    assert equal_states(rest.trained.state, whole.trained.state)
    assert equal(rest.left, whole.left)  # head, moments, step counts, rows of the curve
    assert rest.curve == whole.curve
    assert read(rest) == read(whole)


@pytest.mark.parametrize("optimizer", ["lars", "adamw", "sgd"])
def test_a_law_broken_off_after_each_single_step_it_is_the_same(optimizer: str) -> None:
    changes, whole = {"optimizer": OPTIMIZERS[optimizer]}, unbroken(optimizer)
    last = sat(changes, until=1, execution=EACH_STEP)

    for until in range(2, 25):
        last = sat(changes, until=until, memory=last.memory, execution=EACH_STEP)
        assert last.steps == 1

    assert last.trained.facts["resumed_at_step"] == list(range(1, 24))
    assert equal(last.left, whole.left)
    assert last.curve == whole.curve


def _interrupted(folder: Path, *words: str) -> dict[str, float]:
    """`ablate run`, with a Ctrl-C once a trial is in an epoch; key -> steps it had told by then."""
    driver = subprocess.Popen(
        heeding(*command("run", *words)),
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        told = _in_an_epoch(driver, folder / "runs" / "running")
    except BaseException:  # a driver that is left behind would turn the tests after this one red
        driver.kill()
        driver.wait()
        raise
    # As a terminal does it: to the whole foreground group.
    os.killpg(driver.pid, signal.SIGINT)
    assert driver.wait(timeout=120) == 130
    return told


def _in_an_epoch(driver: "subprocess.Popen[bytes]", running: Path) -> dict[str, float]:
    """Waits until a trial is in the first half of its steps."""
    until, told = time.monotonic() + 240, dict[str, float]()
    while not told:
        assert driver.poll() is None, "the driver ended before it could be interrupted"
        assert time.monotonic() < until
        time.sleep(0.05)
        for file in running.glob("*.json"):
            try:
                beat = json.loads(file.read_text())
            except (OSError, ValueError):
                continue
            if 0 < (beat["done"] or 0) < (beat["total"] or 0) / 2:
                told[beat["key"]] = beat["done"]
    return told


def _encoders(of: list[dict[str, Any]]) -> set[str]:
    """The folders of the checkpoints of their encoders."""
    stages = [stage for record in of for stage in record["stages"]]
    return {f"encoder-{stage['key']}" for stage in stages if stage["name"] == "encoder"}


@pytest.mark.slow
def test_a_study_under_ctrl_c_goes_on_where_its_trials_were(tmp_path: Path) -> None:
    study = MINE.replace("EPOCHS", "30")
    (tmp_path / "mine.yaml").write_text(study, encoding="utf-8")
    store, asked = tmp_path / "runs", ("mine.yaml", "--device", "cpu", "--seeds", "1")
    spare_the_timing(store)

    told = _interrupted(tmp_path, *asked)
    kept = sorted(path.name for path in (store / "checkpoints").iterdir())
    # A trial without a training, the random encoder's, may have ended by then.
    finished = {record["key"]: record for record in records(store)}
    assert told.keys().isdisjoint(finished)
    ran = ablate("run", *asked, cwd=tmp_path)

    assert ran.returncode == 0, ran.stderr
    found = {record["key"]: record for record in records(store)}
    # Trials that share an encoder all tell of its training; the one that went on with it has seconds of
    # its earlier process.
    telling = [r for r in found.values() if "resumed_at_step" in r["facts"]]
    gone_on = {r["key"]: r for r in telling if r["earlier_seconds"] > 0}
    assert {key: found[key] for key in finished} == finished  # and none of them ran again
    assert 1 <= len(kept) <= SLOTS
    assert _encoders(telling) == set(kept)
    assert sorted(encoder for r in gone_on.values() for encoder in _encoders([r])) == kept
    assert set(told) <= set(gone_on)
    for key, record in gone_on.items():
        [step] = record["facts"]["resumed_at_step"]
        assert told.get(key, 1) <= step < record["facts"]["optimiser_steps"]
        assert record["earlier_seconds"] < record["seconds"]
    assert list((store / "checkpoints").iterdir()) == []
    assert "RUNNING" not in statuses(store)

    # The same study without a break, in another store: all values, all encoders.
    (tmp_path / "other").mkdir()
    spare_the_timing(tmp_path / "other" / "runs")
    whole = ablate("run", "../mine.yaml", *asked[1:], cwd=tmp_path / "other")
    assert whole.returncode == 0, whole.stderr
    others = {record["key"]: record for record in records(tmp_path / "other" / "runs")}
    assert found.keys() == others.keys()
    for key, record in found.items():
        assert record["values"] == others[key]["values"]
        assert record["facts"]["encoder_hash_after"] == others[key]["facts"]["encoder_hash_after"]
        assert record["curve"].get("loss") == others[key]["curve"].get("loss")
