"""A user's own YAML and own pictures from plan to report, through a kill -9 of the real driver."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from driving import (
    MINE,
    ablate,
    command,
    environment,
    records,
    statuses,
    steps,
)
from PIL import Image
from timed_machine import SLOTS, spare_the_timing

SIZES = {"Äpfel": 78, "rote Bären": 66, "Chöre": 54, "d": 48, "e f": 42, "Größe 7": 36, "z": 36}
MODES = ("RGB", "L", "P", "CMYK", "RGBA", "1", "LA")
EPOCHS, BATCH = 10, 32
UNTRAINED = ("random encoder", "raw pixels", "permuted labels")


def pictures(folder: Path) -> None:
    """7 unequal classes of 48 x 64 pictures in mixed modes, in one folder without a split."""
    rng = np.random.default_rng(7)
    for kind, (name, count) in enumerate(SIZES.items()):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            pixels = rng.integers(0, 80, (48, 64, 3)) + np.array([kind * 25, 120 - kind * 10, 60])
            pixels[:: kind + 2] //= 2
            picture = Image.fromarray(pixels.astype(np.uint8)).convert(MODES[i % len(MODES)])
            suffix = "tif" if picture.mode == "CMYK" else "png"
            picture.save(folder / name / f"Bild {i} ü.{suffix}")


def killed_in_an_epoch(asked: tuple[str, ...], folder: Path) -> None:
    """Starts a run and kills its driver once an arm has finished and a trial is mid-epoch."""
    store = folder / "runs"
    driver = subprocess.Popen(
        command("run", *asked),
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )

    def beats() -> list[dict[str, float]]:
        found: list[dict[str, float]] = []
        for file in (store / "running").glob("*.json"):
            try:
                found.append(json.loads(file.read_text()))
            except (OSError, ValueError):
                continue
        return found

    def mid_epoch() -> bool:
        return any(0 < (one.get("done") or 0) < (one.get("total") or 0) for one in beats())

    until = time.monotonic() + 200
    while not (any(r["role"] == "arm" for r in records(store)) and mid_epoch()):
        assert driver.poll() is None, "the driver ended before it could be killed"
        assert time.monotonic() < until, "no trial finished in time"
        time.sleep(0.02)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()


@pytest.mark.slow
@pytest.mark.proof
def test_a_study_of_ones_own_goes_from_plan_through_a_kill_to_a_report(tmp_path: Path) -> None:
    pictures(tmp_path / "meine Bilder")
    (tmp_path / "mein Versuch.yaml").write_text(MINE.replace("EPOCHS", str(EPOCHS)), "utf-8")
    asked = ("mein Versuch.yaml", "--data", "meine Bilder", "--device", "cpu")
    store = tmp_path / "runs"
    spare_the_timing(store)

    planned = ablate("plan", *asked, "--json", cwd=tmp_path)
    killed_in_an_epoch(asked, tmp_path)
    before = {record["key"]: record for record in records(store)}
    ran = ablate("run", *asked, cwd=tmp_path)

    assert planned.returncode == 0, planned.stderr
    keys = {trial["key"] for trial in json.loads(planned.stdout)["trials"]}
    assert ran.returncode == 0, ran.stderr
    found = records(store)
    assert len(keys) == 10
    assert 1 <= len(before) < 10
    assert sorted(record["key"] for record in found) == sorted(keys)
    assert {record["state"] for record in found} == {"finished"}
    assert all(record == before.get(record["key"], record) for record in found)
    data = found[0]["facts"]["data"]
    assert data["classes"] == 7
    assert data["training_images"] + data["test_images"] == sum(SIZES.values())
    # Two arms and the shuffled pairs, two seeds each, are pre-trained once: a worker that outlived its
    # driver by a moment may have kept the encoder of its trial, which then only is read out.
    whole = EPOCHS * (data["training_images"] // BATCH)
    arms = [record for record in found if record["cell"] not in UNTRAINED]
    assert len(arms) == 6
    assert all(arm["reused"] in ([], ["encoder"]) for arm in arms)
    assert all(arm["reused"] == [] for arm in arms if arm["key"] in before)
    trained = sum(arm["reused"] == [] for arm in arms)
    assert trained >= 6 - SLOTS
    assert steps(store) == trained * whole
    assert "RUNNING" not in statuses(store)
    (place,) = (store / "studies").glob("mine@laptop+data=*")  # a variation by its images
    assert "meine Bilder" in (place / "report.html").read_text(encoding="utf-8")
    assert (place / "report.pdf").read_bytes().startswith(b"%PDF-")

    # A read-out added: trials have another key, every encoder is at hand.
    more = (*asked, "--set", "evaluation.knn.k=5")
    again = json.loads(ablate("plan", *more, "--json", cwd=tmp_path).stdout)
    arm = next(trial for trial in again["trials"] if trial["role"] == "arm")
    one = ablate("trial", more[0], arm["key"][:9], *more[1:], cwd=tmp_path)

    reasons = {(trial["cell"] == "permuted labels", trial["reason"]) for trial in again["trials"]}
    # The control with permuted labels asks no neighbours.
    assert reasons == {(False, "evaluation missing"), (True, "finished")}
    assert again["encoders"] == 0
    others = {trial["key"] for trial in again["trials"] if trial["cell"] != "permuted labels"}
    assert not keys & others
    assert one.returncode == 0, one.stderr
    assert "top1: " in one.stdout
    (fresh,) = (record for record in records(store) if record["key"] == arm["key"])
    assert fresh["reused"] == ["encoder"]


if __name__ == "__main__":
    pictures(Path(sys.argv[1]))
