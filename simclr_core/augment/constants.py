"""Small tables on a device, copied there once: a copy from the host would interrupt a captured step."""

from functools import cache

import torch
from torch import Tensor


@cache
def constant(
    values: tuple[float | int | bool, ...], dtype: torch.dtype, device: torch.device
) -> Tensor:
    """The values as a tensor [len(values)] that is read and never written."""
    return torch.tensor(values, dtype=dtype, device=device)
