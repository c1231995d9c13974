"""Records as trials would have left them."""

import socket
from pathlib import Path
from typing import Any

from sweeps.planning import Trial
from sweeps.record import TrialRecord
from sweeps.storage import Store


def made_record(trial: Trial, **changes: Any) -> TrialRecord:
    facts: dict[str, Any] = {
        "key": trial.key,
        "study": "toy",
        "scale": "smoke",
        "cell": trial.cell,
        "role": trial.role,
        "levels": trial.levels,
        "seed": trial.seed,
        "config": trial.config,
        "stages": trial.stages,
        "state": "finished",
        "values": {"top1": 50.0 + trial.seed},
        "error": None,
        "started": "2026-01-02T03:04:05.678Z",
        "seconds": 2.0,
        "attempt": 1,
        "launch": "20260102T030405-aaaa",
        "facts": {},
        "curve": {"step": [0, 1], "loss": [2.0, 1.0]},
        "log": "",
        "provenance": {},
    }
    return TrialRecord(**facts | changes)


def commit(
    store: Store, trial: Trial, files: dict[str, bytes] | None = None, **changes: Any
) -> TrialRecord:
    log = store.running / f"{trial.key}.log"
    Path(log).write_text("a line of the log\n", encoding="utf-8")
    return store.commit(made_record(trial, **changes), log, files)


def dead_address() -> str:
    """A port of this machine on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"
