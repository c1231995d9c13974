"""Seconds of `plan`, `status` and `report` on stores of 100, 1,000 and 10,000 records, and their ratios.

`make bench`. A study of one axis with ten seeds, a claim and a figure; the records are made, as large
as those of short trials: configuration, chain of identities, facts, and a curve of 100 steps. Each
command runs as a process of its own and in this process; medians. Standard output goes to a pipe.
`first` is the first command on a store without an index, which reads every record.
"""

import argparse
import contextlib
import gc
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

from ablations.__main__ import run
from ablations.compose import chain, compose, planned
from ablations.evidence import fix, save, snapshot_of
from ablations.study import Request
from simclr_core.config import Config
from simclr_core.data import fingerprint
from sweeps.planning import Plan, Trial
from sweeps.provenance import collect, machine
from sweeps.record import TrialRecord
from sweeps.storage import save_plan

SEEDS, STEPS = 10, 100
ROUNDS = {100: 5, 1_000: 3, 10_000: 3}
"""Records -> rounds."""

LIMITS = {"plan": 2.0, "status": 2.0, "report": 20.0}
"""Seconds that a command should stay below at 10,000 records on an idle machine."""

STUDY = """\
name: large
title: Many records
question: How long do the commands take?
source: section 5.1
base:
  views: {kind: symmetric, operations: [{kind: crop}]}
axes:
  - kind: levels
    name: temperature
    field: loss.temperature
    levels:
%s
seeds: 10
scales:
  smoke: {only: [c0]}
  laptop:
    set:
      data: {kind: textures, num_images: 64, num_test: 32}
      encoder: {kind: resnet, blocks: [1], width: 0.0625, stem: small}
      optimizer: {kind: adamw, learning_rate: 1.0e-3}
      schedule: {kind: constant}
      batch_size: 32
      epochs: 1
claims:
  - {kind: beats, name: c1 beats c0, better: c1, worse: c0, margin: 0, primary: true,
     statement: It does.}
figures: [{kind: bars, title: Accuracy, axis: temperature}]
"""


def made_record(trial: Trial, plan: Plan, data: str, about: dict[str, object]) -> TrialRecord:
    """What a trial of a minute would leave."""
    facts = {
        "version": 2,
        "data": {"name": "textures", "fingerprint": data, "training_images": 64},
        "optimiser_steps": STEPS,
        "pretraining_seconds": 50.0,
        "num_parameters": 19_000,
    }
    column = [4.0 + step / 1024 + trial.seed / 7 for step in range(STEPS)]
    steps = [float(step) for step in range(STEPS)]
    return TrialRecord(
        key=trial.key,
        study=plan.study,
        scale=plan.scale,
        cell=trial.cell,
        role=trial.role,
        levels=trial.levels,
        seed=trial.seed,
        config=trial.config,
        stages=trial.stages,
        state="finished",
        values={"top1": 50.0 + trial.seed + int(trial.key[:4], 16) / 65536, "knn_top1": 40.0},
        error=None,
        started="2026-01-01T00:00:00.000Z",
        seconds=60.0,
        attempt=1,
        launch="20260101T000000-0000",
        facts=facts,
        curve={"step": steps, "loss": column, "contrastive_accuracy": column},
        log="",
        chain=chain(Config.model_validate(trial.config), data),
        provenance=about,
    )


def filled(folder: Path, records: int) -> tuple[Path, Path]:
    """A study and a store in which each of its trials has a record."""
    levels = (f"      c{i}: {0.01 + i / 1000:.3f}" for i in range(records // SEEDS))
    study = folder / f"{records}.yaml"
    study.write_text(STUDY % "\n".join(levels), encoding="utf-8")
    place = folder / str(records)
    composed, store = compose(Request(study=str(study), scale="laptop", store=place))
    plan = planned(composed, store.known())
    store.prepare()
    snapshot = snapshot_of(composed)
    fix(snapshot, store)
    save(snapshot, store)
    arm = Config.model_validate(plan.trials[0].config)
    data, about = fingerprint(arm.data, None), collect()
    # Nothing here has to survive a power cut.
    with mock.patch("os.fsync"):
        for trial in plan.trials[:records]:
            store.commit(made_record(trial, plan, data, about), folder / "no log")
    save_plan(store, plan)
    return study, place


def seconds(work: Callable[[], object]) -> float:
    gc.collect()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def commands(study: Path, store: Path) -> dict[str, list[str]]:
    where = ["--store", str(store)]
    named = [str(study), "--scale", "laptop", *where]
    return {"plan": ["plan", *named], "status": ["status", *where], "report": ["report", *named]}


def spawned(words: list[str]) -> None:
    subprocess.run([sys.executable, "-m", "ablations", *words], check=True, capture_output=True)


def called(words: list[str]) -> None:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        assert run(words) == 0


def lines(folder: Path, counts: list[int]) -> Iterator[str]:
    """One line a store and command, then the ratios."""
    found: dict[tuple[str, int], tuple[float, float]] = {}
    for records in counts:
        study, store = filled(folder, records)
        told = commands(study, store)
        first = seconds(lambda told=told: spawned(told["status"]))
        yield f"{records:6d} records: first {first:6.2f} s"
        for name, words in told.items():
            pairs = [
                (
                    seconds(lambda words=words: spawned(words)),
                    seconds(lambda words=words: called(words)),
                )
                for _ in range(ROUNDS[records])
            ]
            process, here = map(statistics.median, zip(*pairs, strict=True))
            found[name, records] = (process, here)
            limit = f", should be below {LIMITS[name]:g} s" if records == max(ROUNDS) else ""
            yield (
                f"{records:6d} records: {name:6s} {process:6.2f} s as a process{limit}, "
                f"{here:6.2f} s in this one (n = {ROUNDS[records]})"
            )
    *_, few, many = counts
    for name in LIMITS:
        ratios = [b / a for a, b in zip(found[name, few], found[name, many], strict=True)]
        yield (
            f"{name:6s} {few:,} -> {many:,} records: {ratios[0]:5.1f} times as a process, "
            f"{ratios[1]:5.1f} times in this one"
        )


def main() -> None:
    """The machine, then one line a number."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="only 100 and 1,000 records")
    counts = [count for count in ROUNDS if count < max(ROUNDS) or not parser.parse_args().quick]
    print(f"machine: {machine()}")
    with tempfile.TemporaryDirectory() as folder:
        for line in lines(Path(folder), counts):
            print(line, flush=True)
    print(f"load {os.getloadavg()[0]:.1f}; medians")


if __name__ == "__main__":
    main()
