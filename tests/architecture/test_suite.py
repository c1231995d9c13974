"""The suite watches itself: what a test leaves behind turns the run red."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

LEAVES = """
import subprocess, sys

def test_it():
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep({seconds})"])
"""


@pytest.mark.parametrize(("seconds", "code"), [(60, 1), (1, 0)])
def test_a_process_that_outlives_the_tests_turns_the_run_red(
    tmp_path: Path, seconds: int, code: int
) -> None:
    conftest = Path(__file__).parents[1] / "conftest.py"
    patience = "NothingOutlives.PATIENCE = 3.0\n"
    (tmp_path / "conftest.py").write_text(conftest.read_text() + patience)
    (tmp_path / "SKIPS.md").touch()
    (tmp_path / "test_it.py").write_text(LEAVES.format(seconds=seconds))
    plain = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST")}
    plain["PYTHONPATH"] = str(conftest.parent)

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", str(tmp_path)],
        cwd=tmp_path,
        env=plain,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == code, done.stdout
    assert ("a process outlived the tests: " in done.stdout) == bool(code)
    assert "1 passed" in done.stdout
    for line in done.stdout.splitlines():
        if line.startswith("a process outlived the tests: "):
            os.kill(int(line.split()[5]), 9)
