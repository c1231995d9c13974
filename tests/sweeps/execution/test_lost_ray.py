"""Ray's own processes are killed in mid-run, or before the first trial; a trial crashes natively.

Real processes, played once; each test looks at what was left. All targets are found below the
scene's own driver.
"""

import os
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from launching import Scene, wait_until

pytestmark = [pytest.mark.proof, pytest.mark.timeout(600)]

HELD = ["2:0", "2:1"]
CRASHES = {"3": "SIGSEGV", "4": "SIGABRT"}
LOST = ["raylet/raylet", "gcs_server", "RuntimeEnvAgent"]
"""One after the other, before any trial ends: as many as are replaced."""

VARIABLES = {
    "RAY_ADDRESS": "127.0.0.1:1",
    "RAY_NAMESPACE": "elsewhere",
    "RAY_JOB_ID": "01000000",
    "RAY_RUNTIME_ENV_HOOK": "no.such.module",
    "TUNE_RESULT_DIR": "/nowhere",
}
"""Each of them alone stopped a launch with a traceback, or may."""


def _play(folder: Path) -> dict[str, Any]:
    with Scene(folder) as scene:
        seen = _lose(scene)
        (scene.folder / "gate").touch()
        crashes = {cell: {"crash": how, "crash_at": 1} for cell, how in CRASHES.items()}
        seen["second"] = scene.run("second", levels=[1, 2, 3, 4], by_cell=crashes)
        seen["records"] = scene.records()
        seen["left"], seen["running"] = scene.processes(), _names(scene.store / "running")
    return seen


def _lose(scene: Scene) -> dict[str, Any]:
    seen: dict[str, Any] = {"took": []}
    driver = scene.start("first", variables=VARIABLES, levels=[1, 2], by_cell={"2": {"hold": True}})
    for words in LOST:
        wait_until(
            lambda: driver.poll() is not None or sorted(scene.heartbeats()) == HELD, "two mid-way"
        )
        seen.setdefault("listening", _listening(scene))
        seen.setdefault("modes", _modes(scene))
        workers = set(scene.heartbeats().values())
        for target in scene.ray(words):
            os.kill(target, signal.SIGKILL)
        began = time.monotonic()
        wait_until(
            lambda before=workers: not before & set(scene.heartbeats().values()),
            f"the end of a Ray without {words}",
            30.0,
        )
        seen["took"].append(time.monotonic() - began)
    wait_until(lambda: sorted(scene.heartbeats()) == HELD, "two mid-way once more")
    os.killpg(driver.pid, signal.SIGHUP)
    seen["code"] = driver.wait(timeout=60)
    seen["said"] = scene.said("first")
    seen["first"], seen["left_first"] = scene.result("first"), scene.processes()
    seen["running_first"] = _names(scene.store / "running")
    return seen


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".log")


def _listening(scene: Scene) -> set[str]:
    addresses = set[str]()
    for pid in scene.processes():
        for connection in psutil.Process(pid).net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN:
                addresses.add(connection.laddr.ip.removeprefix("::ffff:"))
    return addresses


def _modes(scene: Scene) -> dict[str, int]:
    [session] = scene.sessions
    return {str(Path(session).relative_to("/tmp").parent): Path(session).stat().st_mode & 0o777}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return _play(tmp_path_factory.mktemp("scene"))


def test_trials_go_on_with_another_ray_when_one_of_its_processes_is_killed(
    seen: dict[str, Any],
) -> None:
    values = {
        place: [(one["attempt"], one["state"], one["values"]["top1"]) for one in found]
        for place, found in seen["records"].items()
    }

    assert values == {
        place: [(1, "finished", 10.0 * int(place[0]) + int(place[2]))]
        for place in ("1:0", "1:1", *HELD)
    }
    assert (seen["first"]["stopped"], seen["second"]["stopped"]) == (None, None)
    assert (seen["first"]["died"], seen["first"]["failed"]) == ([], [])


def test_a_lost_ray_is_noticed_within_seconds(seen: dict[str, Any]) -> None:
    assert max(seen["took"]) < 15.0


def test_what_ray_says_of_it_does_not_reach_the_terminal(seen: dict[str, Any]) -> None:
    assert seen["said"] == ""


def test_a_crash_in_native_code_is_reported_by_its_signal(seen: dict[str, Any]) -> None:
    died = {(one["cell"], one["seed"]): one for one in seen["second"]["died"]}

    assert set(died) == {(cell, seed) for cell in CRASHES for seed in (0, 1)}
    for (cell, _), one in died.items():
        assert f"the worker process crashed ({CRASHES[cell]})" in one["why"]
        assert "toy_trials.py" in Path(one["log"]).read_text()


def test_all_ports_of_a_launch_are_on_the_loopback_interface(seen: dict[str, Any]) -> None:
    assert seen["listening"] == {"127.0.0.1"}


def test_what_ray_opens_to_everybody_is_below_a_closed_folder(seen: dict[str, Any]) -> None:
    assert seen["modes"] == {".": 0o700}


def test_no_process_and_no_folder_is_left(seen: dict[str, Any]) -> None:
    assert (seen["left_first"], seen["left"]) == ([], [])
    assert (seen["running_first"], seen["running"]) == ([], [])


@pytest.mark.proof
def test_a_ray_that_is_killed_whenever_it_starts_ends_the_launch_with_one_message(
    tmp_path: Path,
) -> None:
    with Scene(tmp_path) as scene:
        driver = scene.start("only", levels=[1])
        until = time.monotonic() + 300
        while driver.poll() is None and time.monotonic() < until:
            for target in scene.ray("raylet/raylet"):
                os.kill(target, signal.SIGKILL)
            time.sleep(0.1)

        assert driver.wait(timeout=1) == 0
        assert scene.said("only") == ""
        result = scene.result("only")
        assert len(result["left"]) == 2
        assert result["stopped"].startswith("Ray ")
        assert "\n" not in result["stopped"]
        assert (scene.store / "running" / "ray.log").exists()
        assert scene.processes() == []


def test_a_closed_terminal_ends_a_launch_like_ctrl_c(seen: dict[str, Any]) -> None:
    assert (seen["code"], seen["first"]["interrupted"]) == (0, True)
    assert len(seen["first"]["left"]) == len(HELD)
