"""`ablate` in processes of its own, and what it left, read without the product."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

MINE = """\
name: mine
title: Meine Bilder
question: Hilft Farbe?
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
      encoder: {kind: resnet, blocks: [1], width: 0.125, stem: small}
      evaluation.probe.l2: [0.01, 1.0, 100.0]
      head: {kind: mlp, hidden_layers: 1, output: 8}
      optimizer: {kind: adamw, learning_rate: 1.0e-3}
      schedule: {kind: constant}
      data: {kind: textures, num_images: 320, num_test: 64}
      batch_size: 32
      epochs: EPOCHS
roles: {with colour: crop+colour, without: crop}
claims:
  - {kind: beats, name: colour helps, better: with colour, worse: without, margin: 0,
     primary: true, statement: It does.}
figures:
  - {kind: bars, title: Accuracy, axis: views}
"""


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "ablations", *map(str, words)]


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    return {**kept, "COLUMNS": "200", "NO_COLOR": "1"}


def shell(**more: str) -> dict[str, str]:
    """A user's shell that knows no virtual environment yet."""
    own = str(Path(sys.prefix) / "bin")
    path = os.pathsep.join(p for p in os.environ["PATH"].split(os.pathsep) if p != own)
    dropped = ("VIRTUAL_ENV", "MLFLOW_TRACKING_URI", "PYTHONPATH", "RAY_ADDRESS")
    # What `make test` tells the makes below it is not what a user's shell holds.
    dropped += ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")
    rest = {name: value for name, value in os.environ.items() if name not in dropped}
    return {**rest, "PATH": path, "COLUMNS": "200", "NO_COLOR": "1", **more}


def copied(folder: Path) -> Path:
    """The tracked files as they are, in a folder of their own that make takes for set up."""
    listed = ["git", "ls-files", "-co", "--exclude-standard"]
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True)
    for name in files.stdout.splitlines():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_file():
            shutil.copy(ROOT / name, target)
    (folder / ".venv").mkdir()
    (folder / ".venv/bin").symlink_to(Path(sys.prefix) / "bin")
    (folder / ".venv/.ready").touch()
    return folder


def ablate(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words),
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def records(store: Path) -> list[dict[str, Any]]:
    files = sorted(store.glob("trials/*/[0-9]*/record.json"))
    return [json.loads(file.read_text(encoding="utf-8")) for file in files]


def steps(store: Path) -> int:
    """Optimiser steps that all trials on record took."""
    return sum(
        record["facts"]["optimiser_steps"]
        for record in records(store)
        if "encoder" not in record["reused"]
    )


def statuses(store: Path) -> dict[str, int]:
    """Status -> number of MLflow's runs, by SQL."""
    with sqlite3.connect(store / "mlflow.db") as database:
        return dict(
            database.execute(
                "SELECT status, COUNT(*) FROM runs WHERE lifecycle_stage = 'active' GROUP BY status"
            )
        )


def verdicts(text: str) -> str:
    """The board as it was printed."""
    return text[text.index("Verdicts") : text.index("\nreport:")]
