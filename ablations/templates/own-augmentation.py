"""An augmentation: a vertical grey stripe over half the images, at a random place."""

import torch


def stripes(images: torch.Tensor, uniform: torch.Tensor, width: float = 0.1) -> torch.Tensor:
    """Images [B, 3, S, S] in [0, 1] with a stripe of `width` x S pixels; uniform: two numbers each.

    The result for an image may depend only on this image and its own numbers.
    """
    side = images.shape[-1]
    wide = max(1, round(width * side))
    chosen, place = uniform.unbind(1)
    first = (place * (side - wide + 1)).floor()
    column = torch.arange(side, device=images.device)
    covered = (column >= first[:, None]) & (column < first[:, None] + wide)
    covered &= chosen[:, None] < 0.5
    return torch.where(covered[:, None, None, :], 0.5, images)
