"""A forward pass on tensors with shapes and no numbers: its operations, and what autograd keeps of it.

torch's own counters find the same numbers. But on such tensors torch computes batch norm and means by
programs in Python, and the first one imports its compiler: together nine tenths of the time.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

_UNCOUNTED: frozenset[Any] = frozenset({F.batch_norm, F.layer_norm, F.gelu})
"""Their output has the shape of their first argument."""


class Operations(TorchFunctionMode):
    """Counts convolutions and matrix products; norms and activations are passed over.

    Each has, in the backward pass, one of its size for every factor that needs a gradient.
    """

    def __init__(self) -> None:
        super().__init__()
        self.forward = 0
        self.backward = 0

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """The output of a function, or what has its shape."""
        if func in _UNCOUNTED:
            return args[0]
        if func is F.scaled_dot_product_attention:
            q = args[0]
            scores = 2 * q.numel() * q.shape[-2]
            self._add(2 * scores, factors=2)
            return q
        out = _plain(func, args, kwargs)
        if func in (F.conv2d, F.linear):
            x, weight = args[:2]
            count = 2 * out.numel() * weight[0].numel()
            self._add(count, factors=x.requires_grad + weight.requires_grad)
        return out

    def _add(self, count: int, *, factors: int) -> None:
        self.forward += count
        self.backward += factors * count


class KeptByBatchNorm(TorchFunctionMode):
    """Batch norm that computes nothing and keeps for its backward pass what torch's keeps."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """The output of a function, or what has its shape."""
        if func is F.batch_norm:
            return _BatchNorm.apply(*args[:3], (kwargs or {})["weight"])
        return _plain(func, args, kwargs)


class _BatchNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, *of_channels: Tensor | None) -> Tensor:
        moments = x.new_empty(2, x.shape[1])
        ctx.save_for_backward(x, *of_channels, moments)
        return x.new_empty(x.shape)


def _plain(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any] | None
) -> Any:
    # A sum has the shape of the mean, and keeps as little.
    return (Tensor.sum if func is Tensor.mean else func)(*args, **(kwargs or {}))
