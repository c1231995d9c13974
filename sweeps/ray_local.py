"""A private, silent Ray for one launch: nothing in the home folder, nothing left behind."""

import contextlib
import logging
import os
import secrets
from collections.abc import Generator
from pathlib import Path

from sweeps.processes import python_path
from sweeps.running import RunSettings
from sweeps.session import SESSION_VARIABLE, end_processes


@contextlib.contextmanager
def ray_session(folder: Path, settings: RunSettings) -> Generator[None]:
    """Starts Ray with one CPU resource a slot and stops it, with all its processes, at the end."""
    with _environment({SESSION_VARIABLE: str(folder), **_variables(settings)}):
        import ray

        _start_less()
        _say_less()
        # Ray and Tune report to these; records and heartbeats tell the user what matters.
        logging.getLogger("ray").setLevel(logging.CRITICAL + 1)
        try:
            ray.init(
                num_cpus=settings.slots,
                num_gpus=None if settings.gpus else 0,
                include_dashboard=False,
                _temp_dir=str(folder / "ray"),
                log_to_driver=False,
                configure_logging=False,
                object_store_memory=80 * 2**20,
            )
            yield
        finally:
            ray.shutdown()
            end_processes(folder)


def _variables(settings: RunSettings) -> dict[str, str]:
    threads = str(settings.threads)
    return {
        # A token of our own: without one Ray writes a file to the home folder, which may be closed,
        # and without authentication any user of the machine could send work to these processes.
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "RAY_enable_metrics_collection": "0",
        "RAY_AIR_NEW_OUTPUT": "0",
        # Workers started ahead are not those that actors get; they cost a second of both cores.
        "RAY_prestart_worker_first_driver": "0",
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
        # Ctrl-C is answered by the executor.
        "TUNE_DISABLE_SIGINT_HANDLER": "1",
        "TUNE_MAX_PENDING_TRIALS_PG": str(2 * settings.slots),
        # Tune's own state is never read: records are the truth.
        "TUNE_GLOBAL_CHECKPOINT_S": "86400",
        "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
        # Workers inherit these from the processes that Ray starts now.
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "PYTHONPATH": python_path(),
    }


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Generator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _start_less() -> None:
    """Leaves out Ray's autoscaler and log shipper, which a single silent machine does not need.

    There is no public switch. They are two Python processes whose start took 3 of 6 CPU seconds of
    `ray.init` (Ray 2.60); a Ray without these private names simply starts them.
    """
    with contextlib.suppress(ImportError, AttributeError):
        from ray._private.parameter import RayParams

        known = RayParams.__init__
        if getattr(known, "lean", False):
            return

        def lean(self: RayParams, *args: object, **named: object) -> None:
            known(self, *args, **named)  # pyright: ignore[reportArgumentType] - passed on as given
            self.no_monitor = True
            # Ray types this truth value as text.
            self.include_log_monitor = False  # pyright: ignore[reportAttributeAccessIssue]

        lean.lean = True  # pyright: ignore[reportFunctionMemberAccess] - marks that it is done
        RayParams.__init__ = lean


def _say_less() -> None:
    """Keeps Ray's words on a dead worker off the terminal: the launch tells of it in its own.

    There is no public switch, and a Ray without this private name simply says them.
    """
    with contextlib.suppress(ImportError, AttributeError):
        from ray._private import worker

        def say_nothing(*_: object, **__: object) -> None: ...

        assert callable(worker.print_to_stdstream)
        worker.print_to_stdstream = say_nothing
