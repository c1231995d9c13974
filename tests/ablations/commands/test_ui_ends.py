"""However `ablate ui` ends, its server ends with it. Real processes; a stand-in for MLflow's."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from heeding import heeding

ROOT = Path(__file__).parents[3]

SECRET = "postgresql://me:hunter2hunter2@127.0.0.1/db"

STAND_IN = """
import http.server, signal, subprocess, sys
# As a web server's workers do: a child of its own, deaf to SIGTERM.
child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", child])
signal.signal(signal.SIGTERM, signal.SIG_IGN)
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_): ...
port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.HTTPServer(("127.0.0.1", port), Answer).serve_forever()
"""

SERVE = """
import sys
from pathlib import Path
import sweeps.tracking
from ablations.commands import ui
from sweeps.tracking.client import RunLocation
sweeps.tracking.locate_runs = lambda *_: RunLocation("x", sys.argv[1], "artifacts", "1", None)
sys.exit(ui.serve(Path("runs"), None, port=5000, tracking=None))
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    package = tmp_path / "mlflow"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(STAND_IN)
    started: list[subprocess.Popen[str]] = []

    def started_with(*, ignored: tuple[signal.Signals, ...] = ()) -> "subprocess.Popen[str]":
        before = {kind: signal.signal(kind, signal.SIG_IGN) for kind in ignored}
        try:
            words = [sys.executable, "-c", SERVE, SECRET]
            process = subprocess.Popen(
                words if ignored else heeding(*words),
                cwd=tmp_path,
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)]),
                    "UI_TEST": str(tmp_path),
                },
                stdout=subprocess.PIPE,
                text=True,
            )
        finally:
            for kind, handler in before.items():
                signal.signal(kind, handler)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        return process

    yield started_with
    for process in started:
        process.kill()
        process.communicate()
    for pid in processes(tmp_path):
        os.kill(pid, signal.SIGKILL)


def processes(mark: Path) -> list[int]:
    """Those that inherited this test's variable."""
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"UI_TEST={mark}\0".encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def gone(mark: Path) -> bool:
    until = time.monotonic() + 30
    while processes(mark) and time.monotonic() < until:
        time.sleep(0.1)
    return not processes(mark)


@pytest.mark.parametrize(
    "kind",
    [
        signal.SIGTERM,
        pytest.param(signal.SIGINT, marks=pytest.mark.proof),
        pytest.param(signal.SIGHUP, marks=pytest.mark.proof),
    ],
)
def test_a_signal_ends_ui_with_its_server_and_the_servers_children(
    start: Start, tmp_path: Path, kind: signal.Signals
) -> None:
    process = start()
    assert len(processes(tmp_path)) == 4

    process.send_signal(kind)

    assert process.wait(timeout=30) == 128 + kind
    assert gone(tmp_path)


@pytest.mark.proof
def test_sigint_ends_ui_where_it_was_inherited_as_ignored(start: Start, tmp_path: Path) -> None:
    process = start(ignored=(signal.SIGINT,))

    process.send_signal(signal.SIGINT)

    assert process.wait(timeout=30) == 130
    assert gone(tmp_path)


@pytest.mark.proof
def test_nohup_keeps_ui_beyond_its_terminal(start: Start, tmp_path: Path) -> None:
    process = start(ignored=(signal.SIGHUP,))

    process.send_signal(signal.SIGHUP)
    time.sleep(0.5)

    assert process.poll() is None
    process.terminate()
    assert process.wait(timeout=30) == 128 + signal.SIGTERM
    assert gone(tmp_path)


@pytest.mark.proof
def test_a_ui_that_is_killed_leaves_no_server(start: Start, tmp_path: Path) -> None:
    process = start()

    process.kill()
    process.wait()

    assert gone(tmp_path)


def test_no_command_line_shows_the_address_of_the_database(start: Start, tmp_path: Path) -> None:
    process = start()

    shown = [
        Path(f"/proc/{pid}/cmdline").read_bytes()
        for pid in processes(tmp_path)
        if pid != process.pid  # this test's own way of naming the address
    ]
    assert len(shown) == 3
    assert not [line for line in shown if b"hunter2" in line]
