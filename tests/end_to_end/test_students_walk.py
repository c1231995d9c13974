"""A student's first hour from a clean copy: make, Ctrl-C, a study of her own, its report, MLflow."""

import contextlib
import os
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from driving import copied, records, shell
from heeding import heeding

HTTP = re.compile(r"^(http://127\.0\.0\.1:\d+)/", re.MULTILINE)
CONTINUE = re.compile(r"continue with: (ablate .+)")
HEADING = re.compile(r"<h2[^>]*>([^<:,]+)")
ACTIVATE = "source .venv/bin/activate && "


def typed(line: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A line in a shell that activates the environment."""
    return subprocess.run(
        ["bash", "-c", f"{ACTIVATE}{line}"],
        cwd=cwd,
        env=shell(PYTHONPATH=str(cwd)),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def stopped(line: str, cwd: Path, when: Callable[[str], bool]) -> str:
    """What a line wrote until Ctrl-C, which a terminal sends to all its processes, ended it."""
    said = cwd / "said.txt"
    with said.open("w") as out:
        process = subprocess.Popen(
            heeding("bash", "-c", line),
            cwd=cwd,
            env=shell(PYTHONPATH=str(cwd)),
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            until = time.monotonic() + 240
            while not when(said.read_text()):
                assert process.poll() is None, said.read_text()
                assert time.monotonic() < until, said.read_text()
                time.sleep(0.1)
            os.killpg(process.pid, signal.SIGINT)
            process.wait(timeout=60)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return said.read_text()


def makes_and_stops(clone: Path) -> None:
    """`make run`, stopped in its first trials: it says how to continue and how to call ablate."""
    said = stopped("make run", clone, lambda text: " %" in text)
    assert said.index("timing this machine") < said.index("24 of 24 trials to run")
    assert CONTINUE.findall(said)[0] == "ablate run quickstart"
    assert ".venv/bin/ablate list" in said
    assert "source .venv/bin/activate" in said


def tries_the_page(clone: Path) -> None:
    """The commands of the page that train nothing."""
    assert "quickstart@laptop" in typed("ablate list", clone).stdout
    assert "of 24 trials" in typed("ablate status", clone).stdout
    assert typed("ablate explain projection head", clone).stdout.startswith("projection head: g")
    assert typed("ablate fields loss.temperature", clone).stdout.count("of kind nt_xent") == 1
    assert typed("ablate show quickstart > mine.yaml", clone).returncode == 0
    assert typed("ablate plan mine.yaml --scale smoke", clone).returncode == 0


def writes_a_study(clone: Path) -> str:
    """A template with a slip, which is named and mended; returns the line that starts it."""
    new = typed("ablate new tone", clone)
    following = new.stdout.splitlines()[-1].removeprefix("next: ")
    right = (clone / "tone.yaml").read_text()
    (clone / "tone.yaml").write_text(right.replace("loss.temperature", "loss.temperatures"))
    wrong = typed(following, clone)
    assert wrong.returncode == 2
    line = 1 + right[: right.index("loss.temperature")].count("\n")
    assert wrong.stderr == (
        f"ablate: tone.yaml:{line}: loss.temperatures: no such field; did you mean loss.temperature?\n"
    )
    (clone / "tone.yaml").write_text(right)
    return typed(following, clone).stdout.split("start with: ")[1].splitlines()[0]


def runs_it_in_two_goes(start: str, clone: Path) -> None:
    """Ctrl-C after a record, then the line that was printed: no record is made twice."""
    store = clone / "runs"
    before = len(records(store))
    said = stopped(f"{ACTIVATE}{start}", clone, lambda _: len(records(store)) > before)
    early = {record["key"]: record for record in records(store)}
    done = typed(CONTINUE.findall(said)[-1], clone)
    assert done.returncode == 0, done.stderr
    found = {record["key"]: record for record in records(store)}
    assert len(found) == len(records(store))
    assert all(found[key] == record for key, record in early.items())


def reads_its_report(clone: Path) -> None:
    """Every part of the report is in the tour; status lists every trial with its key."""
    page = (clone / "runs/studies/tone@smoke/report.html").read_text(encoding="utf-8")
    tour = (clone / "ablations/REPORT.md").read_text(encoding="utf-8")
    headings = {one.rstrip("0123456789 ") for one in HEADING.findall(page)}
    assert len(headings) > 12
    assert {one for one in headings if f"\n## {one}" not in tour} == set()
    trials = typed("ablate status tone --trials", clone).stdout
    assert "9 of 9 trials" in trials
    assert len(re.findall(r" finished .* [0-9a-f]{12}$", trials, re.MULTILINE)) == 9


def opens_the_pages(clone: Path) -> None:
    """MLflow's server ends with Ctrl-C."""
    said = stopped(f"{ACTIVATE}exec ablate ui", clone, lambda text: "stop it with" in text)
    [base, *_] = HTTP.findall(said)
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"{base}/health", timeout=5)


@pytest.mark.slow
@pytest.mark.proof
@pytest.mark.timeout(900)
def test_a_student_gets_from_make_to_a_study_and_its_report(tmp_path: Path) -> None:
    clone = copied(tmp_path / "clone")

    makes_and_stops(clone)
    tries_the_page(clone)
    start = writes_a_study(clone)
    runs_it_in_two_goes(start, clone)
    reads_its_report(clone)
    opens_the_pages(clone)
