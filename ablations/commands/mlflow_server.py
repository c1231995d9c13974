"""MLflow's server, and the process that ends it.

Started as `python -m ablations.commands.mlflow_server PORT ARTIFACTS`.

This process leads a process group, and the server is in that group. `ablate ui` holds the pipe at its
standard input: the system closes the pipe however `ablate ui` ends, SIGKILL included, and the whole
group ends then. The database's address comes by environment: a command line is readable to all users.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading

GRACE = 5.0
"""Seconds for the server to end by itself before it is killed."""


def main() -> None:
    """Serves until the pipe is closed or the server ends; then ends with the server's code."""
    port, artifacts = sys.argv[1:]
    server = subprocess.Popen(  # noqa: S603 -- fixed words and this store's own path
        [
            *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", port),
            *("--workers", "1", "--artifacts-destination", artifacts),
        ],
        stdin=subprocess.DEVNULL,
    )

    def end(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(GRACE)
        # The leader is of the group: it ends here too.
        os.killpg(0, signal.SIGKILL)

    for kind in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(kind, end)
    threading.Thread(target=_watch_the_pipe, daemon=True).start()
    sys.exit(server.wait())


def _watch_the_pipe() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    # Handlers run in the main thread, and only it may set others.
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
