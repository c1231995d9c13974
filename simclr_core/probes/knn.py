"""Weighted nearest neighbours on frozen features: a probe that fits nothing.

Shape suffixes: n images that vote, m images asked about, d features, C classes.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from simclr_core.base import Frozen

_SIMILARITIES = 1 << 24
"""Numbers held at a time: 64 MiB."""


class Knn(Frozen):
    """The k most similar training images vote, each with weight exp(cosine similarity / t).

    As in Wu et al. 2018; equal votes go to the smaller class number.
    """

    k: int = Field(default=200, ge=1)
    """Voters; all training images if there are fewer."""

    temperature: float = Field(default=0.1, gt=0, allow_inf_nan=False)
    """Divides the similarities before the exponential."""

    def scores(
        self,
        bank_nd: Float[Tensor, "n d"],
        labels_n: Int[Tensor, " n"],
        queries_md: Float[Tensor, "m d"],
        num_classes: int,
    ) -> Float[Tensor, "m C"]:
        """The votes for each class, relative to the most similar image's; the highest wins."""
        bank_nd = F.normalize(bank_nd, dim=1)
        labels_n = labels_n.to(bank_nd.device)
        k = min(self.k, len(bank_nd))
        parts: list[Tensor] = []
        for queries in F.normalize(queries_md, dim=1).split(max(1, _SIMILARITIES // len(bank_nd))):
            nearest = (queries @ bank_nd.T).topk(k, dim=1)
            # Relative to the first, so that the exponential stays in range at any temperature.
            weights = ((nearest.values - nearest.values[:, :1]) / self.temperature).exp().double()
            votes = weights.new_zeros(len(queries), num_classes)
            parts.append(votes.scatter_add_(1, labels_n[nearest.indices], weights))
        return torch.cat(parts)
