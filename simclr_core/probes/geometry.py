"""Measures of a representation that need no labels: alignment, uniformity, effective rank.

Shape suffixes: n images, d features, k = min(n, d) singular values.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from simclr_core.augment import AnyViews, Symmetric, draw_views
from simclr_core.base import Frozen
from simclr_core.chance import Chance
from simclr_core.data import Images

_PRODUCTS = 1 << 22
"""Numbers held at a time: 32 MiB."""


class Geometry(Frozen):
    """How the features h lie on the sphere (Wang and Isola 2020), and how many directions they use.

    Values alignment, uniformity and effective_rank, of the part on which all is measured. The first
    two are losses: lower is better; none of them is in per cent.
    """

    views: AnyViews = Symmetric()
    """The views of a positive pair, drawn with seed 0 in every trial. They are not those of
    pre-training unless you state these here, so that arms with different views are measured in the
    same way."""

    alpha: float = Field(default=2.0, gt=0, allow_inf_nan=False)
    """The power of the distance in alignment."""

    t: float = Field(default=2.0, gt=0, allow_inf_nan=False)
    """The width of the kernel in uniformity."""

    def two_views(self, images: Images, index: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """The positive pairs of the images at `index` [B]: float32 [B, 3, size, size] each.

        Of more than two views the first two.
        """
        whole, shapes = images.batch(index)
        first, second, *_ = draw_views(self.views, whole, shapes, Chance.of(0, 0, index), size)
        return first, second


def alignment(x_nd: Float[Tensor, "n d"], y_nd: Float[Tensor, "n d"], alpha: float = 2.0) -> float:
    """The mean of |u - v|^alpha over positive pairs of unit vectors: 0 if views coincide, to 2^alpha.

    Wang and Isola 2020, L_align. Rows of equal place are a pair; they are normalised here.
    """
    distances_n = (_unit(x_nd) - _unit(y_nd)).norm(dim=1)
    return float(distances_n.pow(alpha).mean())


def uniformity(x_nd: Float[Tensor, "n d"], t: float = 2.0) -> float:
    """The logarithm of the mean of exp(-t |u - v|^2) over pairs of different images: -4t to 0.

    Wang and Isola 2020, L_uniform, in the form of their published code: an image is no pair with
    itself. Rows are normalised here. 0 where all lie on one point; of fewer than two images NaN.
    """
    num = len(x_nd)
    if num < 2:
        return math.nan
    u_nd = _unit(x_nd)
    rows, total = max(1, _PRODUCTS // num), 0.0
    for start in range(0, num, rows):
        block = u_nd[start : start + rows]
        # |u - v|^2 = |u|^2 + |v|^2 - 2 u.v; a dead image's row is 0 and not of length 1.
        squares = block.square().sum(1)[:, None] + u_nd.square().sum(1)
        kernel = (squares - 2 * block @ u_nd.T).clamp_min(0).mul(-t).exp()
        own = torch.arange(len(block))
        kernel[own, start + own] = 0.0
        total += float(kernel.sum())
    return math.log(total / (num * (num - 1))) if total else -math.inf


def effective_rank(x_nd: Float[Tensor, "n d"]) -> float:
    """The exponential of the entropy of the singular values over their sum, from 1 to min(n, d).

    Roy and Vetterli 2007, definition 1. The matrix is taken as it is, neither centred nor
    normalised: k equal singular values give k, one direction alone gives 1. Of a matrix of zeros,
    which has no direction, NaN.
    """
    values_k = torch.linalg.svdvals(x_nd.double())
    total = float(values_k.sum())
    if not total:
        return math.nan
    p_k = values_k / total
    return math.exp(float(torch.special.entr(p_k).sum()))


def _unit(x_nd: Tensor) -> Tensor:
    return F.normalize(x_nd.double(), dim=1)
