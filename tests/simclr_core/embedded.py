"""Embeddings made up for tests of losses, and their similarities number by number."""

import math

import torch
from torch import Tensor


def embeddings(num_images: int, length: int = 5, *, seed: int = 0) -> Tensor:
    """Two rows an image of normal numbers, float64."""
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(2 * num_images, length, generator=rng, dtype=torch.float64)


def cosines(z: list[list[float]]) -> list[list[float]]:
    """The cosine of each row with each."""
    norms = [math.sqrt(sum(a * a for a in row)) for row in z]
    return [
        [
            sum(a * b for a, b in zip(z[i], z[j], strict=True)) / (norms[i] * norms[j])
            for j in range(len(z))
        ]
        for i in range(len(z))
    ]
