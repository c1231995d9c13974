"""`ablate` as a user calls it, in this process or in one of its own, and studies to call it with."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ablations.__main__ import run
from ablations.compose.planning import compose, planned
from ablations.study.request import Request
from sweeps.planning.trial_plan import Plan, Trial
from sweeps.record import TrialRecord
from sweeps.storage.store import Store
from sweeps.tracking.contract import TrackingResult

STUDY = """\
name: mine
title: A study of my own
question: Does colour help?
source: section 3.1
base:
  views: {kind: symmetric, operations: [{kind: crop}]}
axes:
  - kind: levels
    name: views
    field: views.operations
    levels:
      crop: [{kind: crop}]
      crop+colour: [{kind: crop}, {kind: colour}]
seeds: 2
scales:
  laptop:
    set:
      data: {kind: textures, num_images: 64, num_test: 32}
      encoder: {kind: resnet, blocks: [1], width: 0.0625, stem: small}
      head: {kind: mlp, hidden_layers: 1, output: 8}
      optimizer: {kind: adamw, learning_rate: 1.0e-3}
      schedule: {kind: constant}
      batch_size: 32
      epochs: 1
roles: {with: crop+colour, without: crop}
claims:
  - {kind: beats, name: colour helps, better: with, worse: without, margin: 0, primary: true,
     statement: It does.}
figures:
  - {kind: bars, title: Accuracy, axis: views}
"""
"""Small enough for a trial of a second."""


class Said(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Tracker:
    """Stands for MLflow's process: remembers what it was told."""

    def __init__(self, trouble: str | None = None) -> None:
        self.trouble = trouble
        self.closed: list[dict[str, Any]] = []
        self.settled: list[dict[str, Any]] = []

    def record(self, _: object) -> None: ...

    def settle(self, **told: Any) -> None:
        self.settled.append(told)

    def close(self, **told: Any) -> TrackingResult:
        self.closed.append(told)
        return TrackingResult(0, self.trouble, 0.0)


def called(capsys: pytest.CaptureFixture[str], *words: str | Path) -> Said:
    """The command in this process."""
    capsys.readouterr()
    code = run([str(word) for word in words])
    out, err = capsys.readouterr()
    return Said(code, out, err)


def spawned(*words: str | Path, cwd: Path, **environment: str) -> Said:
    """The command in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "ablations", *map(str, words)],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def tree(folder: Path, *, but: str = "") -> str:
    """A hash over all names and bytes below a folder, one of its own folders left out."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if but in path.relative_to(folder).parts:
            continue
        found.update(str(path.relative_to(folder)).encode())
        found.update(path.read_bytes() if path.is_file() else b"/")
    return found.hexdigest()


def written_study(folder: Path, text: str = STUDY, name: str = "mine.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def the_plan(study: str | Path, **request: Any) -> Plan:
    """The plan of a request, on an empty store unless one is named."""
    composed, store = compose(Request(study=str(study), **{"store": Path("none"), **request}))
    return planned(composed, store.known())


def record_of(trial: Trial, plan: Plan, **told: Any) -> TrialRecord:
    """What a trial would leave that measured 50 % plus its seed."""
    about: dict[str, Any] = {
        "key": trial.key,
        "study": plan.study,
        "scale": plan.scale,
        "cell": trial.cell,
        "role": trial.role,
        "levels": trial.levels,
        "seed": trial.seed,
        "config": trial.config,
        "stages": trial.stages,
        "state": "finished",
        "values": {"top1": 50.0 + trial.seed},
        "error": None,
        "started": "2026-01-01T00:00:00.000Z",
        "seconds": 60.0,
        "attempt": 1,
        "launch": "20260101T000000-0000",
        "facts": {},
        "curve": {},
        "log": "",
        "provenance": {},
    }
    return TrialRecord(**(about | told))


def recorded(store: Path, plan: Plan, **told_by_cell: dict[str, Any]) -> Store:
    """A store with a record of every trial of a plan that has stages; `cell=None` has none."""
    made = Store(store)
    made.prepare()
    for trial in plan.trials:
        told = told_by_cell.get(trial.cell, {})
        if told is not None:
            made.commit(record_of(trial, plan, **told), made.running / f"{trial.key}.log")
    return made
