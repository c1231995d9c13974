"""Contrastive losses. Shape suffixes: M = 2N views (i and i + N show one image), D embedding."""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from simclr_core.contrast import in_blocks_pays, nt_xent_in_blocks
from simclr_core.values import Frozen

_SIMILARITIES = 1 << 24
"""Numbers that the accuracy holds at a time: 64 MiB."""


class NTXent(Frozen):
    """Normalised temperature-scaled cross entropy (SimCLR, equation 1 and algorithm 1).

    Each view must find its partner among the 2N - 1 others by cosine similarity s:
    l(i, j) = -log( exp(s_ij / t) / sum_{k != i} exp(s_ik / t) ), in nats, averaged over all views.
    An encoder that maps all images to one point pays log(2N - 1).

    Small batches take one matrix and autograd, larger ones blocks: the same up to rounding.
    """

    kind: Literal["nt_xent"] = "nt_xent"

    temperature: float = Field(default=0.1, gt=0, allow_inf_nan=False)
    """Divides the similarities; 0.1 for ImageNet, 0.5 for CIFAR-10 (table 5, appendix B.9)."""

    normalise: bool = True
    """Cosine similarities; without, inner products of z as they are (table 5, "no l2 norm")."""

    multiple: Literal[1, 2] = 1
    """1 is algorithm 1's mean over 2N views; the official code adds both directions' means: 2."""

    def __call__(self, z_MD: Float[Tensor, "M D"]) -> Float[Tensor, ""]:
        # exp(1 / t) leaves half precision's range below t = 0.09: never logits in half.
        with torch.autocast(z_MD.device.type, enabled=False):
            u_MD = _unit(z_MD) if self.normalise else _wide(z_MD)
            if in_blocks_pays(u_MD):
                loss = nt_xent_in_blocks(u_MD, self.temperature, unit=self.normalise)
            else:
                logits_MM = (u_MD @ u_MD.T).div_(self.temperature).fill_diagonal_(-torch.inf)
                loss = F.cross_entropy(logits_MM, _partners(z_MD))
            return loss if self.multiple == 1 else self.multiple * loss


# A second member makes it a union: Annotated[NTXent | ..., Field(discriminator="kind")].
AnyLoss = NTXent


@torch.no_grad()
def contrastive_accuracy(z_MD: Float[Tensor, "M D"]) -> Float[Tensor, ""]:
    """The share of views whose partner is the most similar of the 2N - 1 others, 0 to 1.

    Guessing gives 1 / (2N - 1). The official code counts among the N views of the other side only.
    """
    with torch.autocast(z_MD.device.type, enabled=False):
        u_MD, partners_M = _unit(z_MD), _partners(z_MD)
        own_M = torch.arange(len(z_MD), device=z_MD.device)
        found = torch.zeros((), dtype=torch.int64, device=z_MD.device)
        for rows_I in own_M.split(max(1, _SIMILARITIES // len(z_MD))):
            s_IM = u_MD[rows_I] @ u_MD.T
            nearest_I = s_IM.scatter_(1, rows_I[:, None], -torch.inf).argmax(dim=1)
            found += (nearest_I == partners_M[rows_I]).sum()
        return found / len(z_MD)


def _unit(z_MD: Tensor) -> Tensor:
    return F.normalize(_wide(z_MD), dim=1)


def _wide(z_MD: Tensor) -> Tensor:
    return z_MD if z_MD.dtype == torch.float64 else z_MD.float()


def _partners(z_MD: Tensor) -> Tensor:
    return torch.arange(len(z_MD), device=z_MD.device).roll(len(z_MD) // 2)
