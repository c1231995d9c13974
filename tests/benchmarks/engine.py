"""A trial's overhead in this engine and in Ray Tune with its defaults; a sweep of short trials three ways.

`make bench`, which runs it with `--quick`: fewer trials. Everything in one run, two trials at a time.

Overhead: (T(220) - T(20)) / 200, where T is the wall time of a sweep of trials that import torch,
report five metrics once and end. Both log 40 parameters and the metrics to MLflow on SQLite: this
engine as it always does, Ray Tune with its defaults and its `MLflowLoggerCallback`.

The sweep: 24 trials that compute for five seconds of processor time, by this engine, by Ray Tune as
above, and by separate processes, each of which imports torch and runs its trial through this package
into a store of its own; once with MLflow, all into one database, and once without.

What is expected, on any machine: an overhead of at most 0.25 s; the sweep at least 1.5 times as fast as
separate processes with MLflow, and 3 times as fast as Ray Tune. A whole run ends with a line for each.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sweeps.execution import Outcome, RunSettings, TrialContext, execute, run_here
from sweeps.planning import Cell, Plan, Trial, key_of
from sweeps.provenance import machine, version_of
from sweeps.record import Stage
from sweeps.storage import Store
from sweeps.tracking import open_tracking

ROOT = Path(__file__).parents[2]
PARAMETERS, METRICS, SLOTS, SEEDS = 40, 5, 2, 5
SECONDS = 5.0
"""Processor time of a trial of the second part. A trial that slept instead would hide the start of
the next process, which in a sweep competes with trials for the cores."""

MOST_OVERHEAD = 0.25
"""Seconds a trial of this engine."""

AT_LEAST = {"processes with MLflow": 1.5, "rays": 3.0}
"""Times that this engine's sweep is as fast as each."""

PATIENCE = 120.0
"""Seconds without progress for MLflow; on a busy machine it takes long to make a database."""

NAME = "tests.benchmarks.engine:trial"


def compute(seconds: float) -> None:
    """Products of matrices in one thread, for so long; torch's import is part of a trial's start."""
    import torch

    torch.set_num_threads(1)
    matrix = torch.ones(256, 256)
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        torch.mm(matrix, matrix)


def trial(context: TrialContext) -> Outcome:
    """One step."""
    compute(context.payload["seconds"])
    values = {f"metric {place}": float(place) for place in range(METRICS)}
    context.metrics(0, values)
    context.progress(1, 1)
    return Outcome(values)


def made_plan(number: int, first: int = 0) -> Plan:
    """Trials of five seeds a cell; cell, role and seed are parameters in MLflow as well."""
    cells: dict[int, Cell] = {}
    trials: list[Trial] = []
    for place in range(first, first + number):
        cell, seed = divmod(place, SEEDS)
        levels = {f"axis {axis}": str(axis + cell / 1000) for axis in range(PARAMETERS - 3)}
        cells[cell] = Cell(name=f"cell {cell}", levels=levels, settings={})
        config = {**levels, "seed": seed}
        trials.append(
            Trial(
                key=key_of(config),
                cell=f"cell {cell}",
                role="arm",
                seed=seed,
                levels=levels,
                config=config,
                stages=(Stage(name="evaluation", key=key_of(config)),),
                reason="missing",
                todo=True,
            )
        )
    return Plan(study="bench", scale=None, cells=tuple(cells.values()), trials=tuple(trials))


def ours(folder: Path, number: int, work: float) -> None:
    """A sweep of this engine."""
    plan, store = made_plan(number), Store(folder / "store")
    tracking = open_tracking(store, plan)
    settings = RunSettings(slots=SLOTS, payload={"seconds": work})
    ran = execute(
        plan, store, NAME, settings, on_record=tracking.record, on_progress=lambda _state: None
    )
    tracked = tracking.close(timeout=PATIENCE)
    assert (len(ran.finished), tracked.written, tracked.trouble) == (number, number, None), tracked


def rays(folder: Path, number: int, work: float) -> None:
    """A sweep of Ray Tune with its defaults."""
    import ray
    from ray import tune
    from ray.air.integrations.mlflow import MLflowLoggerCallback

    def one(config: dict[str, float]) -> None:
        compute(config["seconds"])
        tune.report({f"metric {place}": float(place) for place in range(METRICS)})

    ray.init(address="local", num_cpus=SLOTS)
    fixed = {f"axis {axis}": float(axis) for axis in range(PARAMETERS - 2)}
    uri = f"sqlite:///{folder}/mlflow.db"
    found = tune.Tuner(
        one,
        param_space={"seed": tune.grid_search([*range(number)]), "seconds": work, **fixed},
        run_config=tune.RunConfig(
            storage_path=str(folder),
            callbacks=[MLflowLoggerCallback(tracking_uri=uri, experiment_name="bench")],
        ),
    ).fit()
    assert (len(found), found.num_errors) == (number, 0), found.errors


def alone(folder: Path, place: int, work: float, uri: str | None) -> None:
    """One trial in this process."""
    plan, store = made_plan(1, place), Store(folder)
    tracking = None if uri is None else open_tracking(store, plan, uri=uri)
    settings = RunSettings(payload={"seconds": work})
    ran = run_here(plan.trials[0], plan, store, NAME, settings)
    if tracking is not None:
        tracked = tracking.close(timeout=PATIENCE)
        assert tracked.trouble is None, tracked.trouble
    assert ran.state == "finished", ran.error


def seconds(folder: Path, *words: object) -> float:
    """A process of this file from its start to its end."""
    folder.mkdir()
    start = time.perf_counter()
    command = [sys.executable, __file__, "--part", *map(str, words)]
    with (folder / "output").open("wb") as output:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stdout=output,
            stderr=output,
            check=False,
        )
    assert done.returncode == 0, (folder / "output").read_text(errors="replace")[-2000:]
    return time.perf_counter() - start


def separate(folder: Path, number: int, work: float, uri: str | None) -> float:
    """Processes of one trial each, two at a time."""
    folder.mkdir()
    start = time.perf_counter()
    with ThreadPoolExecutor(SLOTS) as pool:
        list(
            pool.map(
                lambda place: seconds(
                    folder / str(place), "alone", folder / f"{place}-store", place, work, uri or ""
                ),
                range(number),
            )
        )
    return time.perf_counter() - start


def overhead(folder: Path, part: str, few: int, many: int) -> float:
    """Seconds a trial, the start of the sweep left out."""
    times = [
        seconds(place := folder / f"{part}-{number}", part, place, number, 0.0)
        for number in (few, many)
    ]
    each = (times[1] - times[0]) / (many - few)
    print(
        f"a trial that does nothing, {part}: ({times[1]:.1f} s - {times[0]:.1f} s) / {many - few} "
        f"= {each:.3f} s",
        flush=True,
    )
    return each


def main() -> None:
    """The machine, the overheads, the sweeps, the ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer trials of Ray's, 8 for 24")
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.part is not None:
        run_part(*asked.part)
        return
    print(f"machine: {machine()}")
    packages = ", ".join(f"{name} {version_of(name)}" for name in ("torch", "ray", "mlflow"))
    print(f"load {os.getloadavg()[0]:.1f}; {packages}; n = 1", flush=True)
    number = 8 if asked.quick else 24
    with tempfile.TemporaryDirectory(prefix="bench-") as named:
        folder = Path(named)
        mine = overhead(folder, "ours", 20, 220)
        theirs = overhead(folder, "rays", *((2, 8) if asked.quick else (20, 220)))
        print(f"ratio {theirs / mine:.0f}")
        sweeps = {
            part: seconds(folder / f"{part}-sweep", part, folder / f"{part}-sweep", number, SECONDS)
            for part in ("ours", "rays")
        }
        uri = f"sqlite:///{folder}/shared.db"
        separate(folder / "first", 1, 0.0, uri)  # makes the database
        sweeps["processes with MLflow"] = separate(folder / "with", number, SECONDS, uri)
        sweeps["processes without MLflow"] = separate(folder / "without", number, SECONDS, None)
    for part, wall in sweeps.items():
        print(
            f"{number} trials of {SECONDS:g} s, {part}: {wall:.1f} s, "
            f"{wall / sweeps['ours']:.2f} times this engine's"
        )
    print(f"their computing alone: {number / SLOTS * SECONDS:.1f} s; load {os.getloadavg()[0]:.1f}")
    if not asked.quick:
        print(
            f"overhead at most {MOST_OVERHEAD} s: {verdict(mine <= MOST_OVERHEAD)} ({mine:.3f} s)"
        )
        for part, least in AT_LEAST.items():
            found = sweeps[part] / sweeps["ours"]
            print(f"{least} times as fast as {part}: {verdict(found >= least)} ({found:.2f})")


def verdict(met: bool) -> str:  # noqa: FBT001 -- what is printed of it
    """In a word."""
    return "met" if met else "MISSED"


def run_part(part: str, folder: str, number: str, work: str, uri: str | None = None) -> None:
    """What a process of this file does."""
    if part == "alone":
        alone(Path(folder), int(number), float(work), uri or None)
    else:
        {"ours": ours, "rays": rays}[part](Path(folder), int(number), float(work))


if __name__ == "__main__":
    main()
