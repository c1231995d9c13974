"""From a clone to a shell: what `make` prints last, and the README's second block pasted into bash."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from driving import shell
from heeding import heeding
from timed_machine import spare_the_timing

ROOT = Path(__file__).parents[2]
BLOCKS = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def installed(folder: Path, ablate: str) -> None:
    """A clone that make takes for set up, with a program of ours in the place of ablate."""
    for name in ("requirements.lock", "pyproject.toml", ".ci/uv.txt", ".venv/.ready"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    shutil.copy(ROOT / "Makefile", folder)
    program = folder / ".venv/bin/ablate"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{ablate}\n")
    program.chmod(0o755)


@pytest.mark.parametrize("code", [0, 1])
def test_make_ends_with_the_line_that_goes_on_whatever_the_run_came_to(
    tmp_path: Path, code: int
) -> None:
    installed(tmp_path, f'echo "ran $@"\nexit {code}')

    done = subprocess.run(
        ["make"], cwd=tmp_path, env=shell(), capture_output=True, text=True, check=False
    )

    first, *_, last, activate = done.stdout.splitlines()
    assert first == "ran run quickstart"
    assert (done.returncode != 0) == (code != 0)
    assert last == "continue with: .venv/bin/ablate list"
    assert activate == "or, for `ablate` alone: source .venv/bin/activate"
    typed = subprocess.run(
        ["bash", "-c", last.removeprefix("continue with: ")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert typed.stdout == "ran list\n"


def test_make_says_how_to_go_on_after_ctrl_c_too(tmp_path: Path) -> None:
    installed(tmp_path, "trap 'echo stopped; exit 130' INT\necho ran\nwhile :; do sleep 0.05; done")
    make = subprocess.Popen(
        heeding("make"),
        cwd=tmp_path,
        env=shell(),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert make.stdout is not None
    assert make.stdout.readline() == "ran\n"

    os.killpg(make.pid, signal.SIGINT)  # as a terminal sends it: to all of them
    rest, _ = make.communicate(timeout=60)

    assert rest.splitlines()[:2] == ["stopped", "continue with: .venv/bin/ablate list"]
    assert make.returncode != 0


@pytest.mark.slow
@pytest.mark.proof
def test_the_readmes_second_block_works_when_it_is_pasted_after_make(tmp_path: Path) -> None:
    make, pasted, *_ = BLOCKS.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    assert make.startswith("make run")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    spare_the_timing(tmp_path / "runs")

    done = subprocess.run(
        ["bash", "-e", "-c", pasted],
        cwd=tmp_path,
        env=shell(),
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "quickstart@smoke+loss.temperature=0.2: 7 of 7 trials" in done.stdout
    assert "first: quickstart@smoke\nother: loss.temperature=0.2\n" in done.stdout
    place = tmp_path / "runs/studies/quickstart@smoke+loss.temperature=0.2"
    assert (place / "report.html").is_file()
    assert (tmp_path / "mine.yaml").is_file()
