"""Images that a caller passes as tensors: their rules and their fingerprint.

Shape suffixes: N images, S their side in px.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn

import torch
from pydantic import Field
from torch import Tensor

from simclr_core.data.contract import Data
from simclr_core.data.decode_cache import Source
from simclr_core.errors import DataMissing

_BYTES = "uint8, the bytes 0 to 255 as decoded"
_WHOLE = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


class Tensors(Data):
    """The settings of images that were passed as tensors (`Dataset.of`) and are not in a file.

    They can be compared and stored, but not loaded: a process without the tensors does not have the
    data.
    """

    kind: Literal["tensors"] = "tensors"

    name: str = "tensors"
    """The name of the data in reports."""

    content: str = Field(default="", examples=["9f86d081884c7d65"])
    """The data set's fingerprint."""

    size: int = 32
    """Side of the images and of the views in px."""

    def shown_name(self) -> str:
        return self.name

    def fingerprint(self, cache: Path | None) -> str:
        """Always raises DataMissing."""
        del cache
        self._missing()

    def source(self) -> Source:
        """Always raises DataMissing."""
        self._missing()

    def _missing(self) -> NoReturn:
        raise DataMissing(
            f"data: {self.name} was given as tensors and is not in a file; pass it again "
            "(Dataset.of), or save the images in class folders (data.kind folder)"
        )


def mistakes(
    train_images: Any,
    train_labels: Any,
    test_images: Any,
    test_labels: Any,
    class_names: Sequence[str] | None,
) -> Iterator[str]:
    """A sentence for each mistake in what was handed over."""
    yield from _wrong_images("train_images", train_images)
    rest = {"train_labels": train_labels, "test_images": test_images, "test_labels": test_labels}
    missing = [name for name, value in rest.items() if value is None]
    if len(missing) == len(rest):
        if class_names is not None:
            yield "class_names: name the classes of labels, but there are no labels; leave them out"
        return
    if missing:
        yield (
            f"{' and '.join(missing)}: must be given together with {_and(rest, missing)}; a probe needs"
            " all four, pre-training train_images alone"
        )
    if test_images is not None:
        yield from _wrong_images("test_images", test_images)
        if _side(train_images) and _side(test_images) and _side(train_images) != _side(test_images):
            yield (
                f"test_images: must have the same side as train_images, got {_side(test_images)} "
                f"and {_side(train_images)} px; resize one of them"
            )
    for part, images, labels in (
        ("train", train_images, train_labels),
        ("test", test_images, test_labels),
    ):
        if labels is not None:
            yield from _wrong_labels(f"{part}_labels", labels, f"{part}_images", images)
    if _are_labels(train_labels):
        yield from _wrong_classes(train_labels, test_labels, class_names)


def _wrong_images(name: str, images: Any) -> Iterator[str]:
    if not isinstance(images, Tensor):
        kind = type(images).__name__
        yield f"{name}: must be a torch tensor, got {kind}; torch.from_numpy converts an array"
        return
    shape = list(images.shape)
    if images.dtype != torch.uint8:
        yield f"{name}: must be {_BYTES}, got {_numbers(images)}"
    if len(shape) == 4 and shape[3] == 3 and shape[1] != 3:
        yield f"{name}: must be [N, 3, S, S], got {shape}; {name}.permute(0, 3, 1, 2) is"
    elif len(shape) == 4 and shape[1] == 1:
        yield f"{name}: must be [N, 3, S, S], got {shape}; grey becomes RGB by expand(-1, 3, -1, -1)"
    elif len(shape) != 4 or shape[1] != 3:
        yield f"{name}: must be [N, 3, S, S], got {shape}"
    elif shape[2] != shape[3]:
        yield (
            f"{name}: must be square, got {shape[2]} x {shape[3]} px; crop or pad them, or save "
            "them as files (data.kind folder accepts any shape)"
        )
    elif min(shape) < 1:
        yield f"{name}: must contain at least one image of one pixel, got {shape}"


def _numbers(images: Tensor) -> str:
    """What stands in the place of bytes, and how they are made of it."""
    kind = str(images.dtype).removeprefix("torch.")
    if not images.numel() or images.is_complex():
        return kind
    if images.is_floating_point():
        wrong = int((~images.isfinite()).sum())
        if wrong:
            return f"{kind} of which {wrong} of {images.numel()} are not finite; fix these"
    low, high = float(images.min()), float(images.max())
    text = f"{kind} from {low:g} to {high:g}"
    if low < 0:
        return f"{text}; undo the normalisation first: views are made from plain pixels"
    if images.is_floating_point() and high <= 1:
        return f"{text}; for values in [0, 1] use (255 * images).round().to(torch.uint8)"
    return f"{text}; for values in [0, 255] use .to(torch.uint8)" if high <= 255 else text


def _wrong_labels(name: str, labels: Any, images_name: str, images: Any) -> Iterator[str]:
    if not isinstance(labels, Tensor):
        kind = type(labels).__name__
        yield f"{name}: must be a torch tensor, got {kind}; torch.tensor converts a list"
        return
    if labels.dtype not in _WHOLE:
        kind = str(labels.dtype).removeprefix("torch.")
        yield f"{name}: must be whole numbers (int64), got {kind}"
    if labels.ndim != 1:
        yield f"{name}: must be [N], one class for each image, got {list(labels.shape)}"
    elif isinstance(images, Tensor) and images.ndim and len(labels) != len(images):
        yield (
            f"{name}: must have the length of {images_name}, got {len(labels)} labels and "
            f"{len(images)} images"
        )


def _wrong_classes(train: Tensor, test: Any, class_names: Sequence[str] | None) -> Iterator[str]:
    """Labels are places among the classes, and a probe can only tell classes that it has met."""
    met = sorted(set(train.tolist()))
    num = (max(met) + 1 if met else 0) if class_names is None else len(class_names)
    if outside := [label for label in met if not 0 <= label < num]:
        yield f"train_labels: must be 0 to {num - 1}, got {_some(outside)}"
    elif lacking := [label for label in range(num) if label not in set(met)]:
        yield (
            f"train_labels: must contain each class 0 to {num - 1}, got none of {_some(lacking)}; "
            "torch.unique(labels, return_inverse=True)[1] numbers them without gaps"
        )
    elif num < 2:
        yield "train_labels: must have at least two classes for a probe to separate"
    if _are_labels(test):
        strange = sorted(set(test.tolist()) - set(met))
        if strange:
            yield f"test_labels: must only contain classes of train_labels, got {_some(strange)}"


def _are_labels(labels: Any) -> bool:
    return isinstance(labels, Tensor) and labels.ndim == 1 and labels.dtype in _WHOLE


def _side(images: Any) -> int | None:
    whole = isinstance(images, Tensor) and images.ndim == 4 and images.shape[2] == images.shape[3]
    return images.shape[2] if whole else None


def _and(names: Any, without: Sequence[str]) -> str:
    return " and ".join(name for name in names if name not in without)


def _some(labels: Sequence[int]) -> str:
    more = f" and {len(labels) - 5} more" if len(labels) > 5 else ""
    return ", ".join(map(str, labels[:5])) + more
