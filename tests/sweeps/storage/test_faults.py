"""Faults of every kind of file in a store: the next launch gives the same results, or says why not.

Each fault ends in one of three ways: survived (the same values as without it, after one more launch),
harmless (nothing is said and nothing runs twice), or refused with one message, with nothing changed, and
survived once it is repaired. No file of the user's is touched.
"""

import json
import os
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from full_disk import files_of_at_most
from toy_trials import toy_plan, toy_sweep

from sweeps.errors import StoreError
from sweeps.execution import Outcome, RunSettings, TrialContext, run_here
from sweeps.storage import Store

STEPS = 4


def resumable(context: TrialContext) -> Outcome:
    """Four steps, saved after each; the value says which weights were read and what they sum to."""
    folder = context.artifact("encoder")
    if folder is None:
        checkpoint = context.checkpoint("encoder")
        done, total = map(int, (checkpoint.load() or b"0 0").split())
        for step in range(done + 1, STEPS + 1):
            total += step * context.config["x"] * (context.seed + 1)
            checkpoint.save(b"%d %d" % (step, total))
            if context.payload.get("break_at") == step:
                raise KeyboardInterrupt
        context.save_artifact("encoder", lambda place: (place / "weights").write_text(str(total)))
        folder = context.artifact("encoder")
    assert folder is not None
    return Outcome({"top1": float((folder / "weights").read_text())})


class Scene:
    """A store: one trial finished, one in the middle, and files of the user's everywhere."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder / "store")
        self.store.prepare()
        self.said: list[str] = []
        plan = toy_plan(toy_sweep([1, 2]), self.store.known())
        self.run(self.store, 0)
        self.run(self.store, 1)
        for place in (2, 3):
            with pytest.raises(KeyboardInterrupt):
                self.run(self.store, place, break_at=2)
        stages = [trial.stages[0].key for trial in plan.trials]
        self.homes = [self.store.trials / trial.key for trial in plan.trials]
        self.record = self.homes[0] / "001" / "record.json"
        self.other_record = self.homes[1] / "001" / "record.json"
        self.encoder, self.other_encoder = (self.store.artifact("encoder", k) for k in stages[:2])
        self.checkpoint, self.other_checkpoint = (
            self.store.checkpoint("encoder", k) for k in stages[2:]
        )
        self.study = self.store.study("toy@smoke")
        self.index = self.store.path / "index.jsonl"
        self.foreign: list[Path] = []
        for place in ("", "trials", "running", "checkpoints", "encoders", "studies", "docs"):
            for name in (".env", "notes.txt"):
                file = self.store.path / place / name
                file.parent.mkdir(exist_ok=True)
                file.write_text(f"of the user's: {place}/{name}")
                self.foreign.append(file)

    def run(self, store: Store, place: int, readout: int = 1, **payload: object) -> None:
        plan = toy_plan(toy_sweep([1, 2], readout=readout), store.known())
        trial = plan.trials[place]
        if trial.todo:
            settings = RunSettings(payload=payload)
            ran = run_here(trial, plan, store, f"{__name__}:resumable", settings)
            record = store.record(ran.key, ran.attempt)
            assert record is not None
            self.said += record.notes
            log = (store.path / record.log).read_text().splitlines()
            self.said += [line for line in log if "starts from scratch" in line]

    def relaunch(self) -> dict[tuple[str, int, int], float | None]:
        """Runs all that is missing, and other evaluations of the same encoders; gives all values."""
        store = Store(self.store.path)
        for readout in (1, 2):
            for place in range(4):
                self.run(store, place, readout)
        self.said += store.messages
        return {
            (one.cell, one.seed, one.config["readout"]): one.values["top1"]
            for one in Store(self.store.path).summaries()
        }

    def told(self) -> list[str]:
        """What a user was told, each sentence once."""
        return list(dict.fromkeys(self.said))


EXPECTED = {
    (str(x), seed, readout): float(sum(range(1, STEPS + 1)) * x * (seed + 1))
    for x in (1, 2)
    for seed in (0, 1)
    for readout in (1, 2)
}
"""By hand: the sum of the steps times the level times the seed's number."""


def flip(file: Path, at: float = 0.5) -> None:
    content = bytearray(file.read_bytes())
    content[int(at * (len(content) - 1))] ^= 4
    file.write_bytes(content)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def swap(one: Path, two: Path) -> None:
    one.rename(one.with_name("swapped"))
    two.rename(one)
    one.with_name("swapped").rename(two)


def loop(path: Path) -> None:
    remove(path)
    path.symlink_to(path.name)


def pipe(path: Path) -> None:
    remove(path)
    os.mkfifo(path)


def folder(path: Path) -> None:
    remove(path)
    path.mkdir()


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def make(path: Path, text: str = "{") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def note(scene: Scene, pid: int) -> str:
    me = {"pid": pid, "began": "0", "host": socket.gethostname(), "since": "2026"}
    return json.dumps(me | {"key": scene.homes[2].name})


class Fault(NamedTuple):
    do: Callable[[Scene], object]
    messages: int = 1
    """What the user is told by the launch after it; 0 is harmless."""


KEY = "0123456789abcdef"

FAULTS: dict[str, Fault] = {
    # Records
    "a record: one bit": Fault(lambda s: flip(s.record)),
    "a record: one bit near its end": Fault(lambda s: flip(s.record, 0.98)),
    "a record: cut": Fault(lambda s: cut(s.record)),
    "a record: empty": Fault(lambda s: s.record.write_text("")),
    "a record: removed": Fault(lambda s: s.record.unlink()),
    "a record: another trial's": Fault(lambda s: shutil.copy(s.other_record, s.record)),
    "a record: a link to itself": Fault(lambda s: loop(s.record)),
    "a record: a pipe": Fault(lambda s: pipe(s.record)),
    "a record: a folder": Fault(lambda s: folder(s.record)),
    "a record: its folder renumbered": Fault(
        lambda s: s.record.parent.rename(s.record.parent.with_name("002"))
    ),
    "two records: swapped": Fault(
        lambda s: swap(s.record.parent, s.other_record.parent), messages=2
    ),
    "a trial's folder: removed": Fault(lambda s: remove(s.homes[0]), messages=0),
    "a log: removed": Fault(lambda s: (s.record.parent / "log.txt").unlink(), messages=0),
    "a log: cut": Fault(lambda s: cut(s.record.parent / "log.txt"), messages=0),
    # What stages left
    "weights: one bit": Fault(lambda s: flip(s.encoder / "weights")),
    "weights: cut": Fault(lambda s: cut(s.encoder / "weights")),
    "weights: removed": Fault(lambda s: (s.encoder / "weights").unlink()),
    "weights: swapped": Fault(
        lambda s: swap(s.encoder / "weights", s.other_encoder / "weights"), messages=2
    ),
    "weights: a link to itself": Fault(lambda s: loop(s.encoder / "weights")),
    "weights: a pipe": Fault(lambda s: pipe(s.encoder / "weights")),
    "a manifest: one bit": Fault(lambda s: flip(s.encoder / "made.json")),
    "a manifest: removed": Fault(lambda s: (s.encoder / "made.json").unlink()),
    "a manifest: another's": Fault(
        lambda s: shutil.copy(s.other_encoder / "made.json", s.encoder / "made.json")
    ),
    "a manifest: a pipe": Fault(lambda s: pipe(s.encoder / "made.json")),
    "an artifact: removed": Fault(lambda s: remove(s.encoder), messages=0),
    "two artifacts: swapped": Fault(lambda s: swap(s.encoder, s.other_encoder), messages=2),
    # Checkpoints
    "a checkpoint: one bit": Fault(lambda s: flip(s.checkpoint, 1.0)),
    "a checkpoint: one bit of its head": Fault(lambda s: flip(s.checkpoint, 0.2)),
    "a checkpoint: cut": Fault(lambda s: cut(s.checkpoint)),
    "a checkpoint: removed": Fault(lambda s: s.checkpoint.unlink(), messages=0),
    "a checkpoint: a link to itself": Fault(lambda s: loop(s.checkpoint)),
    "a checkpoint: a pipe": Fault(lambda s: pipe(s.checkpoint)),
    "two checkpoints: swapped": Fault(lambda s: swap(s.checkpoint, s.other_checkpoint), messages=2),
    # Copies and notes
    "the index: one bit": Fault(lambda s: flip(s.index), messages=0),
    "the index: cut": Fault(lambda s: cut(s.index), messages=0),
    "the index: other numbers": Fault(
        lambda s: s.index.write_text(s.index.read_text().replace("10.0", "99.0")), messages=0
    ),
    "the index: a folder": Fault(lambda s: folder(s.index), messages=0),
    "the index: a pipe": Fault(lambda s: pipe(s.index), messages=0),
    "the last plan: torn": Fault(lambda s: make(s.study / "plan.json"), messages=0),
    "the launches: torn": Fault(lambda s: cut(s.study / "launches.jsonl"), messages=0),
    "store.json: removed": Fault(lambda s: (s.store.path / "store.json").unlink()),
    "store.json: torn": Fault(lambda s: cut(s.store.path / "store.json")),
    # Processes that died
    "a lock: of a dead process": Fault(
        lambda s: make(s.store.path / "lock", note(s, 2**22 + 1)), messages=0
    ),
    "a lock: of a process that is another one by now": Fault(
        lambda s: make(s.store.path / "lock", note(s, os.getpid())), messages=0
    ),
    "a lock: torn": Fault(lambda s: make(s.store.path / "lock"), messages=0),
    "a heartbeat: of a dead process": Fault(
        lambda s: make(s.store.running / f"{s.homes[2].name}.json", note(s, 2**22 + 1)), messages=0
    ),
    "a heartbeat: torn": Fault(
        lambda s: make(s.store.running / f"{s.homes[2].name}.json"), messages=0
    ),
    "a stop file: of a launch long ago": Fault(
        lambda s: make(s.store.running / "20260102T030405-aaaa.stop"), messages=0
    ),
    "half a record": Fault(lambda s: make(s.homes[2] / ".001.0123abcd" / "log.txt"), messages=0),
    "half an artifact": Fault(
        lambda s: make(s.encoder.parent / f".{KEY}.0123abcd" / "weights"), messages=0
    ),
    "half a checkpoint": Fault(
        lambda s: make(s.checkpoint.with_name(f".encoder-{KEY}.0123abcd")), messages=0
    ),
}


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


QUICK = {
    *("a record: one bit", "a record: a pipe", "weights: one bit", "two artifacts: swapped"),
    *("a manifest: removed", "two checkpoints: swapped", "the index: other numbers"),
    *("store.json: removed", "a lock: of a dead process", "half a record"),
}
"""Those that `make test` runs as well."""


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.proof) for n in FAULTS]
)
def test_after_a_fault_one_launch_gives_the_results_of_an_untouched_store(
    scene: Scene, name: str
) -> None:
    before = {path: path.read_text() for path in scene.foreign}
    scene.store.summaries()
    FAULTS[name].do(scene)

    found = scene.relaunch()

    assert found == EXPECTED
    assert len(scene.told()) == FAULTS[name].messages, scene.told()
    assert {path: path.read_text() for path in scene.foreign} == before
    told = len(scene.told())
    assert scene.relaunch() == EXPECTED
    assert len(scene.told()) == told


REFUSED: dict[str, tuple[Callable[[Scene], object], str]] = {
    "store.json of a newer version": (
        lambda s: make(s.store.path / "store.json", '{"format": 9, "id": "0123456789abcdef"}'),
        "update",
    ),
    "a record of a newer version": (
        lambda s: s.record.write_text(json.dumps(json.loads(s.record.read_text()) | {"format": 9})),
        "update",
    ),
    "a link in the place of the lock": (
        lambda s: (remove(s.store.path / "lock"), (s.store.path / "lock").symlink_to("notes.txt")),
        "lock",
    ),
    "a folder in the place of the lock": (lambda s: folder(s.store.path / "lock"), "lock"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_is_refused_and_repaired_by_hand(
    scene: Scene, name: str, tmp_path: Path
) -> None:
    do, words = REFUSED[name]
    whole = tmp_path / "whole"
    shutil.copytree(scene.store.path, whole, symlinks=True)
    do(scene)
    records = sorted(str(path) for path in scene.store.trials.rglob("*"))

    with pytest.raises(StoreError) as caught:
        scene.relaunch()

    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert sorted(str(path) for path in scene.store.trials.rglob("*")) == records
    assert all(path.read_text().startswith("of the user's") for path in scene.foreign)
    shutil.rmtree(scene.store.path)
    whole.rename(scene.store.path)
    assert scene.relaunch() == EXPECTED


@pytest.mark.parametrize(
    "size", [0, *(pytest.param(n, marks=pytest.mark.proof) for n in (40, 700))]
)
def test_a_full_disk_stops_with_one_message_and_the_next_launch_goes_on(
    scene: Scene, size: int
) -> None:
    with files_of_at_most(size), pytest.raises(StoreError) as caught:
        scene.relaunch()

    assert str(caught.value).startswith("the disk is full: ")
    assert "\n" not in str(caught.value)
    scene.said.clear()
    assert scene.relaunch() == EXPECTED
    assert scene.told() == []


def test_a_clock_that_goes_backwards_changes_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    present = time.time
    monkeypatch.setattr(time, "time", lambda: present() - 10 * 86_400)

    assert scene.relaunch() == EXPECTED
    assert scene.told() == []
