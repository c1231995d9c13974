"""NT-Xent in blocks of pairs: the same value and gradient with memory O(M D) instead of O(M^2).

With unit rows u, s_ij = u_i . u_j / t and r_i = sum_{k != i} exp(s_ik), the loss is the mean over i
of log r_i - s_ip, p the partner of i. Its gradient needs the symmetric weights
w_ij = exp(s_ij) (1 / r_i + 1 / r_j):

    dL/du_i = ( sum_{j != i} w_ij u_j - 2 u_p ) / (M t)

Both passes therefore visit each pair of blocks once: 4 M^2 D multiplications in place of the 6 of
one matrix under autograd (1 + 1 for the similarities of both passes, 2 for the products).

In fp32 the positive's share is taken off a sum that contains it, so that blocks lose relative precision
where the loss nears 0: at losses of 1e-3 the gradient is within 1 % of float64's, at 1e-5 within 10 %,
below 1e-6 it is rounding alone; the value is within 1e-5 of the true one and can fall below 0 by as
much.

Which others a view is compared with (`Others`) changes which s_ij count and nothing else. With several
positives to a view, s_ip is their mean; equal groups make it a product with the group's sum.

Shape suffixes: M views, D embedding; I and J the views of two blocks; G groups.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement, product
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

_BLOCK = {"cpu": 768, "gpu": 4096}
"""Views in a block. On a CPU one block of similarities (2 MiB in fp32) stays in the cache. The
GPU's is unmeasured; it bounds the memory."""

_ONE_MATRIX = {"cpu": 256, "gpu": 8192}
"""Views up to which one matrix is as fast, or small enough."""

_BITS = 1 / math.log(2)
"""exp(s) = 2^(s / ln 2), and 2^x is the faster of the two (2.7 times, torch 2.15, AVX-512)."""

_BOUNDED = 43.5
"""Up to this 1 / t, exp(s) and its sums stay well within fp32 (exp(87) is 2^126), so that no
row needs a shift."""


def in_blocks_pays(u_MD: Tensor) -> bool:
    """Whether so many views are better visited in blocks."""
    return len(u_MD) > _ONE_MATRIX["cpu" if u_MD.is_cpu else "gpu"]


class Others(NamedTuple):
    """Which others are in each view's sum r_i."""

    one_view: bool = False
    """Only views of the other side, including the partner: N instead of 2N - 1."""

    decoupled: bool = False
    """Without the partner (Yeh et al. 2022, equation 6)."""

    def outside(self, rows: slice, columns: slice, num_views: int) -> list[int]:
        """The diagonals of this block, by torch's offset, whose entries do not count."""
        partner = num_views // 2
        offsets = [0, partner, -partner] if self.decoupled else [0]
        return [offset + rows.start - columns.start for offset in offsets]


def nt_xent_in_blocks(
    u_MD: Float[Tensor, "M D"],
    temperature: float,
    *,
    unit: bool = True,
    others: Others = Others(),  # noqa: B008 -- a value that never changes
    groups_M: Int64[Tensor, " M"] | None = None,
) -> Float[Tensor, ""]:
    """The mean loss in nats of rows whose partner stands M / 2 further; differentiable once.

    `unit` says that the rows have length 1, so that no similarity exceeds 1 / t. With `groups_M` a
    row's positives are all others of its group, and its loss is the mean over them.
    """
    bounded = unit and 1 / temperature < _BOUNDED
    loss: Tensor = _InBlocks.apply(u_MD, temperature, bounded, others, groups_M)  # pyright: ignore[reportAssignmentType]
    return loss


class _InBlocks(torch.autograd.Function):
    """Value and gradient together, since the second needs most of what the first computes."""

    @staticmethod
    def forward(
        ctx: Any,
        u_MD: Tensor,
        temperature: float,
        bounded: bool,  # noqa: FBT001 -- autograd's form
        others: Others,
        groups_M: Tensor | None,
    ) -> Tensor:
        pairs = _Pairs(u_MD.detach(), others, (_BITS if bounded else 1) / temperature)
        logsum_M = _sums(pairs).log_() if bounded else _log_sums(pairs)
        positives_MD = _positives(pairs.u_MD, groups_M)
        value = logsum_M.mean() - (pairs.u_MD * positives_MD).sum() / (len(u_MD) * temperature)
        if ctx.needs_input_grad[0]:
            gradient_MD = positives_MD.mul_(-2)
            for rows, columns, w_IJ in _weights(pairs, logsum_M, bounded=bounded):
                gradient_MD[rows].addmm_(w_IJ, pairs.u_MD[columns])
                if rows != columns:
                    gradient_MD[columns].addmm_(w_IJ.T, pairs.u_MD[rows])
            ctx.save_for_backward(gradient_MD.div_(len(u_MD) * temperature))
        return value

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None, None, None, None]:
        if torch.is_grad_enabled():  # create_graph: what was computed ahead has no derivative
            raise NotImplementedError(
                "NT-Xent in blocks can be differentiated only once; with fewer views it uses a "
                "single matrix, which can be differentiated twice"
            )
        [gradient_MD] = ctx.saved_tensors
        return gradient_MD * grad_outputs[0], None, None, None, None


def _positives(u_MD: Tensor, groups_M: Tensor | None) -> Tensor:
    """The mean over each row's positives: a copy."""
    if groups_M is None:
        return u_MD.roll(len(u_MD) // 2, dims=0)
    # Groups numbered in their order. There are at most M: their number is not read from the device.
    sorted_M, order_M = groups_M.sort()
    begins_M = sorted_M.diff(prepend=sorted_M[:1]) != 0
    place_M = torch.empty_like(order_M).scatter_(0, order_M, begins_M.cumsum(0))
    sums_MD = torch.zeros_like(u_MD).index_add_(0, place_M, u_MD)
    size_M = torch.zeros_like(place_M).index_add_(0, place_M, torch.ones_like(place_M))
    # A row alone in its group has no positive: it is pushed and not pulled.
    return (sums_MD[place_M] - u_MD).div_((size_M[place_M, None] - 1).clamp(min=1))


def _sums(pairs: "_Pairs") -> Tensor:
    """r_i of each row, from similarities in bits: no 2^s leaves the range of normal numbers."""
    sums_M = pairs.u_MD.new_zeros(len(pairs.u_MD))
    for rows, columns, s_IJ in pairs:
        e_IJ = s_IJ.exp2_()
        sums_M[rows] += e_IJ.sum(1)
        if rows != columns:
            sums_M[columns] += e_IJ.sum(0)
    return sums_M


def _log_sums(pairs: "_Pairs") -> Tensor:
    """Log r_i of each row, from similarities of any size."""
    logsum_M = pairs.u_MD.new_full((len(pairs.u_MD),), -torch.inf)
    for rows, columns, s_IJ in pairs:
        logsum_M[rows] = torch.logaddexp(logsum_M[rows], s_IJ.logsumexp(1))
        if rows != columns:
            logsum_M[columns] = torch.logaddexp(logsum_M[columns], s_IJ.logsumexp(0))
    return logsum_M


def _weights(
    pairs: "_Pairs", logsum_M: Tensor, *, bounded: bool
) -> Iterator[tuple[slice, slice, Tensor]]:
    """w_ij of each pair of blocks."""
    inverse_M = (-logsum_M).exp_()
    for rows, columns, s_IJ in pairs:
        if bounded:
            w_IJ = s_IJ.exp2_().mul_(inverse_M[rows, None] + inverse_M[columns])
        else:
            w_IJ = (s_IJ - logsum_M[rows, None]).exp_().add_(s_IJ.sub_(logsum_M[columns]).exp_())
        yield rows, columns, w_IJ


@dataclass(frozen=True)
class _Pairs:
    """Each pair of blocks once, with its similarities s_IJ; those that do not count are -inf.

    They stand in one place and are overwritten by the next pair's. Autocast leaves what is written
    to a given place in its own precision.
    """

    u_MD: Tensor
    others: Others
    scale: float
    """Multiplies the inner products: 1 / t, or in bits log2(e) / t."""

    def __iter__(self) -> Iterator[tuple[slice, slice, Tensor]]:
        num_views = len(self.u_MD)
        size = _BLOCK["cpu" if self.u_MD.is_cpu else "gpu"]
        first, second = num_views // 2, num_views
        if self.others.one_view:
            sides = product(_blocks(0, first, size), _blocks(first, second, size))
        else:
            sides = combinations_with_replacement(_blocks(0, second, size), 2)
        scaled_MD = self.u_MD * self.scale
        place = self.u_MD.new_empty(min(size, num_views) ** 2)
        for rows, columns in sides:
            shape = rows.stop - rows.start, columns.stop - columns.start
            s_IJ = place[: math.prod(shape)].view(shape)
            torch.mm(self.u_MD[rows], scaled_MD[columns].T, out=s_IJ)
            for offset in self.others.outside(rows, columns, num_views):
                if -len(s_IJ) < offset < s_IJ.shape[1]:
                    s_IJ.diagonal(offset).fill_(-torch.inf)
            yield rows, columns, s_IJ


def _blocks(start: int, end: int, size: int) -> list[slice]:
    return [slice(at, min(at + size, end)) for at in range(start, end, size)]
