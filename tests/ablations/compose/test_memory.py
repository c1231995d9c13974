"""The peak memory of a trial: what autograd keeps, counted on real tensors; what a process held."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import called, record_of, recorded, the_plan, written_study

from ablations.compose.flops import as_text, weight_bytes
from ablations.compose.memory import COPIES, RAY, WORKER, activation_bytes, estimate
from simclr_core.networks import MlpHead, ResNet
from simclr_core.networks.vit import VisionTransformer

NETWORKS: dict[str, Any] = {
    "small": ResNet(blocks=(1, 1), width=0.25, stem="small"),
    "resnet": ResNet(depth=18, width=0.25, stem="cifar"),
    "transformer": VisionTransformer(patch=8, dim=48, depth=2, heads=3),
}


def kept(encoder: Any, head: Any, batch: int, size: int) -> int:
    """Bytes of all storages that the backward pass of real tensors keeps, without weights."""
    network = torch.nn.Sequential(
        encoder.build(0, size), head.build(encoder.num_features, 0)
    ).train()
    own = {one.untyped_storage().data_ptr() for one in network.parameters()}
    found: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            found[storage.data_ptr()] = storage
        return tensor

    views = torch.rand(batch, 3, size, size)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        network(views)
    return sum(one.nbytes() for one in found.values())


@pytest.mark.parametrize("name", list(NETWORKS))
def test_activations_counted_without_numbers_are_those_of_real_tensors(name: str) -> None:
    encoder, head, size = NETWORKS[name], MlpHead(output=16), 32
    found = activation_bytes(
        as_text(encoder.model_dump(mode="json")),
        as_text(head.model_dump(mode="json")),
        size,
        recompute=False,
    )

    real = kept(encoder, head, 16, size) / 16
    assert found is not None
    if name == "transformer":  # the fused attention of a CPU keeps less than the plain one
        assert real < found < 2 * real
    else:
        assert found == pytest.approx(real, rel=0.02)


def test_recomputed_blocks_keep_less() -> None:
    encoder = as_text(NETWORKS["resnet"].model_dump(mode="json"))
    head = as_text(MlpHead(output=16).model_dump(mode="json"))
    whole, less = (activation_bytes(encoder, head, 32, recompute=one) for one in (False, True))

    assert whole is not None
    assert less is not None
    assert less < whole / 2


def test_the_parts_of_a_trial_add_up(here: Path) -> None:
    config = the_plan(written_study(here)).trials[0].config
    encoder, head = as_text(config["encoder"]), as_text(config["head"])
    weights, of_view = (
        weight_bytes(encoder, head, 32),
        activation_bytes(encoder, head, 32, recompute=False),
    )

    assert weights is not None
    assert of_view is not None
    images = (64 + 32) * 3 * 32 * 32  # as bytes
    views = 2 * 32 * (of_view + COPIES * 3 * 32 * 32 * 4)
    adamw = 4 * weights  # weights, gradients, two moments
    assert estimate(config, "cpu") == WORKER + images + views + adamw
    assert estimate(config, "cuda") == images + views + adamw
    chunked = estimate({**config, "gradient_cache": 8}, "cuda")
    assert chunked == images + adamw + 2 * (8 * of_view + 32 * COPIES * 3 * 32 * 32 * 4)
    assert estimate({**config, "epochs": 0}, "cpu") == WORKER + images
    assert estimate({**config, "epochs": 0}, "cpu", worker=10**9) == 10**9 + RAY + images


def test_the_plan_names_the_largest_trial_and_what_was_measured_counts(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = written_study(here)
    plan = the_plan(study)

    before = called(capsys, "plan", study)
    recorded(Path("runs"), the_plan(study, seeds=(0,)), crop={"peak_memory": 1_234_000_000})
    after = called(capsys, "plan", study)

    assert "for a trial of crop, which takes most; estimated from its configuration" in before.out
    assert (
        "memory: 1 GB for a trial of crop, which takes most; measured in earlier trials"
        in after.out
    )
    assert record_of(plan.trials[0], plan).peak_memory is None


PEAK = """
from sweeps.execution.peak_memory import PeakMemory

def touched(size):
    block = bytearray(size)
    block[::4096] = b"x" * len(block[::4096])

touched(300_000_000)
memory = PeakMemory()
before = memory.num_bytes()
touched(80_000_000)
print(before, memory.num_bytes())
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="counted on Linux only")
def test_the_peak_is_that_since_it_was_created() -> None:
    """In a process of its own: of a large one, the system may take pages back in the meantime."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK], capture_output=True, text=True, check=True, timeout=120
    )

    before, after = map(int, done.stdout.split())
    assert 70_000_000 < after - before < 120_000_000
