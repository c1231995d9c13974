"""Blur against torchvision's, Sobel against scipy's."""

import numpy as np
import pytest
import scipy.ndimage
import torch
import torchvision.transforms.functional as TF
from made_images import FALSE_ALARM, GREY_LEVEL, made_images, params_of, square_shapes
from scipy import stats

from simclr_core.augment.blur_sobel import Blur, BlurParams, Sobel, kernel_size
from simclr_core.chance import Chance


@pytest.mark.parametrize(("size", "taps"), [(8, 3), (32, 3), (64, 7), (96, 9), (224, 23)])
def test_a_blur_is_torchvisions_gaussian_blur_with_the_official_kernel(
    size: int, taps: int
) -> None:
    blur = Blur()
    images, params = made_images(12, size), params_of(blur, 12, size)

    blurred = blur.apply(images, params)

    assert kernel_size(size) == taps
    assert bool(params.blurred.any())
    for image, before, chosen, sigma in zip(blurred, images, *params, strict=True):
        if chosen:
            expected = TF.gaussian_blur(before, [taps, taps], [float(sigma)] * 2)
            assert float((image - expected).abs().max()) < 0.001 * GREY_LEVEL
        else:
            assert torch.equal(image, before)


@pytest.mark.statistical
def test_blur_chooses_half_the_images_and_spreads_sigma_evenly() -> None:
    params = params_of(Blur(), 20_000, 32)

    assert stats.binomtest(int(params.blurred.sum()), 20_000, 0.5).pvalue > FALSE_ALARM / 3
    uniform = stats.uniform(0.1, 1.9).cdf
    assert stats.kstest(params.sigma.numpy(), uniform).pvalue > FALSE_ALARM / 3
    both = stats.ks_2samp(
        params.sigma[params.blurred].numpy(), params.sigma[~params.blurred].numpy()
    )
    assert both.pvalue > FALSE_ALARM / 3


def test_a_sigma_drawn_per_batch_is_the_first_images_and_each_image_keeps_its_choice() -> None:
    each, one = (params_of(Blur(sigma_drawn=how), 50, 32) for how in ("per_image", "per_batch"))

    assert len(set(each.sigma.tolist())) == 50
    assert one.sigma.tolist() == [each.sigma[0].item()] * 50
    assert torch.equal(one.blurred, each.blurred)
    for image in range(3):
        draws = Chance.of(0, 0, torch.tensor([image, 9])).at("first", "blur")
        both = Blur(sigma_drawn="per_batch").draw(draws, square_shapes(2, 32)).sigma
        assert both.tolist() == [each.sigma[image].item()] * 2


def test_an_image_too_small_to_mirror_is_refused_in_words() -> None:
    params = BlurParams(torch.tensor([True]), torch.tensor([1.0]))

    with pytest.raises(
        ValueError,
        match=r"^a blur mirrors 1 px at the border, so images must be larger than that, got 1",
    ):
        Blur().apply(torch.rand(1, 3, 1, 1), params)


def test_sobel_is_scipys_with_a_mirrored_border() -> None:
    images = made_images(5, 32)

    edges = Sobel().apply(images, params_of(Sobel(), 5, 32))

    for plane, before in zip(edges.flatten(0, 1), images.flatten(0, 1).double(), strict=True):
        along_y, along_x = (
            scipy.ndimage.sobel(before.numpy(), axis=axis, mode="mirror") for axis in (0, 1)
        )
        expected = np.minimum(np.hypot(along_y, along_x) / 4, 1)
        assert np.abs(plane.numpy() - expected).max() < 1e-6


def test_sobel_gives_one_on_a_full_step_and_nothing_on_a_flat_colour() -> None:
    image = torch.zeros(1, 3, 8, 8)
    image[..., 4:] = 1

    edges = Sobel().apply(image, params_of(Sobel(), 1, 8))

    assert edges[0, 0, 3].tolist() == [0, 0, 0, 1, 1, 0, 0, 0]
