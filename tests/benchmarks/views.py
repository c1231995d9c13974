"""Views a second of the default pipeline beside torchvision's transforms on PIL pictures, one thread.

`make bench`. A batch of 256 pictures of 32 px, two views each: crop, flip, jitter, grey and blur, the
same probabilities and strengths; theirs one picture at a time, as a loader's worker does it. Both in
one run, taking turns; medians.
"""

import os
import statistics
import time

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import v2

from simclr_core.augment.views import Symmetric, draw_views
from simclr_core.chance import Chance
from sweeps.provenance import machine

BATCH, SIZE, ROUNDS = 256, 32, 9

THEIRS = v2.Compose(
    [
        v2.RandomResizedCrop(SIZE, scale=(0.08, 1.0), interpolation=v2.InterpolationMode.BICUBIC),
        v2.RandomHorizontalFlip(),
        v2.RandomApply([v2.ColorJitter(0.8, 0.8, 0.8, 0.2)], p=0.8),
        v2.RandomGrayscale(0.2),
        v2.RandomApply([v2.GaussianBlur(3, (0.1, 2.0))], p=0.5),
        v2.PILToTensor(),
        v2.ToDtype(torch.float32, scale=True),
    ]
)


def main() -> None:
    """Three lines: ours, theirs, the ratio."""
    torch.set_num_threads(1)
    pixels = torch.randint(0, 256, (BATCH, 3, SIZE, SIZE), dtype=torch.uint8)
    shapes = torch.full((BATCH, 2), SIZE)
    pictures = [Image.fromarray(one.permute(1, 2, 0).numpy().astype(np.uint8)) for one in pixels]
    views, index = Symmetric(), torch.arange(BATCH)

    def ours(epoch: int) -> float:
        start = time.perf_counter()
        draw_views(views, pixels, shapes, Chance.of(0, epoch, index), SIZE)
        return 2 * BATCH / (time.perf_counter() - start)

    def theirs() -> float:
        start = time.perf_counter()
        torch.stack([THEIRS(picture) for picture in pictures for _ in range(2)])
        return 2 * BATCH / (time.perf_counter() - start)

    ours(0)
    theirs()
    rounds = [(ours(1 + i), theirs()) for i in range(ROUNDS)]
    mine, peers = map(statistics.median, zip(*rounds, strict=True))
    print(f"machine: {machine()}")
    print(f"load {os.getloadavg()[0]:.1f}; torch {torch.__version__}; medians of {ROUNDS}")
    print(f"views, this project          {mine:8.0f} views/s on one thread")
    print(f"torchvision on PIL pictures  {peers:8.0f} views/s on one thread")
    print(f"ratio                        {mine / peers:8.2f}")


if __name__ == "__main__":
    main()
