"""NT-Xent in blocks of pairs: the same value and gradient with memory O(M D) in place of O(M^2).

With unit rows u, s_ij = u_i . u_j / t and r_i = sum_{k != i} exp(s_ik), the loss is the mean over i
of log r_i - s_ip, p the partner of i. Its gradient needs the symmetric weights
w_ij = exp(s_ij) (1 / r_i + 1 / r_j):

    dL/du_i = ( sum_{j != i} w_ij u_j - 2 u_p ) / (M t)

Both passes therefore visit each pair of blocks once: 4 M^2 D multiplications in place of the 6 of
one matrix under autograd (1 + 1 for the similarities of both passes, 2 for the products).

Shape suffixes: M views, D embedding; I and J the views of two blocks.
"""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
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


def nt_xent_in_blocks(
    u_MD: Float[Tensor, "M D"], temperature: float, *, unit: bool = True
) -> Float[Tensor, ""]:
    """The mean loss in nats of rows whose partner stands M / 2 further; differentiable once.

    `unit` says that the rows have length 1, so that no similarity exceeds 1 / t.
    """
    bounded = unit and 2 / temperature < _CONSTANT_SHIFT
    loss: Tensor = _InBlocks.apply(u_MD, temperature, bounded)  # pyright: ignore[reportAssignmentType]
    return loss


class _InBlocks(torch.autograd.Function):
    """Value and gradient together, since the second needs most of what the first computes."""

    @staticmethod
    def forward(ctx: Any, u_MD: Tensor, temperature: float, bounded: bool) -> Tensor:  # noqa: FBT001 -- autograd's form
        scaled_MD = u_MD.detach() / temperature
        logsum_M = _log_sums(u_MD, scaled_MD, temperature, bounded=bounded)
        half = len(u_MD) // 2
        positives = 2 * (u_MD[:half] * scaled_MD[half:]).sum()
        if ctx.needs_input_grad[0]:
            gradient_MD = _gradient(u_MD, scaled_MD, logsum_M, temperature, bounded=bounded)
            ctx.save_for_backward(gradient_MD)
        return (logsum_M.sum() - positives) / len(u_MD)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None, None]:
        [gradient_MD] = ctx.saved_tensors
        return gradient_MD * grad_outputs[0], None, None


def _log_sums(u_MD: Tensor, scaled_MD: Tensor, temperature: float, *, bounded: bool) -> Tensor:
    """Log r_i of each row."""
    if bounded:
        # No s exceeds 1 / t, and none lies so far below it that exp would leave the range.
        sums_M = u_MD.new_zeros(len(u_MD))
        for rows, columns, s_IJ in _pairs(u_MD, scaled_MD):
            e_IJ = s_IJ.sub_(1 / temperature).exp_()
            sums_M[rows] += e_IJ.sum(1)
            if rows != columns:
                sums_M[columns] += e_IJ.sum(0)
        return sums_M.log_().add_(1 / temperature)
    logsum_M = u_MD.new_full((len(u_MD),), -torch.inf)
    for rows, columns, s_IJ in _pairs(u_MD, scaled_MD):
        logsum_M[rows] = torch.logaddexp(logsum_M[rows], s_IJ.logsumexp(1))
        if rows != columns:
            logsum_M[columns] = torch.logaddexp(logsum_M[columns], s_IJ.logsumexp(0))
    return logsum_M


def _gradient(
    u_MD: Tensor, scaled_MD: Tensor, logsum_M: Tensor, temperature: float, *, bounded: bool
) -> Tensor:
    """dL/du_i for all rows."""
    gradient_MD = scaled_MD.roll(len(u_MD) // 2, dims=0).mul_(-2)
    inverse_M = (1 / temperature - logsum_M).exp_()  # 1 / r_i, shifted as below
    for rows, columns, s_IJ in _pairs(u_MD, scaled_MD):
        if bounded:
            w_IJ = s_IJ.sub_(1 / temperature).exp_()
            w_IJ.mul_(inverse_M[rows, None] + inverse_M[columns])
        else:
            w_IJ = (s_IJ - logsum_M[rows, None]).exp_().add_(s_IJ.sub_(logsum_M[columns]).exp_())
        gradient_MD[rows].addmm_(w_IJ, scaled_MD[columns])
        if rows != columns:
            gradient_MD[columns].addmm_(w_IJ.T, scaled_MD[rows])
    return gradient_MD.div_(len(u_MD))


def _pairs(u_MD: Tensor, scaled_MD: Tensor) -> Iterator[tuple[slice, slice, Tensor]]:
    """Each pair of blocks once, with its similarities s_IJ; those of a view with itself are -inf."""
    size = _BLOCKS["cpu" if u_MD.is_cpu else "gpu"][len(u_MD) > 8192]
    blocks = [slice(start, start + size) for start in range(0, len(u_MD), size)]
    for place, rows in enumerate(blocks):
        for columns in blocks[place:]:
            s_IJ = u_MD[rows] @ scaled_MD[columns].T
            if rows == columns:
                s_IJ.fill_diagonal_(-torch.inf)
            yield rows, columns, s_IJ
