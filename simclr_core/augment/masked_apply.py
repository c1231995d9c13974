"""Changing some images of a batch, stored as colour planes.

Letters: B images, M of them chosen.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

_PICKED_ON = ("cpu",)
"""Devices whose numbers the host can read without waiting."""


def changed_where(
    planes: Float[Tensor, "3 B S S"],
    chosen: Bool[Tensor, " B"],
    change: Callable[..., Tensor],
    *params: Tensor,
) -> Float[Tensor, "3 B S S"]:
    """The images with the chosen ones changed and the others bit for bit as they were.

    ``change(planes, *params)`` gets a copy of the planes, [3, M, S, S] and contiguous, which it may
    overwrite. On the CPU it gets only the chosen images; elsewhere it gets all of them, since selecting
    would make the host wait for the device.
    """
    if planes.device.type not in _PICKED_ON:
        changed = change(planes.clone(memory_format=torch.contiguous_format), *params)
        return torch.where(chosen[:, None, None], changed, planes)
    index_M = chosen.nonzero().squeeze(1)
    if not len(index_M):
        return planes
    if len(index_M) == len(chosen):
        return change(planes.clone(memory_format=torch.contiguous_format), *params)
    changed = change(planes.index_select(1, index_M), *(each[index_M] for each in params))
    # cat and index_select copy images whole; index_copy_ takes three times as long (torch 2.15).
    source_B = torch.arange(len(chosen))
    source_B[index_M] = torch.arange(len(chosen), len(chosen) + len(index_M))
    return torch.cat([planes, changed], dim=1).index_select(1, source_B)
