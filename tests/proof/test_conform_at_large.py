"""torchvision's transforms, image by image and by the batch, before all laws of the views."""

import pytest
import torch
import torchvision.transforms.v2 as published
from torch import Tensor

from simclr_core.conformance.api import examine_views
from simclr_core.conformance.checks import Finding

pytestmark = pytest.mark.proof

WHOLE = published.Compose(
    [
        published.RandomResizedCrop(24, antialias=True),
        published.RandomHorizontalFlip(),
        published.RandomApply([published.ColorJitter(0.8, 0.8, 0.8, 0.2)], 0.8),
        published.RandomGrayscale(0.2),
        published.RandomApply([published.GaussianBlur(3)], 0.5),
    ]
)


def image_by_image(images: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(seed)
    x = images.float() / 255
    first, second = (torch.stack([WHOLE(image) for image in x]) for _ in range(2))
    return first, second


def by_the_batch(images: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(seed)
    x = images.float() / 255
    return WHOLE(x), WHOLE(x)


def failing(found: tuple[Finding, ...]) -> set[str]:
    return {one.law for one in found if one.verdict == "fails"}


@pytest.mark.statistical
def test_torchvisions_transforms_image_by_image_keep_every_law() -> None:
    # Each of the two shares is rejected once in 10^6; the seeds are fixed.
    found = examine_views(image_by_image)

    assert failing(found) == set()
    assert "different views on its own and in a batch" in found[-1].text


def test_the_same_transforms_on_a_batch_share_crop_jitter_and_grey_and_nothing_else_is_wrong() -> (
    None
):
    assert failing(examine_views(by_the_batch)) == {
        "each image has its own crop",
        "each image has its own colours",
        "a fifth of the views are grey",
    }
