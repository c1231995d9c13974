"""What a launch's own Ray takes from the caller's environment."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sweeps.execution import RunSettings, ray_rounds
from sweeps.execution.failures import why_ray_refused
from sweeps.execution.launch import Launch
from sweeps.execution.ray_settings import ray_environment, unused_variables
from sweeps.planning import Plan
from sweeps.storage import Store


@pytest.fixture(autouse=True)
def _no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("RAY_", "TUNE_")):
            monkeypatch.delenv(name)


def test_without_variables_for_ray_there_is_no_message() -> None:
    assert unused_variables() is None


def test_one_message_names_each_variable_that_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "ray://head:10001")
    monkeypatch.setenv("RAY_NAMESPACE", "lab")

    message = unused_variables()

    assert message is not None
    assert message.startswith("RAY_ADDRESS, RAY_NAMESPACE are set but not used: ")
    assert "\n" not in message
    assert "head:10001" not in message


def test_what_importing_ray_sets_is_not_taken_for_the_users_wish() -> None:
    imported = (
        "import ray.tune; from sweeps.execution.ray_settings import unused_variables as unused"
    )
    environment = {n: t for n, t in os.environ.items() if not n.startswith(("RAY_", "TUNE_"))}

    said = subprocess.run(
        [sys.executable, "-c", f"{imported}; print(unused())"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert said.stdout == "None\n"


def test_the_users_variables_for_ray_are_not_passed_on_and_all_others_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("RAY_ADDRESS", "RAY_AUTH_TOKEN", "RAY_JOB_ID", "TUNE_RESULT_DIR", "CUDA_HOME"):
        monkeypatch.setenv(name, "the user's")

    passed = ray_environment(Path("/tmp/swp-x"), RunSettings(threads=3))

    assert [name for name, text in passed.items() if text == "the user's"] == ["CUDA_HOME"]
    assert (passed["RAY_AUTH_MODE"], len(passed["RAY_AUTH_TOKEN"])) == ("token", 64)
    assert passed["OMP_NUM_THREADS"] == "3"


# A process in Ray's place that says so much, then nothing any more.
SILENT = """#!/bin/sh
echo '{said}'
exec cat 3>&1 > /dev/null
"""


@pytest.mark.parametrize(
    ("said", "limit", "message"),
    [
        (
            "{}",
            "START_SECONDS",
            "Ray cannot start (it did not start within 0.03 s); see why in LOG, then run again",
        ),
        (
            '{"ready": []}',
            "QUIET_SECONDS",
            (
                "Ray was lost 4 times before a trial ended (the last time no trial has started for "
                "0.03 s); see LOG, then run again"
            ),
        ),
    ],
)
def test_a_ray_that_says_nothing_any_more_ends_the_launch_with_one_message(
    store: Store,
    small_plan: Plan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    said: str,
    limit: str,
    message: str,
) -> None:
    silent = tmp_path / "silent"
    silent.write_text(SILENT.replace("{said}", said))
    silent.chmod(0o700)
    monkeypatch.setattr("sys.executable", str(silent))
    monkeypatch.setattr(ray_rounds, limit, 0.03)
    monkeypatch.setattr(ray_rounds, "WATCH_SECONDS", 0.01)
    launch = Launch(
        plan=small_plan,
        store=store,
        function="toy_trials:toy_trial",
        settings=RunSettings(),
        todo=list(small_plan.todo),
        on_progress=None,
        on_record=None,
    )

    launch._rounds(tmp_path)

    assert launch.trouble == message.replace("LOG", str(store.running / "ray.log"))


@pytest.mark.parametrize(
    ("said", "fix"),
    [
        ("OSError: [Errno 28] No space left on device: '/dev/shm/x'", "free some space"),
        ("RuntimeError: x\n  OSError: [Errno 12] Cannot allocate memory", "fewer trials"),
        ("OSError: [Errno 24] Too many open files", "ulimit -n"),
        ("RuntimeError: can't start new thread", "ulimit -u"),
        (
            "ValueError: Failed to bind to 127.0.0.1:6379: Address already in use",
            "close the programs",
        ),
        ("RuntimeError: something that nobody knows\nand more of it", "see why in"),
        ("", "see why in"),
    ],
)
def test_a_refusal_is_one_message_with_reason_fix_and_log(said: str, fix: str) -> None:
    message = why_ray_refused(said, Path("runs/running/ray.log"))

    assert message.startswith("Ray cannot start")
    assert "\n" not in message
    assert fix in message
    assert "runs/running/ray.log" in message
