"""lightly's loop as its SimCLR example writes it, with a worker for each core."""

import os
import time
from importlib.util import find_spec

import torch
from benchmarks.gpu.child import Bench
from benchmarks.gpu.settings import Network, config, execution, networks, noise
from torch import nn
from torch.utils.data import DataLoader, Dataset

from simclr_core.runtime import autocast

WARM_UP = 5


def run(bench: Bench) -> None:
    """Views per second of each network in that loop."""
    if find_spec("lightly") is None:
        bench.row("lightly's loop", None, "views/s", note="lightly is not installed")
        return
    for network in networks(miniature=bench.miniature)[:2]:
        bench.tried(f"lightly's loop, {network.name}", lambda n=network: _loop(bench, n))


class _Pictures(Dataset):
    """The same images as PIL's, under lightly's transform."""

    def __init__(self, *, miniature: bool) -> None:
        from lightly.transforms import SimCLRTransform
        from PIL import Image

        images = noise(miniature=miniature).pretraining_images()
        index = torch.arange(len(images))[: 20_000 if not miniature else None]
        pixels = images.batch(index)[0].permute(0, 2, 3, 1).numpy()
        self.images = [Image.fromarray(each) for each in pixels]
        self.transform = SimCLRTransform(input_size=32, cj_strength=0.5, gaussian_blur=0.5)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> list[torch.Tensor]:
        return self.transform(self.images[index])


def _loop(bench: Bench, network: Network) -> None:
    from lightly.loss import NTXentLoss

    made = config(network.changes, miniature=bench.miniature).resolved(bench.device)
    device, on = torch.device(bench.device), execution(bench.device)
    head = made.head.build(made.encoder.num_features, 0)
    model = on.place(nn.Sequential(made.encoder.build(0, 32), head)).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    workers = 0 if bench.miniature else os.cpu_count() or 1
    loader = DataLoader(
        _Pictures(miniature=bench.miniature),
        batch_size=made.batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=bench.device == "cuda",
    )
    criterion, num, began = NTXentLoss(temperature=0.5), 0, 0.0
    most = WARM_UP + (2 if bench.miniature else 25)
    for first, second in loader:
        x = torch.cat([first, second]).to(device, non_blocking=True)
        with autocast(made.precision, device):
            z = model(x.contiguous(memory_format=torch.channels_last))
        loss = criterion(*z.float().chunk(2))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        num += 1
        if num == WARM_UP:
            bench.wait()
            began = time.perf_counter()
        if num == most or (num > WARM_UP + 5 and bench.left() < 0):
            break
    bench.wait()
    rate = 2 * made.batch_size * (num - WARM_UP) / (time.perf_counter() - began)
    what = f"lightly's loop, {network.name}"
    bench.row(what, rate, "views/s", n=1, note=f"{workers} workers, {num - WARM_UP} steps")
