"""Seconds of a plan of 10,000 trials from a study file, and of `ablate --help`.

`make bench`. The plan next to the hashing of the same configurations alone, in one run; medians. The
seconds of `--help` are those of a process of its own, next to those of a Python that does nothing.
"""

import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ablations.compose.planning import compose, planned
from ablations.study.request import Request
from sweeps.planning.keys import key_of
from sweeps.planning.trial_plan import Plan
from sweeps.provenance import machine

ROUNDS = 5
LEVELS = "".join(f"      c{i}: {0.01 + i / 1000:.3f}\n" for i in range(1000))
STUDY = f"""\
name: large
title: Ten thousand trials
question: How long does planning take?
source: section 5.1
base:
  views: {{kind: symmetric, operations: [{{kind: crop}}]}}
axes:
  - kind: levels
    name: temperature
    field: loss.temperature
    levels:
{LEVELS}seeds: 10
scales:
  smoke: {{only: [c0]}}
  laptop:
    set:
      data: {{kind: textures, num_images: 64, num_test: 32}}
      encoder: {{kind: resnet, blocks: [1], width: 0.0625, stem: small}}
      optimizer: {{kind: adamw, learning_rate: 1.0e-3}}
      schedule: {{kind: constant}}
      batch_size: 32
      epochs: 1
"""


def seconds(work: Callable[[], object]) -> float:
    gc.collect()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def started(*command: str) -> float:
    return seconds(lambda: subprocess.run(command, check=True, capture_output=True))


def plan_of(study: Path) -> Plan:
    composed, store = compose(
        Request(study=str(study), scale="laptop", store=study.parent / "runs")
    )
    return planned(composed, store.known())


def main() -> None:
    """One line a number."""
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder) / "large.yaml"
        study.write_text(STUDY, "utf-8")
        trials = plan_of(study).trials
        pairs = [
            (
                seconds(lambda: plan_of(study)),
                seconds(lambda: [key_of(trial.config) for trial in trials]),
            )
            for _ in range(ROUNDS)
        ]
    plan, hashes = map(statistics.median, zip(*pairs, strict=True))
    helped = statistics.median(
        started(sys.executable, "-m", "ablations", "--help") for _ in range(ROUNDS)
    )
    bare = statistics.median(started(sys.executable, "-c", "") for _ in range(ROUNDS))
    print(f"machine: {machine()}")
    print(f"load {os.getloadavg()[0]:.1f}; medians of {ROUNDS}")
    print(f"a plan of {len(trials)} trials  {plan:8.2f} s, {plan / hashes:.1f} times their hashes")
    print(f"ablate --help              {helped:8.2f} s, Python alone {bare:.2f} s")


if __name__ == "__main__":
    main()
