"""NT-Xent in blocks of pairs: the same value and gradient with memory O(M D) in place of O(M^2).

With unit rows u, s_ij = u_i . u_j / t and r_i = sum_{k != i} exp(s_ik), the loss is the mean over i
of log r_i - s_ip, p the partner of i. Its gradient needs the symmetric weights
w_ij = exp(s_ij) (1 / r_i + 1 / r_j):

    dL/du_i = ( sum_{j != i} w_ij u_j - 2 u_p ) / (M t)

Both passes therefore visit each pair of blocks once: 4 M^2 D multiplications in place of the 6 of
one matrix under autograd (1 + 1 for the similarities of both passes, 2 for the products).

Whom a view is told from (`Others`) changes which s_ij count and nothing else. With several
positives to a view, s_ip is their mean; equal groups make it a product with the group's sum.

Shape suffixes: M views, D embedding; I and J the views of two blocks; G groups.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement, product
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

_BLOCKS = {"cpu": (512, 1024), "gpu": (4096, 4096)}
"""Views in a block up to 8,192 views and above. On a CPU one block of similarities (1 or 4 MiB in
fp32) stays in the cache: 1.9 times faster than one matrix at 2,048 views, 6 times at 16,384 (128
numbers each, two threads of EPYC, torch 2.15). The GPU's is unmeasured; it bounds the memory."""

_ONE_MATRIX = {"cpu": 512, "gpu": 8192}
"""Views up to which one matrix is as fast, or small enough."""

_CONSTANT_SHIFT = 87.0
"""exp(-87) is the smallest normal number of fp32; similarities span 2 / t."""


def in_blocks_pays(u_MD: Tensor) -> bool:
    """Whether so many views are better visited in blocks."""
    return len(u_MD) > _ONE_MATRIX["cpu" if u_MD.is_cpu else "gpu"]


class Others(NamedTuple):
    """Whom each view is told from: the others in the sum r_i."""

    one_view: bool = False
    """Only views of the other side, the partner among them: N in place of 2N - 1."""

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
    bounded = unit and 2 / temperature < _CONSTANT_SHIFT
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
        scaled_MD = u_MD.detach() / temperature
        pairs = _Pairs(u_MD.detach(), scaled_MD, others)
        logsum_M = _log_sums(pairs, temperature, bounded=bounded)
        positives_MD = _positives(scaled_MD, groups_M)
        value = (logsum_M.sum() - (u_MD * positives_MD).sum()) / len(u_MD)
        if ctx.needs_input_grad[0]:
            gradient_MD = positives_MD.mul_(-2)
            _add_gradient(gradient_MD, pairs, logsum_M, temperature, bounded=bounded)
            ctx.save_for_backward(gradient_MD.div_(len(u_MD)))
        return value

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None, None, None, None]:
        [gradient_MD] = ctx.saved_tensors
        return gradient_MD * grad_outputs[0], None, None, None, None


def _positives(scaled_MD: Tensor, groups_M: Tensor | None) -> Tensor:
    """The mean over each row's positives, divided by t: a copy."""
    if groups_M is None:
        return scaled_MD.roll(len(scaled_MD) // 2, dims=0)
    _, place_M, size_G = groups_M.unique(return_inverse=True, return_counts=True)
    sums_GD = scaled_MD.new_zeros(len(size_G), scaled_MD.shape[1])
    sums_GD.index_add_(0, place_M, scaled_MD)
    # A row alone in its group has no positive: it is pushed and not pulled.
    return (sums_GD[place_M] - scaled_MD).div_((size_G[place_M, None] - 1).clamp(min=1))


def _log_sums(pairs: "_Pairs", temperature: float, *, bounded: bool) -> Tensor:
    """Log r_i of each row."""
    num_views = len(pairs.u_MD)
    if bounded:
        # No s exceeds 1 / t, and none lies so far below it that exp would leave the range.
        sums_M = pairs.u_MD.new_zeros(num_views)
        for rows, columns, s_IJ in pairs:
            e_IJ = s_IJ.sub_(1 / temperature).exp_()
            sums_M[rows] += e_IJ.sum(1)
            if rows != columns:
                sums_M[columns] += e_IJ.sum(0)
        return sums_M.log_().add_(1 / temperature)
    logsum_M = pairs.u_MD.new_full((num_views,), -torch.inf)
    for rows, columns, s_IJ in pairs:
        logsum_M[rows] = torch.logaddexp(logsum_M[rows], s_IJ.logsumexp(1))
        if rows != columns:
            logsum_M[columns] = torch.logaddexp(logsum_M[columns], s_IJ.logsumexp(0))
    return logsum_M


def _add_gradient(
    gradient_MD: Tensor, pairs: "_Pairs", logsum_M: Tensor, temperature: float, *, bounded: bool
) -> None:
    """Adds sum_j w_ij u_j / t to each row."""
    scaled_MD = pairs.scaled_MD
    inverse_M = (1 / temperature - logsum_M).exp_()  # 1 / r_i, shifted as below
    for rows, columns, s_IJ in pairs:
        if bounded:
            w_IJ = s_IJ.sub_(1 / temperature).exp_()
            w_IJ.mul_(inverse_M[rows, None] + inverse_M[columns])
        else:
            w_IJ = (s_IJ - logsum_M[rows, None]).exp_().add_(s_IJ.sub_(logsum_M[columns]).exp_())
        gradient_MD[rows].addmm_(w_IJ, scaled_MD[columns])
        if rows != columns:
            gradient_MD[columns].addmm_(w_IJ.T, scaled_MD[rows])


@dataclass(frozen=True)
class _Pairs:
    """Each pair of blocks once, with its similarities s_IJ; those that do not count are -inf."""

    u_MD: Tensor
    scaled_MD: Tensor
    others: Others

    def __iter__(self) -> Iterator[tuple[slice, slice, Tensor]]:
        num_views = len(self.u_MD)
        size = _BLOCKS["cpu" if self.u_MD.is_cpu else "gpu"][num_views > 8192]
        first, second = num_views // 2, num_views
        if self.others.one_view:
            sides = product(_blocks(0, first, size), _blocks(first, second, size))
        else:
            sides = combinations_with_replacement(_blocks(0, second, size), 2)
        for rows, columns in sides:
            s_IJ = self.u_MD[rows] @ self.scaled_MD[columns].T
            for offset in self.others.outside(rows, columns, num_views):
                if -len(s_IJ) < offset < s_IJ.shape[1]:
                    s_IJ.diagonal(offset).fill_(-torch.inf)
            yield rows, columns, s_IJ


def _blocks(start: int, end: int, size: int) -> list[slice]:
    return [slice(at, min(at + size, end)) for at in range(start, end, size)]
