"""Any process of a launch is killed with -9 at random moments: nothing is lost, repeated or left.

Targets are found below the launch's own driver. After each kill the study is launched again until
nothing is left to run, twice at most; what it holds then is compared with a study that nobody
disturbed, bit for bit.
"""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from launching import Scene

pytestmark = [pytest.mark.proof, pytest.mark.timeout(900)]

SEED = 2002
MOMENTS = 5
STUDY = {"levels": [1, 2], "trial": "walk", "base": {"steps": 12}, "tracking": None}
PAUSE = 0.2
DISTURBED = {**STUDY, "pause": PAUSE}
TRIALS = {f"{cell}:{seed}" for cell in (1, 2) for seed in (0, 1)}
BOUND = 240.0
"""Seconds within which a disturbed launch ends, on a busy machine as well."""

TARGETS: dict[str, tuple[str, ...]] = {
    "driver": ("drive.py",),
    "the process that holds Ray": ("sweeps.execution.ray_process",),
    "worker": ("ray::Resource",),
    "raylet": ("raylet/raylet",),
    "gcs": ("gcs_server",),
    "agents": ("ray::DashboardAgent", "ray::RuntimeEnvAgent", "dashboard/agent.py"),
    "dashboard": ("dashboard/dashboard.py",),
    "tracker": ("sweeps.tracking.tracker_main",),
    "process group": (),
}


def moments(target: str) -> list[float]:
    """Seconds after the target has appeared; up to what the trials take."""
    drawn = random.Random(f"{SEED} {target}")
    return [drawn.uniform(0.0, 2 * 12 * PAUSE + 3.0) for _ in range(MOMENTS)]


def values(scene: Scene) -> dict[str, list[tuple[str, str]]]:
    """`cell:seed` -> state and value of each record, to the bit."""
    return {
        place: [(one["state"], float(one["values"]["top1"]).hex()) for one in found]
        for place, found in scene.records().items()
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[str, str]]]:
    with Scene(tmp_path_factory.mktemp("undisturbed")) as scene:
        scene.run("only", **STUDY)
        assert set(scene.records()) == TRIALS
        return values(scene)


def until_there_or_over(there: Callable[[], bool], over: Callable[[], bool]) -> None:
    until = time.monotonic() + BOUND
    while not there() and not over():
        assert time.monotonic() < until
        time.sleep(0.02)


def killed(scene: Scene, driver: subprocess.Popen[bytes], target: str, moment: float) -> None:
    words = TARGETS[target]

    def found() -> list[int]:
        return [pid for word in words for pid in scene.processes(word)]

    def over() -> bool:
        return driver.poll() is not None

    until_there_or_over(lambda: bool(found() if words else scene.processes("raylet")), over)
    time.sleep(moment)
    if not words:
        os.killpg(driver.pid, signal.SIGKILL)
        return
    until_there_or_over(lambda: bool(found()), over)
    for pid in found():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


@pytest.mark.parametrize("place", range(MOMENTS))
@pytest.mark.parametrize("target", TARGETS)
def test_every_trial_is_there_once_and_bit_equal(
    tmp_path: Path, undisturbed: dict[str, list[tuple[str, str]]], target: str, place: int
) -> None:
    with Scene(tmp_path) as scene:
        driver = scene.start("disturbed", **DISTURBED)
        killed(scene, driver, target, moments(target)[place])
        driver.wait(timeout=BOUND)
        for number in range(2):
            scene.run(f"again {number}", **DISTURBED)

        assert values(scene) == undisturbed
        assert all(len(found) == 1 for found in scene.records().values())
        assert scene.processes() == []
        assert "RUNNING" not in scene.statuses()
        assert "Traceback" not in scene.said("disturbed")
        session_folders = [Path(one) for one in scene.sessions]
        assert [folder for folder in session_folders if folder.exists()] == []
