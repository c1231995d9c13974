"""The environment of a launch's private Ray, and the user's variables that it does not use."""

import os
import secrets
from pathlib import Path

from sweeps.execution.ray_session import SESSION_VARIABLE
from sweeps.execution.trial_runner import RunSettings
from sweeps.processes import python_path

_NOT_PASSED_ON = ("RAY_", "TUNE_")
# `import ray` sets this itself (ray/_private/client_mode_hook.py), so it does not show the user's wish.
_SET_BY_RAY = ("RAY_CLIENT_MODE", "0")


def unused_variables() -> str | None:
    """A message that names the variables for Ray that a launch does not use; None if there are none."""
    names = sorted(
        name
        for name, text in os.environ.items()
        if name.startswith(_NOT_PASSED_ON) and (name, text) != _SET_BY_RAY
    )
    if not names:
        return None
    verb, them = ("is", "it") if len(names) == 1 else ("are", "them")
    return (
        f"{', '.join(names)} {verb} set but not used: a launch starts a private Ray on this "
        f"machine and does not attach to a cluster; unset {them} to silence this message"
    )


def ray_environment(session: Path, settings: RunSettings) -> dict[str, str]:
    """The caller's environment without its variables for Ray, with those of a private Ray."""
    threads = str(settings.threads)
    passed_on = {
        name: text for name, text in os.environ.items() if not name.startswith(_NOT_PASSED_ON)
    }
    return passed_on | {
        SESSION_VARIABLE: str(session),
        # A private token: without one Ray writes a file to the home folder, which may be read-only,
        # and without authentication any user of the machine could send work to these processes.
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "RAY_enable_metrics_collection": "0",
        "RAY_AIR_NEW_OUTPUT": "0",
        # Prestarted workers are not those that actors get; they cost a second of both cores.
        "RAY_prestart_worker_first_driver": "0",
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
        # The driver handles Ctrl-C.
        "TUNE_DISABLE_SIGINT_HANDLER": "1",
        "TUNE_MAX_PENDING_TRIALS_PG": str(2 * len(settings.shares())),
        # Tune's own state is never read: records are the truth.
        "TUNE_GLOBAL_CHECKPOINT_S": "86400",
        "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
        # Workers inherit these.
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "PYTHONPATH": python_path(),
    }
