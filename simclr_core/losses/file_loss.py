"""A loss from a user's file."""

from typing import Any

import torch
from torch import Tensor, nn

from simclr_core.losses.contract import Loss
from simclr_core.losses.similarity import wide
from simclr_core.plugins import FromFile, shape_text


class FileLoss(FromFile, Loss):
    """A custom loss: ``loss(z_MD, **options) -> scalar``, to be minimised.

    z is float32 at any precision; rows i and i + M / 2 show one image. It has no trainable weights.
    """

    def __call__(self, z_MD: Tensor) -> Tensor:
        with torch.autocast(z_MD.device.type, enabled=False):
            z_MD = wide(z_MD)
            function = self.function
            if isinstance(function, nn.Module):
                if next(function.parameters(), None) is not None:
                    raise self.refused("must not have weights, since nothing would train them")
                function.to(z_MD.device)
            with self.blamed():
                loss: Any = function(z_MD)
        if not isinstance(loss, Tensor):
            raise self.refused(
                f"must return a tensor with a single number, got {type(loss).__name__}"
            )
        if loss.shape != () or not loss.is_floating_point():
            raise self.refused(
                f"must return a tensor with a single number, got {shape_text(loss)}; return its "
                "mean"
            )
        if z_MD.requires_grad and torch.is_grad_enabled() and not loss.requires_grad:
            raise self.refused(
                "must return a number that depends on z through differentiable operations"
            )
        return loss
