"""The process that holds Ray and Tune, started and watched by `sweeps.execution.ray_rounds`.

If Ray loses one of its servers, it blocks in native code and then ends the process that called it. It
therefore runs in a separate process: the driver notices the loss and starts another one.

Its input is a line for each round, with the files of the round's packs; its output is a line when
Ray has started, for each trial that ended, and when a round is over. When the input ends, the
driver is gone or done: all processes of the session end.
"""

import contextlib
import json
import os
import queue
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, TextIO

from ray import tune

from sweeps.execution.ray_session import end_processes
from sweeps.execution.worker import Worker


class Driver(tune.Stopper):
    """Writes lines to the driver; as Tune's stopper it gets every result.

    With a callback instead, Tune would import each tracker it knows.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def say(self, **facts: Any) -> None:
        # A driver that is gone is noticed at the input.
        with contextlib.suppress(OSError):
            print(json.dumps(facts), file=self._out, flush=True)

    def __reduce__(self) -> tuple[type[object], tuple[()]]:
        # Tune pickles its stopper into a file that is never read, and an open stream cannot be pickled.
        return object, ()

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        del trial_id
        if result.get("ended") is not None:
            self.say(ended=result["ended"])
        return False

    def stop_all(self) -> bool:
        return False


def start_ray(session: Path, *, workers: int, gpus: float) -> None:
    """Starts Ray on the loopback interface, with one CPU resource per worker."""
    import ray
    from ray._private import ray_constants

    _start_less()
    # There is no public switch: on Linux, Ray uses the machine's external address even when given
    # 127.0.0.1. Without this private name its ports would be open to the network.
    assert isinstance(ray_constants.ENABLE_RAY_CLUSTER, bool)
    ray_constants.ENABLE_RAY_CLUSTER = False
    ray.init(
        address="local",
        num_cpus=workers,
        num_gpus=None if gpus else 0,
        include_dashboard=False,
        _temp_dir=str(session / "ray"),
        _node_ip_address="127.0.0.1",
        log_to_driver=False,
        configure_logging=False,
        object_store_memory=80 * 2**20,
    )


def servers() -> list[tuple[str, int]]:
    """The names and process ids of Ray's own processes, which it needs; workers are not included."""
    import psutil

    names = {
        "gcs_server": "gcs_server",
        "raylet": "raylet",
        "dashboard.py": "dashboard",
        "agent.py": "dashboard agent",
        "ray::DashboardAgent": "dashboard agent",
        "main.py": "runtime environment agent",
        "ray::RuntimeEnvAgent": "runtime environment agent",
    }
    found: list[tuple[str, int]] = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            words = [Path(word.strip()).name for word in process.cmdline()[:3]]
            found += [(names[word], process.pid) for word in words if word in names]
    return found


def run_round(brief: dict[str, Any], number: int, files: list[str], driver: Driver) -> None:
    """Runs the packs in the files; a worker that dies ends only its own pack."""
    tune.Tuner(
        tune.with_resources(Worker, {"cpu": 1, "gpu": brief["gpus"]}),
        param_space={"pack": tune.grid_search(files)},
        tune_config=tune.TuneConfig(
            reuse_actors=True, trial_dirname_creator=lambda trial: trial.trial_id[-8:]
        ),
        run_config=tune.RunConfig(
            name=str(number),
            storage_path=str(Path(brief["session"]) / "tune"),
            verbose=0,
            stop=driver,
            failure_config=tune.FailureConfig(max_failures=0),
            checkpoint_config=tune.CheckpointConfig(
                checkpoint_frequency=0, checkpoint_at_end=False
            ),
        ),
    ).fit()


def _listen(session: Path, inbox: queue.SimpleQueue[dict[str, Any]]) -> None:
    for line in sys.stdin:
        inbox.put(json.loads(line))
    end_processes(session)
    os._exit(0)


def _start_less() -> None:
    """Disables Ray's autoscaler and log shipper, which a single machine does not need.

    There is no public switch. They are two Python processes whose start took 3 of 6 CPU seconds of
    `ray.init` (Ray 2.60); a Ray without these private names simply starts them.
    """
    with contextlib.suppress(ImportError, AttributeError):
        from ray._private.parameter import RayParams

        known = RayParams.__init__

        def lean(self: RayParams, *args: object, **named: object) -> None:
            known(self, *args, **named)  # pyright: ignore[reportArgumentType] - passed on as given
            self.no_monitor = True
            # Ray types this truth value as text.
            self.include_log_monitor = False  # pyright: ignore[reportAttributeAccessIssue]

        RayParams.__init__ = lean


def main() -> None:
    """Entered by `python -m sweeps.execution.ray_process BRIEF`."""
    # What Ray and its processes print goes to the log; the output is for the driver alone.
    driver = Driver(os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)
    brief = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    session = Path(brief["session"])
    inbox: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(session, inbox), daemon=True).start()
    try:
        start_ray(session, workers=brief["workers"], gpus=brief["gpus"])
    except BaseException as error:  # noqa: BLE001 - the driver words whatever Ray raises
        traceback.print_exc()
        driver.say(refused=f"{type(error).__name__}: {error}")
        os._exit(1)
    driver.say(ready=servers())
    while True:
        request = inbox.get()
        try:
            run_round(brief, request["round"], request["files"], driver)
        except BaseException as error:  # noqa: BLE001 - as above
            traceback.print_exc()
            driver.say(refused=f"{type(error).__name__}: {error}")
            os._exit(1)
        driver.say(over=True)


if __name__ == "__main__":
    main()
