"""Trials without any training: they count their steps in a file, and misbehave when told to."""

import ctypes
import gc
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sweeps.execution import Outcome, TrialContext
from sweeps.planning import Cell, Known, Paired, Plan, Resolve, Resolved, Sweep, plan
from sweeps.planning.axes import label_of


def toy_trial(context: TrialContext) -> Outcome:
    """`config.steps` steps of `payload.pause` seconds, then a value that depends on the config."""
    config, payload = context.config, context.payload
    print("a print to stdout")
    print("a print to stderr", file=sys.stderr)
    os.write(1, b"a write past Python\n")
    if config.get("fail"):
        raise ValueError("this trial\nwas told to fail")
    encoder = context.artifact("encoder")
    if encoder is None:
        for step in range(config["steps"]):
            if context.should_stop():
                break
            _count(payload, context, step)
            context.metrics(step, {"loss": 1.0 / (step + 1)})
            context.progress(step + 1, config["steps"])
            if config.get("kill_at") == step:
                os.kill(os.getpid(), 9)
            if config.get("crash_at") == step:
                _crash_in_native_code(config["crash"])
            while config.get("hold") and step == 1 and not _open(payload, context):
                time.sleep(0.05)
            time.sleep(payload.get("pause", 0.0))
        context.save_artifact(
            "encoder", lambda folder: (folder / "weights").write_text(str(config["x"]))
        )
        encoder = context.artifact("encoder")
    assert encoder is not None
    x = int((encoder / "weights").read_text())
    return Outcome(
        {"top1": 10.0 * x + context.seed, "unknown": float("nan")},
        {
            "pid": os.getpid(),
            "frozen": gc.get_freeze_count(),
            "omp": os.environ.get("OMP_NUM_THREADS"),
            "data": {"name": "toy", "fingerprint": "0123abcd"},
        },
    )


def walk(context: TrialContext) -> Outcome:
    """Chaotic steps of `payload.pause` seconds, each saved: one lost or repeated changes all bits."""
    config, payload = context.config, context.payload
    encoder = context.artifact("encoder")
    if encoder is None:
        checkpoint = context.checkpoint("encoder")
        saved = (checkpoint.load() or b"0 0").decode().split()
        place, at = int(saved[0]), float.fromhex(saved[1]) or 0.1 + config["x"] / 7
        for step in range(place, config["steps"]):
            if context.should_stop():
                return Outcome({})
            _count(payload, context, step)
            at = 3.99 * at * (1.0 - at) + 1e-3 * math.sin(context.seed)
            context.progress(step + 1, config["steps"])
            checkpoint.save(f"{step + 1} {at.hex()}".encode())
            time.sleep(payload.get("pause", 0.0))
        context.save_artifact("encoder", lambda folder: (folder / "weights").write_text(at.hex()))
        encoder = context.artifact("encoder")
    assert encoder is not None
    return Outcome({"top1": float.fromhex((encoder / "weights").read_text())})


def _crash_in_native_code(how: str) -> None:
    if how == "SIGSEGV":
        ctypes.string_at(0)
    if how == "SIGABRT":
        os.abort()
    os.kill(os.getpid(), {"SIGILL": 4, "SIGBUS": 7, "SIGFPE": 8}[how])


def _open(payload: dict, context: TrialContext) -> bool:
    return Path(payload["gate"]).exists() or context.should_stop()


def _count(payload: dict, context: TrialContext, step: int) -> None:
    with Path(payload["counter"]).open("a") as file:
        file.write(f"{context.trial.key} {context.trial.cell} {context.seed} {step}\n")


def toy_sweep(levels: list, *, seeds: tuple[int, ...] = (0, 1), **base: object) -> Sweep:
    common = {"steps": 3, **base}
    axis = Paired(name="x", levels={label_of(value): {**common, "x": value} for value in levels})
    return Sweep(study="toy", scale="smoke", axes=(axis,), seeds=seeds)


def toy_resolve(by_cell: dict[str, dict] | None = None) -> Resolve:
    """Settings by cell that enter no key: how a trial misbehaves is not what it is."""

    def resolve(cell: Cell) -> Callable[[int], Resolved]:
        def at(seed: int) -> Resolved:
            identity = {**cell.settings, "seed": seed}
            readout = identity.pop("readout", 1)
            config = {**identity, "readout": readout, **(by_cell or {}).get(cell.name, {})}
            return Resolved(config, (("encoder", identity), ("evaluation", {"version": readout})))

        return at

    return resolve


def toy_plan(sweep: Sweep, known: Known, by_cell: dict | None = None, **how: bool) -> Plan:
    return plan(sweep, toy_resolve(by_cell), known, **how)
