"""A lab's study on two machines: a tracking server that is killed, archives, three stores."""

import os
import re
import shlex
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from driving import ROOT, ablate, command, environment, records
from timed_machine import spare_the_timing

SMOKE = ("mine.yaml", "--scale", "smoke")
RUNS = """
SELECT store.value, trial.value FROM runs
JOIN tags store ON store.run_uuid = runs.run_uuid AND store.key = 'sweeps.store'
JOIN tags trial ON trial.run_uuid = runs.run_uuid AND trial.key = 'sweeps.key'
JOIN tags whole ON whole.run_uuid = runs.run_uuid AND whole.key = 'sweeps.attempt'
WHERE runs.lifecycle_stage = 'active' AND runs.status = 'FINISHED'
"""


class Server:
    """MLflow's own server with a database in a folder: a process group that a test may kill."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.address = f"http://localhost:{self.port}"
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns once it answers."""
        page = (ROOT / "ablations/README.md").read_text(encoding="utf-8")
        line = re.search(r"^(mlflow server .*?) +#", page, re.MULTILINE)[1]
        line = line.replace("0.0.0.0", "127.0.0.1").replace("5000", str(self.port))
        program, *words = shlex.split(line)
        self.process = subprocess.Popen(
            [Path(sys.prefix) / "bin" / program, *words, "--workers", "1"],
            cwd=self.folder,
            env={**environment(), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until = time.monotonic() + 240
        while time.monotonic() < until:
            try:
                urllib.request.urlopen(f"{self.address}/health", timeout=2).close()
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
            else:
                return
        raise TimeoutError("the server does not answer")

    def kill(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def trials(self) -> dict[str, list[str]]:
        """Store -> the key of each complete run of a trial, by SQL."""
        with sqlite3.connect(self.folder / "lab.db", timeout=60) as database:
            rows = database.execute(RUNS).fetchall()
        return {store: sorted(key for at, key in rows if at == store) for store, _ in rows}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "server").mkdir()
    one = Server(tmp_path / "server")
    one.start()
    yield one
    one.kill()


def keys(store: Path) -> list[str]:
    """Of the records, one for each attempt."""
    return sorted(record["key"] for record in records(store))


def report(store: Path) -> str:
    return (store / "studies/mine@smoke/report.html").read_text(encoding="utf-8")


def board(text: str) -> str:
    """All that is printed before the files."""
    return text[: text.index("\nreport: ")]


def prepares(here: Path) -> None:
    """The machine, a study, and what fits into ten minutes; all of it before any run."""
    examined = ablate("doctor", "--save", cwd=here)
    assert "saved in runs/machine.json" in examined.stdout
    assert ablate("new", "mine", cwd=here).returncode == 0
    planned = ablate("plan", *SMOKE, "--seeds", "0,1", "--budget", "10m", cwd=here)
    assert planned.returncode == 0
    assert "9 of 9 trials to run" in planned.stdout
    assert "budget 10 min: seeds 0, 1 fit\n" in planned.stdout
    assert not records(here / "runs")


def runs_while_the_server_dies(server: Server, here: Path) -> None:
    """The server is killed once it has a trial; the run ends with all records and says what to do."""
    said = here / "said.txt"
    with said.open("w") as out:
        run = subprocess.Popen(
            command("run", *SMOKE, "--seeds", "0,1", "--tracking", server.address),
            cwd=here,
            env=environment(),
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            until = time.monotonic() + 240
            while not server.trials():
                assert run.poll() is None
                assert time.monotonic() < until
                time.sleep(0.05)
            server.kill()
            assert run.poll() is None
            code = run.wait(timeout=240)
        finally:
            run.kill()
            run.wait()
    text = said.read_text()
    assert code == 0
    assert (
        f"ablate: tracking at {server.address} cannot keep up (the server does not answer: connection "
        "refused); the records are complete, and the next run logs what is missing\n"
    ) in text
    assert len(set(keys(here / "runs"))) == len(keys(here / "runs")) == 9
    [had] = server.trials().values()
    assert set(had) < set(keys(here / "runs"))


def brings_the_server_up_to_date(server: Server, here: Path) -> None:
    """The next launch trains nothing and logs what is missing: each trial once."""
    before = {record["key"]: record for record in records(here / "runs")}
    server.start()
    named = urllib.request.Request(f"{server.address}/version")
    named.add_header("Host", f"tracker:{server.port}")
    with urllib.request.urlopen(named, timeout=60) as answer:
        assert answer.status == 200
    again = ablate("run", *SMOKE, "--seeds", "0,1", "--tracking", server.address, cwd=here)
    assert again.returncode == 0
    assert "nothing to run" in again.stdout
    assert "cannot keep up" not in again.stderr
    assert {record["key"]: record for record in records(here / "runs")} == before
    assert list(server.trials().values()) == [keys(here / "runs")]


def adds_another_machines_seeds(server: Server, here: Path, there: Path) -> None:
    """Two further seeds from a store of their own, through a file: one report of four seeds."""
    (there / "mine.yaml").write_bytes((here / "mine.yaml").read_bytes())
    spare_the_timing(there / "runs")
    other = ablate("run", *SMOKE, "--seeds", "2,3", "--tracking", server.address, cwd=there)
    assert other.returncode == 0
    made = ablate("store", "export", "mine", "--to", "b.tar.gz", cwd=there)
    assert "b.tar.gz: 9 records of 1 study\n" in made.stdout
    added = ablate("store", "import", there / "b.tar.gz", cwd=here)
    assert "9 records added" in added.stdout
    judged = ablate("report", *SMOKE, cwd=here)
    assert "18 of 18 trials finished" in judged.stdout
    assert set(keys(here / "runs")) >= set(keys(there / "runs"))
    apart = ablate("compare", "mine", f"{there / 'runs'}:mine", cwd=here)
    assert apart.stdout.count("the same trials\n") == 3  # those of there are in both stores
    logged = sorted(key for found in server.trials().values() for key in found)
    assert logged == keys(here / "runs")


def archives_it(here: Path) -> None:
    """Another store made from the file: intact, tidied, and with the same report."""
    made = ablate("store", "export", "mine", "--to", "all.tar.gz", "--encoders", cwd=here)
    assert "all.tar.gz: 18 records of 1 study, 8 artifacts\n" in made.stdout
    assert ablate("store", "import", "all.tar.gz", "--store", "copy", cwd=here).returncode == 0
    assert report(here / "copy") == report(here / "runs")
    checked = ablate("store", "check", "--store", "copy", cwd=here)
    assert "18 records and 8 artifacts: all intact\n" in checked.stdout
    tidied = ablate("store", "gc", "--store", "copy", cwd=here)
    assert tidied.returncode == 0
    assert keys(here / "copy") == keys(here / "runs")
    first, second = (ablate("report", *SMOKE, "--store", at, cwd=here) for at in ("runs", "copy"))
    assert board(first.stdout) == board(second.stdout)
    assert report(here / "copy").replace(" --store copy", "") == report(here / "runs")
    both = ablate("compare", "mine", "copy:mine", cwd=here)
    assert both.stdout.count("the same trials\n") == 3


@pytest.mark.slow
@pytest.mark.proof
@pytest.mark.timeout(900)
def test_a_lab_gets_from_two_machines_and_a_server_to_an_archive(
    server: Server, tmp_path: Path
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()

    prepares(here)
    runs_while_the_server_dies(server, here)
    brings_the_server_up_to_date(server, here)
    adds_another_machines_seeds(server, here, there)
    archives_it(here)
