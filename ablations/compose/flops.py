"""The floating-point operations of f and g in pre-training, counted without running them.

One step is followed, forward and backward, on tensors that have shapes and no numbers; weights are
neither drawn nor stored. Convolutions and matrix products are counted; batch norm
and similar layers, the loss (at most 1 % of ResNet-50's operations at the paper's batch size) and
evaluation are not.
"""

import json
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from torch.nn import Sequential

    from simclr_core.data import AnyData


class Compute(NamedTuple):
    """The pre-training of some encoders."""

    encoders: int
    pair: tuple[int, int]
    """Operations for the views of one image, for the smallest and for the largest network."""

    total: int | None
    """The total; None if the number of images is unknown."""


def compute(configs: Iterable[Mapping[str, Any]]) -> Compute | None:
    """Counts the operations of resolved configurations, each trained once.

    None if no configuration trains anything, or if a network is a custom component, which planning does
    not execute.
    """
    pairs: list[int] = []
    totals: list[int | None] = []
    for config in configs:
        if not config["epochs"]:
            continue
        num_views, images = _sizes(config)
        pair = operations(
            as_text(config["encoder"]),
            as_text(config["head"]),
            config["data"]["size"],
            num_views,
            twice=config["gradient_cache"] is not None,
        )
        if pair is None:
            return None
        batch = config["batch_size"]
        pairs.append(pair)
        seen = None if images is None else images // batch * batch * config["epochs"]
        totals.append(None if seen is None else pair * seen)
    if not pairs:
        return None
    known = [total for total in totals if total is not None]
    total = sum(known) if len(known) == len(totals) else None
    return Compute(len(pairs), (min(pairs), max(pairs)), total)


_SIZES = ("data", "views", "loss")

TEST_IMAGES = "test_images"
"""In a configuration for estimates: the test images that were counted in its folder."""


def num_views_of(config: Mapping[str, Any]) -> int:
    """Views of an image."""
    return _sizes(config)[0]


def images_of_an_epoch(config: Mapping[str, Any]) -> int | None:
    """Images that pre-training sees in an epoch; None if they were not counted."""
    return _sizes(config)[1]


def _sizes(config: Mapping[str, Any]) -> tuple[int, int | None]:
    return _size_of(as_text({name: config[name] for name in _SIZES}))


@lru_cache(maxsize=256)
def _size_of(settings: str) -> tuple[int, int | None]:
    """Views of an image, and images of an epoch, from the settings of `_SIZES` in JSON."""
    from simclr_core.config import Config
    from simclr_core.data import num_held_out

    config = Config.model_validate({**json.loads(settings), "epochs": 0})
    images = config.data.expected_images
    if images is not None and config.loss.sees_labels:
        images -= num_held_out(images)  # the validation split, whose labels are not seen
    return config.views.num_views, images


def num_images(data: Mapping[str, Any]) -> int | None:
    """Training images; None for a folder that was not counted."""
    return any_data().validate_python(data).expected_images


def num_test(config: Mapping[str, Any]) -> int:
    """Test images; 0 where they are unknown."""
    return config.get(TEST_IMAGES) or config["data"].get("num_test") or 0


@cache
def any_data() -> "TypeAdapter[AnyData]":
    """Validates the settings of any kind of data."""
    from pydantic import TypeAdapter

    from simclr_core.data import AnyData

    return TypeAdapter(AnyData)


@lru_cache(maxsize=64)
def operations(encoder: str, head: str, size: int, num_views: int, *, twice: bool) -> int | None:
    """Forward and backward of an image's views through f and g, from their settings in JSON.

    `twice`: gradient caching runs the forward pass twice. None if a network has no outline.
    """
    import torch

    from ablations.compose.shape_pass import Operations

    network = outline(encoder, head, size)
    if network is None:
        return None
    views = torch.empty(num_views, 3, size, size, device="meta")
    with Operations() as counted:
        network(views)
    return (2 if twice else 1) * counted.forward + counted.backward


@lru_cache(maxsize=256)
def weight_bytes(encoder: str, head: str, size: int) -> int | None:
    """What the weights of f and g take, from their settings in JSON; None as for `operations`."""
    network = outline(encoder, head, size)
    if network is None:
        return None
    return sum(one.numel() * one.element_size() for one in network.state_dict().values())


@lru_cache(maxsize=256)
def num_features(encoder: str) -> int:
    """The length of h, from an encoder's settings in JSON."""
    from pydantic import TypeAdapter

    from simclr_core.networks import AnyEncoder

    return TypeAdapter[AnyEncoder](AnyEncoder).validate_json(encoder).num_features


def outline(encoder: str, head: str, size: int) -> "Sequential | None":
    """The networks f and g with shapes and no numbers, from their settings in JSON; None if custom."""
    from pydantic import TypeAdapter
    from torch.nn import Sequential

    from simclr_core.networks import AnyEncoder, AnyHead

    encoder_settings = TypeAdapter[AnyEncoder](AnyEncoder).validate_json(encoder)
    f = encoder_settings.outline(size)
    g = TypeAdapter[AnyHead](AnyHead).validate_json(head).outline(encoder_settings.num_features)
    return None if f is None or g is None else Sequential(f, g)


def as_text(settings: Any) -> str:
    """Settings as `operations` and `weight_bytes` take them."""
    return json.dumps(settings, sort_keys=True)
