"""The evaluation of cached features: the paper's probe with all its values of l2."""

import time
from collections.abc import Sequence

import torch
from benchmarks.gpu.child import Bench
from benchmarks.gpu.settings import execution

from simclr_core import Dataset, check, evaluate
from simclr_core.probes.logistic import LogisticProbe

NUM_FIT, SIDE = 45_000, 13
"""Images to fit on, and their side: 3 x 13^2 = 507 features, near the 512 of a ResNet-18."""


def run(bench: Bench) -> None:
    """The time of `evaluate` on an encoder whose features are the images themselves."""
    num, side = (180, 4) if bench.miniature else (NUM_FIT, SIDE)
    dataset = _images(num, side)
    every = LogisticProbe.model_fields["l2"].default
    # The few come first: they leave a number where all values take too long.
    for l2 in (every[::44], every[::15]) if bench.miniature else (every[::11], every):
        _timed(bench, dataset, l2, f"{num:,} x {3 * side**2} features, {len(l2)} values of l2")


def _timed(bench: Bench, dataset: Dataset, l2: Sequence[float], what: str) -> None:
    probe = {"kind": "logistic", "l2": l2}
    pixels = {"kind": "pixels", "side": dataset.size}
    settings = {"encoder": pixels, "epochs": 0, "evaluation.probe": probe, "evaluation.knn": None}
    made = check(settings).resolved(bench.device)
    state = made.encoder.build(0, dataset.size).state_dict()
    found: list[float] = []

    def seconds() -> float:
        began = time.perf_counter()
        found.append(evaluate(made, dataset, state, execution(bench.device)).values["top1"])
        bench.wait()
        return time.perf_counter() - began

    median, n = bench.median(seconds, 3)
    bench.row(what, median, "s", n=n, note=f"top-1 {found[0]:.1f} %, on {bench.device}")


def _images(num_fit: int, side: int) -> Dataset:
    """Ten classes, each a pattern under noise: so many to fit on, a ninth to choose on, and to test."""
    rng = torch.Generator().manual_seed(0)
    num = num_fit * 10 // 9
    patterns = torch.rand(10, 3, side, side, generator=rng)

    def of(many: int) -> tuple[torch.Tensor, torch.Tensor]:
        labels = torch.arange(many) % 10
        noisy = 0.15 * patterns[labels] + 0.85 * torch.rand(many, 3, side, side, generator=rng)
        return (255 * noisy).to(torch.uint8), labels

    return Dataset.of(*of(num), *of(num // 5), name="patterns")
