"""The laws of the views: right ones keep them, and each mistake is named with what shows it."""

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torchvision.transforms.v2 as published
from torch import Tensor

from simclr_core.augment.operations import AnyOperation, Blur, Colour, Crop
from simclr_core.augment.views import Symmetric, draw_views
from simclr_core.chance import Chance
from simclr_core.conformance.api import examine_views
from simclr_core.conformance.checks import Finding, examined
from simclr_core.conformance.view_checks import VIEW_LAWS, Subject

Views = Callable[[Tensor, int], tuple[Tensor, Tensor]]

SIZE = 24
CROP = published.RandomResizedCrop(SIZE, antialias=True)
JITTER = published.RandomApply([published.ColorJitter(0.8, 0.8, 0.8, 0.2)], 0.8)
GREY = published.RandomGrayscale(0.2)


def ours(*operations: AnyOperation) -> Views:
    """The product's own views, which are held against torchvision's elsewhere."""

    def views(images: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        shapes = torch.full((len(images), 2), images.shape[-1])
        chance = Chance.of(seed, 0, torch.arange(len(images)))
        return draw_views(Symmetric(operations=operations), images, shapes, chance, SIZE)

    return views


FULL = ours(Crop(), Colour(), Blur())


def seeded(make: Callable[[Tensor], Tensor]) -> Views:
    """Both views from floats in [0, 1] by torch's global generator, set by the seed."""

    def views(images: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        torch.manual_seed(seed)
        x = images.float() / 255
        return make(x), make(x)

    return views


def each(transform: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    return torch.stack([transform(image) for image in x])


def changed(change: Callable[[Tensor], Any], views: Views = FULL) -> Views:
    """Something done to both of right views."""

    def other(images: Tensor, seed: int) -> tuple[Any, Any]:
        first, second = views(images, seed)
        return change(first), change(second)

    return other


def in_place(images: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    both = FULL(images, seed)
    images.zero_()
    return both


def shuffled(images: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    first, second = FULL(images, seed)
    return first, second[torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))]


def unseeded(images: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    del seed
    return FULL(images, random.randrange(10**6))


def one_crop_for_both(images: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(seed)
    x = each(CROP, images.float() / 255)
    return each(JITTER, x), each(JITTER, x)


NORMALISE = published.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))

BROKEN: dict[str, tuple[Views, str, str]] = {
    "no two views": (
        lambda images, seed: FULL(images, seed)[0],  # type: ignore[return-value]
        "the result is two float batches [N, 3, s, s]",
        "returns Tensor instead of two views on uint8 [1, 3, 32, 32], seed 0",
    ),
    "bytes": (
        changed(lambda x: (255 * x).to(torch.uint8)),
        "the result is two float batches [N, 3, s, s]",
        "returns torch.uint8 as first view on uint8 [1, 3, 32, 32], seed 0, but floats are expected",
    ),
    "arrays": (
        changed(lambda x: x.numpy()),
        "the result is two float batches [N, 3, s, s]",
        "returns ndarray as first view on uint8 [1, 3, 32, 32], seed 0, but floats are expected",
    ),
    "channels last": (
        changed(lambda x: x.permute(0, 2, 3, 1)),
        "the result is two float batches [N, 3, s, s]",
        (
            "returns [1, 24, 24, 3] as first view on uint8 [1, 3, 32, 32], seed 0, but [1, 3, s, s] "
            "is expected"
        ),
    ),
    "two sizes": (
        lambda images, seed: (FULL(images, seed)[0], FULL(images, seed)[1][..., :16, :16]),
        "the result is two float batches [N, 3, s, s]",
        "returns views of 24 and 16 px on uint8 [1, 3, 32, 32], seed 0",
    ),
    "no numbers": (
        changed(lambda x: x / 0 - x / 0),
        "the result is two float batches [N, 3, s, s]",
        "not finite numbers",
    ),
    "in place": (in_place, "the input images are not changed", "are changed in place"),
    "normalised": (
        changed(NORMALISE),
        "pixels stay in [0, 1]",
        "a black image, seed 0: -2.118 to -1.804: ImageNet's mean and standard deviation are still applied",
    ),
    "to 255": (changed(lambda x: 255 * x), "pixels stay in [0, 1]", "divide by 255"),
    "shuffled": (shuffled, "row i shows image i", "of 256 second views are as bright as"),
    "unseeded": (unseeded, "the same seed gives the same views", "that the seed does not set"),
    "one seed for all": (
        lambda images, _: FULL(images, 0),
        "a different seed gives different views",
        "the seed has no effect",
    ),
    "both equal": (
        lambda images, seed: (FULL(images, seed)[0],) * 2,
        "the two views differ",
        "both views are equal, pixel by pixel",
    ),
    "one crop for the batch": (
        seeded(lambda x: each(JITTER, CROP(x))),
        "each image has its own crop",
        "show one part of it, those of 8 batches 8: one crop is drawn for the whole batch",
    ),
    "one crop for both views": (
        one_crop_for_both,
        "each view has its own crop",
        "the first and the second view always show the same part",
    ),
    "one jitter for the batch": (
        seeded(lambda x: JITTER(each(CROP, x))),
        "each image has its own colours",
        "have at most 1 tints, those of 8 batches",
    ),
    "one grey for the batch": (
        seeded(lambda x: GREY(each(JITTER, x))),
        "a fifth of the views are grey",
        "in each batch of 32, either all views are grey or none is",
    ),
    "two fifths grey": (
        ours(Crop(), Colour(drop_probability=0.4)),
        "a fifth of the views are grey",
        (
            "the paper has 0.2 (appendix A); a correct pipeline fails this at most once in "
            "1,000,000 times"
        ),
    ),
    "always jittered": (
        ours(Crop(), Colour(jitter_probability=1.0)),
        "four fifths of the views are jittered",
        "the paper has 0.8 (appendix A)",
    ),
}


def failing(found: tuple[Finding, ...]) -> dict[str, str]:
    return {one.law: one.text for one in found if one.verdict == "fails"}


@pytest.mark.statistical
def test_right_views_keep_every_law() -> None:
    # Each of the two shares is rejected once in 10^6; the seeds are fixed.
    found = examine_views(FULL)

    assert [one.law for one in found] == [law.name for law in VIEW_LAWS]
    assert [one.verdict for one in found] == ["holds"] * (len(found) - 1) + ["noted"]
    assert "the same views on its own" in found[-1].text


@pytest.mark.parametrize("name", list(BROKEN))
def test_broken_views_are_named_with_a_counter_example(name: str) -> None:
    views, law, text = BROKEN[name]
    its_law = [one for one in VIEW_LAWS if one.name == law]

    found = failing(examined(its_law, Subject(views, 32)))

    assert law in found
    assert text in found[law]


def test_every_law_that_can_fail_is_broken_by_one_of_them() -> None:
    assert {law for _, law, _ in BROKEN.values()} == {law.name for law in VIEW_LAWS[:-1]}


@pytest.mark.parametrize(
    ("views", "unseen"),
    [
        (ours(Crop()), {"each image has its own colours"}),
        (
            ours(Colour()),
            {"each image has its own crop", "each view has its own crop"},
        ),
    ],
)
def test_what_a_pipeline_does_not_do_is_no_failure(views: Views, unseen: set[str]) -> None:
    found = examine_views(views)

    assert failing(found) == {}
    assert {one.law for one in found if one.verdict == "not measured"} == unseen


def test_one_mistake_does_not_spread_to_laws_that_are_kept() -> None:
    views, law, _ = BROKEN["normalised"]

    assert set(failing(examine_views(views))) == {law}


def test_the_side_of_the_pictures_is_the_users() -> None:
    sides: set[int] = set()

    def views(images: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        sides.add(images.shape[-1])
        return FULL(images, seed)

    examined(VIEW_LAWS[:4], Subject(views, 40))

    assert sides == {40}


def test_the_callers_generators_are_where_they_were() -> None:
    before = torch.get_rng_state(), random.getstate()

    examined(VIEW_LAWS[:5], Subject(unseeded, 32))

    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
