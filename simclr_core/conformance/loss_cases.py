"""The loss that is examined, and the embeddings that it is examined on, smallest first."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from simclr_core.conformance.checks import TheirError, called

Loss = Callable[[Tensor, Tensor, float], Tensor]
"""loss(z1, z2, temperature)."""


class Case(NamedTuple):
    """Embeddings of N images, rows of length 1 in float64."""

    says: str
    z1: Tensor
    z2: Tensor


class Subject:
    """The examined loss, and what its value has to be divided by to be a mean over the 2N views."""

    def __init__(self, loss: Loss) -> None:
        self._loss = loss
        self._multiple: Callable[[int], float] = lambda _: 1

    def tensor(self, z1: Tensor, z2: Tensor, t: float) -> Tensor:
        """The value of the function, on its own copies of the tensors.

        Raises:
            TheirError: it raised, or returned no scalar tensor.
        """
        where = f"at N = {len(z1)}, temperature {t:g}, {str(z1.dtype).removeprefix('torch.')}"
        value: Any = called(self._loss, z1, z2, t, where=where)
        if not isinstance(value, Tensor):
            raise TheirError(f"returns {type(value).__name__} instead of a scalar tensor {where}")
        if value.shape != () or not value.dtype.is_floating_point:
            raise TheirError(
                f"returns {value.dtype} {list(value.shape)} instead of a single number {where}"
            )
        return value

    def __call__(self, z1: Tensor, z2: Tensor, t: float) -> float:
        """The value, divided so that it should be the mean over the views."""
        return float(self.tensor(z1.clone(), z2.clone(), t).detach()) / self._multiple(len(z1))

    def gradients(self, z1: Tensor, z2: Tensor, t: float) -> tuple[Tensor, Tensor]:
        """Of the value as it is; zeros where none arrives."""
        leaves = [z.detach().clone().requires_grad_() for z in (z1, z2)]
        value = self.tensor(leaves[0] * 1, leaves[1] * 1, t)
        if not value.requires_grad:
            raise TheirError("the value has no gradient, so nothing can be trained with it")
        called(value.backward, where="in the backward pass")
        first, second = (torch.zeros_like(z) if z.grad is None else z.grad for z in leaves)
        return first, second

    def divide_by(self, multiple: Callable[[int], float]) -> None:
        """From here on values are divided by multiple(N)."""
        self._multiple = multiple

    def tolerance(self) -> float:
        """What values of equal formulas may differ by, in the type that the function works in."""
        z = torch.eye(2, dtype=torch.float64)
        wide = self.tensor(z.clone(), z.clone(), 0.5).dtype == torch.float64
        return 1e-9 if wide else 1e-4


# ------------------------------------------------------------------------------------- embeddings


def circle(first: Sequence[float], second: Sequence[float]) -> Case:
    """Rows on the unit circle, given by their angles: small examples are easy to follow."""
    angles = (", ".join(f"{angle:g}" for angle in side) for side in (first, second))
    says = "first views at {} degrees on the circle, second views at {}".format(*angles)
    z1, z2 = (
        torch.tensor(
            [[math.cos(math.radians(a)), math.sin(math.radians(a))] for a in side]
        ).double()
        for side in (first, second)
    )
    return Case(says, F.normalize(z1, dim=1), F.normalize(z2, dim=1))


def drawn(num: int, length: int, seed: int) -> Case:
    """Rows of normal numbers brought to length 1."""
    rng = torch.Generator().manual_seed(seed)
    z1, z2 = torch.randn(2, num, length, generator=rng, dtype=torch.float64)
    says = f"N = {num}, rows of {length} normal numbers from seed {seed}, scaled to length 1"
    return Case(says, F.normalize(z1, dim=1), F.normalize(z2, dim=1))


def cases() -> Iterator[Case]:
    """Smallest first: 2 to 4 images on the circle, then more in more dimensions."""
    for num in (2, 3, 4):
        for seed in range(4):
            rng = torch.Generator().manual_seed(seed)
            angles = (30 * torch.randint(0, 12, (2 * num,), generator=rng)).tolist()
            yield circle(angles[:num], angles[num:])
    for num in (5, 8, 13):
        yield drawn(num, 4, num)


TEMPERATURES = (1.0, 0.5, 0.1, 0.05)


def one_point(num: int) -> tuple[Tensor, Tensor]:
    """Both views of all images in one place."""
    z = torch.zeros(num, 3, dtype=torch.float64)
    z[:, 0] = 1
    return z, z.clone()


def at(t: float, case: Case) -> str:
    """Where something was found, in words."""
    return f"{case.says}; temperature {t:g}"
