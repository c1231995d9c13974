"""The views shown to a reader are those that the training run itself draws."""

import importlib
from typing import Any

import pytest
import torch
from made_trials import made_dataset, random_pictures, small_config, textures, trained

from simclr_core.augment.views import draw_views
from simclr_core.training.first_views import LARGEST, views_of_first_epoch


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 3},
        {"seed": 3, "seeds.views": 8},
        {"views": {"kind": "one_branch", "branch": [{"kind": "rotation"}]}},
        {"views.num_views": 3},
    ],
)
def test_they_are_those_of_the_first_epoch_to_the_bit(
    changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, dataset = small_config({**changes, "epochs": 1}), textures()
    drawn: dict[bytes, list[torch.Tensor]] = {}

    def noting(views: Any, images: Any, *others: Any, **named: Any) -> Any:
        made = draw_views(views, images, *others, **named)
        for at, image in enumerate(images):
            drawn[image.numpy().tobytes()] = [view[at].clone() for view in made]
        return made

    monkeypatch.setattr(importlib.import_module("simclr_core.training.step"), "draw_views", noting)
    trained({**changes, "epochs": 1}, dataset)

    shown = views_of_first_epoch(config, dataset)

    index = torch.arange(4) * 30  # of 120 training images
    images = dataset.pretraining_images()
    assert shown.shape[:2] == (1 + config.views.num_views, 4)
    squares = images.centre_squares(index, dataset.size)
    assert torch.equal(shown[0], (squares * 255).round().to(torch.uint8))
    found = 0
    for at, image in enumerate(images.batch(index).images):
        for view, training in zip(
            shown[1:, at], drawn.get(image.numpy().tobytes(), ()), strict=False
        ):
            assert torch.equal(view, (training * 255).round().clamp(0, 255).to(torch.uint8))
            found += 1
    assert found >= config.views.num_views  # an incomplete batch may have left an image out


def test_large_views_are_reduced_and_few_images_repeat() -> None:
    pictures = random_pictures(4, side=2 * LARGEST)
    dataset = made_dataset(pictures, [0, 1, 0, 1], num_train=3)

    shown = views_of_first_epoch(small_config(), dataset)

    assert shown.shape == (3, 4, 3, LARGEST, LARGEST)
    assert torch.equal(shown[0, 0], shown[0, 3])
    exact = dataset.pretraining_images().centre_squares(torch.tensor([0]), 2 * LARGEST)
    by_hand = exact.unfold(2, 2, 2).unfold(3, 2, 2).mean((-2, -1))[0]
    assert torch.allclose(shown[0, 0] / 255, by_hand, atol=0.6 / 255)
    assert dataset.reads == {}


def test_they_leave_the_global_generators_where_they_were() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)

    views_of_first_epoch(small_config(), textures())

    assert torch.equal(torch.rand(3), expected)
