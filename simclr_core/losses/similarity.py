"""Similarities between the views of a batch, and which of them belong to one image.

Shape suffixes: M = V N views (rows i, i + N, i + 2 N, ... show one image), D embedding, L labels.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor


def unit(z_MD: Float[Tensor, "M D"]) -> Float[Tensor, "M D"]:
    """Rows of length 1, at least fp32."""
    return F.normalize(wide(z_MD), dim=1)


def wide(z_MD: Float[Tensor, "M D"]) -> Float[Tensor, "M D"]:
    """The same numbers in at least fp32."""
    return z_MD if z_MD.dtype == torch.float64 else z_MD.float()


def partners(z_MD: Float[Tensor, "M D"]) -> Int64[Tensor, " M"]:
    """Each view's other view, of two: M / 2 further."""
    return torch.arange(len(z_MD), device=z_MD.device).roll(len(z_MD) // 2)


def images(num_rows: int, num_views: int, device: torch.device) -> Int64[Tensor, " M"]:
    """Which image each row shows, 0 to N - 1."""
    return torch.arange(num_rows // num_views, device=device).repeat(num_views)


def negatives(z_MD: Float[Tensor, "M D"], *, one_view: bool) -> Bool[Tensor, "M M"]:
    """Which columns are a row's negatives: views of other images, of the other side alone if `one_view`.

    Of two views: 2(N - 1) negatives a row, or N - 1.
    """
    num_rows = len(z_MD)
    row_M = torch.arange(num_rows, device=z_MD.device)
    image_M = row_M % (num_rows // 2)
    others_MM = image_M[:, None] != image_M
    if one_view:
        second_M = row_M >= num_rows // 2
        others_MM &= second_M[:, None] != second_M
    return others_MM
