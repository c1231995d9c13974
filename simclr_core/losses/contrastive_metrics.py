"""How well views find their partners among the N views of the other side, as defined for table 5.

Shape suffixes: M = 2N views (i and i + N show one image; of more than two views an image the first
two are taken), N images, D embedding; I some rows.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from simclr_core.losses.similarity import unit, wide

_SIMILARITIES = 1 << 24
"""Numbers held at a time: 64 MiB."""


@torch.no_grad()
def contrastive_accuracy(
    z_MD: Float[Tensor, "M D"], num_views: int = 2, *, normalise: bool = True
) -> Float[Tensor, ""]:
    """The share of first views whose partner is the most similar of the N second views, 0 to 1.

    By cosine similarity, or by inner products where the loss takes z as it is. Guessing gives 1 / N.
    """
    with torch.autocast(z_MD.device.type, enabled=False):
        found = torch.zeros((), dtype=torch.int64, device=z_MD.device)
        for own_I, s_IN in _rows(unit(z_MD) if normalise else wide(z_MD), num_views):
            found += (s_IN.argmax(dim=1) == own_I).sum()
        return found / (len(z_MD) // num_views)


@torch.no_grad()
def contrastive_entropy(
    z_MD: Float[Tensor, "M D"], temperature: float, num_views: int = 2, *, normalise: bool = True
) -> Float[Tensor, ""]:
    """The entropy of a first view's distribution over the N second views, in nats, on average.

    0 if each view is certain, log N if all views look the same to it.
    """
    with torch.autocast(z_MD.device.type, enabled=False):
        total = torch.zeros((), device=z_MD.device)
        for _, s_IN in _rows(unit(z_MD) if normalise else wide(z_MD), num_views):
            log_p_IN = s_IN.div_(temperature).log_softmax(dim=1)
            total -= (log_p_IN.exp() * log_p_IN).sum()
        return total / (len(z_MD) // num_views)


def pairing_metrics(
    z_MD: Float[Tensor, "M D"],
    num_views: int,
    temperature: float | None = None,
    *,
    normalise: bool = True,
) -> dict[str, Tensor]:
    """Table 5's metrics: accuracy, and the entropy at a temperature, where the loss has one.

    They are numbers on the embeddings' device.
    """
    found = {"contrastive_accuracy": contrastive_accuracy(z_MD, num_views, normalise=normalise)}
    if temperature is not None:
        entropy = contrastive_entropy(z_MD, temperature, num_views, normalise=normalise)
        found["contrastive_entropy"] = entropy
    return found


def _rows(u_MD: Tensor, num_views: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Some first views at a time, with their similarities to all second views."""
    first_ND, second_ND, *_ = u_MD.chunk(num_views)
    own_N = torch.arange(len(first_ND), device=u_MD.device)
    for own_I in own_N.split(max(1, _SIMILARITIES // len(first_ND))):
        yield own_I, first_ND[own_I] @ second_ND.T
