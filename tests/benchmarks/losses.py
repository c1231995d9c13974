"""NT-Xent forward and backward beside one matrix under autograd, at several numbers of views.

`make bench`. Both in one run, taking turns; medians. The embeddings have 128 numbers each, as the
paper's; two threads, fp32.
"""

import os
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from simclr_core.losses.contrastive import NTXent
from sweeps.provenance import machine

ROUNDS = {512: 41, 1024: 31, 2048: 15, 4096: 9, 16384: 3}
"""Views -> rounds."""


def one_matrix(z: Tensor) -> Tensor:
    """The plain form, as most repositories have it."""
    u = F.normalize(z, dim=1)
    logits = (u @ u.T).div(0.1).fill_diagonal_(-torch.inf)
    return F.cross_entropy(logits, torch.arange(len(z)).roll(len(z) // 2))


def seconds(loss: Callable[[Tensor], Tensor], z: Tensor) -> float:
    z.grad = None
    start = time.perf_counter()
    loss(z).backward()
    return time.perf_counter() - start


def main() -> None:
    """One line a number of views."""
    torch.set_num_threads(2)
    print(f"machine: {machine()}")
    print(f"load {os.getloadavg()[0]:.1f}; torch {torch.__version__}")
    ours = NTXent(temperature=0.1)
    for views, rounds in ROUNDS.items():
        z = torch.randn(views, 128, requires_grad=True)
        seconds(ours, z)
        seconds(one_matrix, z)
        pairs = [(seconds(ours, z), seconds(one_matrix, z)) for _ in range(rounds)]
        mine, theirs = (1e3 * statistics.median(column) for column in zip(*pairs, strict=True))
        print(
            f"{views:6d} views: {mine:8.1f} ms, one matrix {theirs:8.1f} ms, "
            f"ratio {theirs / mine:5.2f} (n = {rounds})"
        )


if __name__ == "__main__":
    main()
