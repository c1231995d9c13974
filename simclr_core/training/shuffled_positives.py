"""False positives: the pairing of the negative control.

Shape suffixes: M = V N views (rows i, i + N, ... show one image), D embedding.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from simclr_core.seeds import generator


def another(num_images: int, seed: int, step: int, apart: int = 1) -> Int64[Tensor, " N"]:
    """For each image of a batch another one, each taken once: `apart` further along one cycle.

    The cycle through all N images is drawn for each step from a stream of its own. No image is its
    own where N does not divide `apart`.
    """
    order = torch.randperm(num_images, generator=generator(seed, "wrong positives", step))
    others = torch.empty_like(order)
    others[order] = order.roll(apart)
    return others


def with_wrong_positives(
    z_MD: Float[Tensor, "M D"], partners_VN: Int64[Tensor, "V N"]
) -> Float[Tensor, "M D"]:
    """The views with each image's second (third, ...) exchanged for that of another image.

    Row v of `partners_VN` is `another` with v apart: no two rows of one place show one image, and
    each view is taken once. All else of the step, the negatives too, is as it was: an image's own
    second view is now among them.
    """
    views = z_MD.chunk(len(partners_VN))
    return torch.cat([view[others] for view, others in zip(views, partners_VN, strict=True)])
