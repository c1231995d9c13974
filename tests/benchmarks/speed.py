"""Pre-training speed beside lightly's SimCLR loop: same network, batch, precision, one run.

`make bench`. Both loops see the same 32-pixel images, batch 256, fp32, two threads, AdamW and
NT-Xent. Ours: `pretrain`, views drawn by batch in the training process. Theirs: `SimCLRTransform`
(colour strength 0.5, blur with probability 0.5), a DataLoader with two persistent workers, their
`NTXentLoss` and projection head. The rounds take turns; medians over five rounds are printed, with
the machine and its load, since a speed is a ratio within one run.
"""

import os
import statistics
import time

import lightly.loss
import lightly.models.modules
import numpy as np
import torch
from lightly.transforms import SimCLRTransform
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from simclr_core import Config, Execution, Textures, draw_views, load, pretrain
from simclr_core.chance import Chance
from sweeps.provenance import machine

ROUNDS = 5
STEPS = 16
BATCH = 256
NUM_IMAGES = BATCH * STEPS

CONFIG = Config.model_validate(
    {
        "data": {"kind": "textures", "num_images": NUM_IMAGES, "num_test": 256},
        "views": {
            "kind": "symmetric",
            "operations": [{"kind": "crop"}, {"kind": "colour", "strength": 0.5}, {"kind": "blur"}],
        },
        "encoder": {"kind": "resnet", "blocks": [1, 1, 1], "width": 0.25, "stem": "small"},
        "head": {"kind": "mlp", "hidden_layers": 1, "output": 64},
        "loss": {"kind": "nt_xent", "temperature": 0.5},
        "optimizer": {"kind": "adamw", "learning_rate": 2e-3},
        "schedule": {"kind": "warmup_cosine", "warmup_epochs": 0},
        "batch_size": BATCH,
        "epochs": 1,
        "precision": "fp32",
        "evaluation": {"knn": None},  # lightly's loop evaluates nothing on the way either
    }
).resolved("cpu")


class Clock:
    """An observer that notes when the first and the last step ended."""

    def __init__(self) -> None:
        self.ticks: dict[int, float] = {}

    def metrics(self, step: int, values: object) -> None:
        del step, values

    def progress(self, done: int, total: int) -> None:
        del total
        self.ticks.setdefault(done, time.perf_counter())

    def should_stop(self) -> bool:
        return False


def ours(dataset: object) -> float:
    """Pairs a second of one epoch of `pretrain`, its start, metrics and observer included."""
    start = time.perf_counter()
    pretrain(CONFIG, dataset, Execution(device="cpu", threads=2), Clock())
    return NUM_IMAGES / (time.perf_counter() - start)


class Pictures(Dataset):
    """The same images as PIL pictures, under lightly's transform."""

    def __init__(self, pictures: np.ndarray) -> None:
        self.pictures = [Image.fromarray(picture) for picture in pictures]
        self.transform = SimCLRTransform(input_size=32, cj_strength=0.5, gaussian_blur=0.5)

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> list[torch.Tensor]:
        return self.transform(self.pictures[index])


class Theirs:
    """lightly's loop, as its SimCLR example writes it."""

    def __init__(self, pictures: np.ndarray) -> None:
        self.loader = DataLoader(
            Pictures(pictures),
            batch_size=BATCH,
            shuffle=True,
            drop_last=True,
            num_workers=2,
            persistent_workers=True,
        )
        self.backbone = CONFIG.encoder.build(0)
        self.head = lightly.models.modules.SimCLRProjectionHead(64, 64, 64)
        self.criterion = lightly.loss.NTXentLoss(temperature=0.5)
        self.optimizer = torch.optim.AdamW(
            [*self.backbone.parameters(), *self.head.parameters()], lr=2e-3
        )

    def step(self, first: torch.Tensor, second: torch.Tensor) -> None:
        z_first = self.head(self.backbone(first).flatten(start_dim=1))
        z_second = self.head(self.backbone(second).flatten(start_dim=1))
        self.criterion(z_first, z_second).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def epoch(self) -> float:
        """Pairs a second of one epoch, the workers already started."""
        start = time.perf_counter()
        for first, second in self.loader:
            self.step(first, second)
        return NUM_IMAGES / (time.perf_counter() - start)

    def network_alone(self) -> float:
        """Pairs a second of its steps on views that lie ready: what no loader could beat."""
        first, second = torch.rand(2, BATCH, 3, 32, 32)
        self.step(first, second)
        start = time.perf_counter()
        for _ in range(STEPS):
            self.step(first, second)
        return NUM_IMAGES / (time.perf_counter() - start)


def views_alone(dataset: object) -> float:
    """Views a second of `draw_views` on one thread."""
    images = dataset.pretraining_images()
    index = torch.arange(BATCH)
    pictures, shapes = images.batch(index)
    torch.set_num_threads(1)
    start = time.perf_counter()
    for epoch in range(STEPS):
        draw_views(CONFIG.views, pictures, shapes, Chance.of(0, epoch, index), 32)
    seconds = time.perf_counter() - start
    torch.set_num_threads(2)
    return 2 * NUM_IMAGES / seconds


def main() -> None:
    """Five rounds in turn, then one line a number."""
    torch.set_num_threads(2)
    dataset = load(Textures(num_images=NUM_IMAGES, num_test=256), cache=None)
    everything = torch.arange(NUM_IMAGES)
    pictures = dataset.pretraining_images().batch(everything)[0].permute(0, 2, 3, 1).numpy()
    theirs = Theirs(pictures)
    theirs.epoch()
    ours(dataset)
    rounds = [
        (ours(dataset), theirs.epoch(), theirs.network_alone(), views_alone(dataset))
        for _ in range(ROUNDS)
    ]
    pretraining, lightly_loop, network, views = map(statistics.median, zip(*rounds, strict=True))
    print(f"machine: {machine()}")
    print(f"load {os.getloadavg()[0]:.1f}; torch {torch.__version__}; medians of {ROUNDS}")
    print(f"pre-training, this project   {pretraining:8.0f} pairs/s")
    print(f"pre-training, lightly's loop {lightly_loop:8.0f} pairs/s")
    print(f"  its network alone          {network:8.0f} pairs/s")
    print(f"views on one thread          {views:8.0f} views/s")
    print(f"ratio to lightly's loop      {pretraining / lightly_loop:8.2f}")


if __name__ == "__main__":
    main()
