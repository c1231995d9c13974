"""MLflow's pages on this machine, with the addresses worth opening."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

from ablations.commands.mlflow_server import GRACE
from ablations.commands.terminal import console
from ablations.errors import UsageError
from ablations.run_files import FILES_OF
from sweeps.processes import python_path
from sweeps.storage import Store

if TYPE_CHECKING:
    from sweeps.tracking import RunLocation

HOST = "127.0.0.1"

PATIENCE = 90.0
"""Seconds for the server to answer: the first start of an empty database takes 20."""


def serve(path: Path, key: str | None, *, port: int, tracking: str | None) -> int:
    """Serves until interrupted; if a server is already running, only prints the addresses."""
    from sweeps.tracking import locate_runs

    store = Store(path)
    found = locate_runs(store, key, tracking, FILES_OF)
    out = console()
    for sentence in store.messages:
        out.print(sentence, soft_wrap=True, markup=False)
    if found.backend.startswith(("http:", "https:")):
        for address in addresses(found.base, found.experiment, found.run):
            out.print(address, soft_wrap=True)
        return 0
    base = f"http://{HOST}:{_free(port)}"
    try:
        with _ended_by_signals():
            server = start(found, store.path, int(base.rpartition(":")[2]))
            try:
                wait(server, base)
                for address in addresses(base, found.experiment, found.run):
                    out.print(address, soft_wrap=True)
                out.print("stop it with Ctrl-C")
                server.wait()
            finally:
                stop(server)
    except _Ended as ended:
        return ended.code
    raise UsageError(f"the MLflow server exited unexpectedly with code {server.returncode}")


def addresses(base: str, experiment: str, run: str | None) -> list[str]:
    """The addresses: one trial's page; or the cells as a table and as charts, and every run.

    The columns are stored with the experiment, see `sweeps.tracking.experiment_view`.
    """
    if run is not None:
        return [f"{base}/#/experiments/{experiment}/runs/{run}"]
    page = f"{base}/#/experiments/{experiment}/runs?workflowType=machine_learning"
    cells = f"{page}&viewStateShareKey=cells"
    return [cells, f"{cells}&compareRunsMode=CHART", f"{page}&viewStateShareKey=runs"]


def start(found: "RunLocation", store: Path, port: int) -> subprocess.Popen[bytes]:
    """The server as a process group of its own, which ends when this process does."""
    environment = {
        **os.environ,
        "PYTHONPATH": python_path(),
        "MLFLOW_BACKEND_STORE_URI": found.server,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        # Without its job workers the server takes 2 processes and 500 MB in the place of 10 and 750.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    return subprocess.Popen(  # noqa: S603 -- fixed words and this store's own path
        [sys.executable, "-m", "ablations.commands.mlflow_server", str(port), found.artifacts],
        cwd=store if found.own else None,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def wait(server: subprocess.Popen[bytes], base: str) -> None:
    """Waits until the server answers.

    Raises:
        UsageError: the server exited or did not answer in time.
    """
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if server.poll() is not None:
            raise UsageError(
                f"the MLflow server exited with code {server.returncode}; is {base} in use? choose "
                "another port with --port"
            )
        try:
            with urllib.request.urlopen(f"{base}/health", timeout=2):  # noqa: S310 -- this machine
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise UsageError(f"the MLflow server did not answer at {base} within {PATIENCE:.0f} s")


def stop(server: subprocess.Popen[bytes]) -> None:
    """Ends the server and what it started."""
    assert server.stdin is not None
    server.stdin.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(timeout=GRACE + 2)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()


@contextlib.contextmanager
def _ended_by_signals() -> Generator[None]:
    """Turns the signals that request an end into `_Ended`, so that the server is ended first.

    Only the first signal is handled: a second one does not interrupt the shutdown.
    """
    from sweeps.execution import end_signals

    def end(number: int, _: object) -> None:
        for one in caught:
            signal.signal(one, signal.SIG_IGN)
        raise _Ended(number)

    with end_signals(end) as caught:
        yield


class _Ended(Exception):
    """A signal requested the end."""

    def __init__(self, number: int) -> None:
        self.code = 128 + number
        super().__init__(f"signal {number}")


def _free(port: int) -> int:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
