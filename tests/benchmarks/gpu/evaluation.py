"""The evaluation of cached features: the paper's probe with all its values of l2."""

import time

import torch
from benchmarks.gpu.child import Bench
from benchmarks.gpu.settings import execution

from simclr_core import Config, Dataset, check, evaluate

NUM_FIT, SIDE = 45_000, 13
"""Images to fit on, and their side: 3 x 13^2 = 507 features, near the 512 of a ResNet-18."""


def run(bench: Bench) -> None:
    """The time of `evaluate` on an encoder whose features are the images themselves."""
    num, side = (180, 4) if bench.miniature else (NUM_FIT, SIDE)
    dataset, made = _images(num, side), _config(bench, side)
    on = execution(bench.device)
    state = made.encoder.build(0, side).state_dict()

    def seconds() -> float:
        began = time.perf_counter()
        found = evaluate(made, dataset, state, on)
        bench.wait()
        took.append(found.values["top1"])
        return time.perf_counter() - began

    took: list[float] = []
    median, n = bench.median(seconds, 3)
    what = f"{num:,} x {3 * side**2} features, {len(made.evaluation.probe.l2)} values of l2"
    bench.row(what, median, "s", n=n, note=f"top-1 {took[0]:.1f} %, on {bench.device}")


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


def _config(bench: Bench, side: int) -> Config:
    few = {"evaluation.probe": {"kind": "logistic", "l2": [0.01, 1.0, 100.0]}}
    pixels = {"encoder": {"kind": "pixels", "side": side}, "epochs": 0, "evaluation.knn": None}
    return check({**pixels, **(few if bench.miniature else {})}).resolved(bench.device)
