"""Contrastive losses. Shape suffixes: M = 2N views (i and i + N show one image), D embedding."""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from simclr_core.values import Frozen


class NTXent(Frozen):
    """Normalised temperature-scaled cross entropy (SimCLR, equation 1 and algorithm 1).

    Each view must find its partner among the 2N - 1 others by cosine similarity s:
    l(i, j) = -log( exp(s_ij / t) / sum_{k != i} exp(s_ik / t) ), in nats, averaged over all views.
    An encoder that maps all images to one point pays log(2N - 1). The official code returns twice
    this value (the sum of both directions' means).
    """

    kind: Literal["nt_xent"] = "nt_xent"

    temperature: float = Field(default=0.1, gt=0, allow_inf_nan=False)
    """Divides the similarities; 0.1 for ImageNet, 0.5 for CIFAR-10 (table 5, appendix B.9)."""

    def __call__(self, z_MD: Float[Tensor, "M D"]) -> Float[Tensor, ""]:
        # exp(1 / t) leaves half precision's range below t = 0.09: never logits in half.
        with torch.autocast(z_MD.device.type, enabled=False):
            logits_MM = _similarities(z_MD).div_(self.temperature).fill_diagonal_(-torch.inf)
            return F.cross_entropy(logits_MM, _partners(z_MD))


# A second member makes it a union: Annotated[NTXent | ..., Field(discriminator="kind")].
AnyLoss = NTXent


@torch.no_grad()
def contrastive_accuracy(z_MD: Float[Tensor, "M D"]) -> Float[Tensor, ""]:
    """The share of views whose partner is the most similar of the 2N - 1 others, 0 to 1.

    Guessing gives 1 / (2N - 1). The official code counts among the N views of the other side only.
    """
    with torch.autocast(z_MD.device.type, enabled=False):
        nearest_M = _similarities(z_MD).fill_diagonal_(-torch.inf).argmax(dim=1)
        return (nearest_M == _partners(z_MD)).float().mean()


def _similarities(z_MD: Tensor) -> Tensor:
    z_MD = F.normalize(z_MD if z_MD.dtype == torch.float64 else z_MD.float(), dim=1)
    return z_MD @ z_MD.T


def _partners(z_MD: Tensor) -> Tensor:
    return torch.arange(len(z_MD), device=z_MD.device).roll(len(z_MD) // 2)
