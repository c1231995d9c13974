"""A trial's numbers do not depend on its company: bit-equal alone and in a pack."""

import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import STUDY, the_plan, written_study
from torch import nn

from simclr_core.losses import NTXent
from simclr_core.seeds import KeepsChance
from sweeps.execution import RunSettings
from sweeps.execution.pack import Pack, PackRun
from sweeps.execution.trial_runner import Job
from sweeps.planning import Trial
from sweeps.record import TrialRecord
from sweeps.storage import Store

FUNCTION = "ablations.trial.stages:run_trial"

DIFFERING = STUDY.replace(
    "      crop+colour: [{kind: crop}, {kind: colour}]\n",
    "      crop+colour: [{kind: crop}, {kind: colour}]\n      noise: [{kind: crop}, {kind: noise}]\n",
).replace("epochs: 1", "epochs: 3")

RATES = """\
axes:
  - kind: levels
    name: rate
    field: optimizer.learning_rate
    levels: {slow: 1.0e-3, wild: 1.0e+30}
"""

HEAD = """\
from torch import nn

def build(num_features, seed):
    return nn.Sequential(nn.Linear(num_features, 8), nn.Dropout(0.5))
"""


def told(record: TrialRecord) -> dict[str, Any]:
    """What a record says that no clock enters."""
    facts = {name: fact for name, fact in record.facts.items() if name != "pretraining_seconds"}
    curve = {name: column for name, column in record.curve.items() if name != "pairs_per_second"}
    return {"values": record.values, "facts": facts, "curve": curve, "state": record.state}


def run(trials: list[Trial], store: Path, members: int) -> dict[str, dict[str, Any]]:
    """What the trials recorded, by key, in a pack of so many members."""
    payload = {"device": "cpu", "threads": 1}
    settings = RunSettings(slots=members, workers=1, payload=payload)
    jobs = tuple(
        Job(
            study="mine",
            scale="laptop",
            variation="",
            launch="20260101T000000-0000",
            function=FUNCTION,
            settings=settings,
            store=str(store),
            driver=None,
            trials=(trial.model_copy(update={"todo": True}),),
        )
        for trial in trials
    )
    ended = list(PackRun(Pack(jobs=jobs, members=members)).results())
    assert {state for _, state, _, _ in ended} <= {"finished", "failed"}, ended
    return {record.key: told(record) for record in Store(store).records([key for key, *_ in ended])}


def alone_and_packed(
    here: Path, text: str, members: int
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    trials = list(the_plan(written_study(here, text)).trials)[: 2 * members]
    alone = run(trials, here / "alone", 1)
    assert {one["state"] for one in alone.values()} == {"finished"}
    return alone, run(trials, here / "packed", members)


@pytest.mark.parametrize("members", [2, pytest.param(4, marks=pytest.mark.proof)])
def test_records_are_bit_equal_alone_and_in_any_pack(here: Path, members: int) -> None:
    alone, packed = alone_and_packed(here, DIFFERING, members)

    assert len(alone) == 2 * members
    assert packed == alone


def test_a_member_whose_library_finds_no_memory_runs_again_with_fewer(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = list(the_plan(written_study(here, DIFFERING)).trials)[:2]
    alone = run(trials, here / "alone", 1)
    plain, left = NTXent.__call__, ["once"]

    def full_once(self: NTXent, z: torch.Tensor, num_views: int = 2) -> torch.Tensor:
        if left:
            left.clear()
            raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`")
        return plain(self, z, num_views)

    monkeypatch.setattr(NTXent, "__call__", full_once)

    assert run(trials, here / "packed", 2) == alone
    assert left == []


def test_a_member_that_diverges_leaves_the_others_untouched(here: Path) -> None:
    rates = (
        STUDY[: STUDY.index("axes:")] + RATES + STUDY[STUDY.index("seeds:") : STUDY.index("roles:")]
    )
    rates = rates.replace("output: 8}", "output: 8, batch_norm: false}")
    trials = [t for t in the_plan(written_study(here, rates)).trials if t.role == "arm"]
    alone = run([t for t in trials if t.cell == "slow"], here / "alone", 1)

    packed = run(trials, here / "packed", 3)

    assert {packed[t.key]["state"] for t in trials if t.cell == "wild"} == {"failed"}
    assert {key: packed[key] for key in alone} == alone


def dropping(here: Path) -> str:
    (here / "head.py").write_text(HEAD)
    return DIFFERING.replace(
        "head: {kind: mlp, hidden_layers: 1, output: 8}",
        "head: {kind: file, path: head.py, name: build}",
    )


def test_custom_components_draw_what_they_draw_alone(here: Path) -> None:
    alone, packed = alone_and_packed(here, dropping(here), 3)

    assert packed == alone


@pytest.mark.proof
def test_members_that_share_a_generator_are_noticed(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KeepsChance, "should_stop", lambda self: self._observer.should_stop())

    alone, packed = alone_and_packed(here, dropping(here), 3)

    assert packed != alone


def test_members_that_share_the_statistics_of_batch_norm_are_noticed(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, shared, lock = (
        nn.BatchNorm2d.forward,
        dict[tuple[int, ...], torch.Tensor](),
        threading.Lock(),
    )

    def sharing(self: nn.BatchNorm2d, x: torch.Tensor) -> torch.Tensor:
        assert self.running_mean is not None
        with lock:
            place = shared.setdefault(tuple(self.running_mean.shape), self.running_mean)
        if self.training:
            self.running_mean = place
        return plain(self, x)

    trials = list(the_plan(written_study(here, DIFFERING)).trials)[:4]
    alone = run(trials, here / "alone", 1)
    monkeypatch.setattr(nn.BatchNorm2d, "forward", sharing)

    assert run(trials, here / "packed", 4) != alone
