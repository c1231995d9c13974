"""The data of a study: settings that name a data set, and the data set itself.

Pre-training gets images. Labels leave only through `Dataset.labelled`, which counts its calls.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from simclr_core.data.cifar10 import Cifar10, looks_like_cifar10
from simclr_core.data.decode_cache import gather
from simclr_core.data.file_reader import first_names, shown
from simclr_core.data.fingerprints import digest
from simclr_core.data.image_folder import Folder, existing
from simclr_core.data.images import Images
from simclr_core.data.in_memory import Tensors, mistakes
from simclr_core.data.textures import Textures
from simclr_core.errors import DataError

Part = Literal["fit", "validation", "train", "test"]

AnyData = Annotated[Textures | Folder | Cifar10 | Tensors, Field(discriminator="kind")]
"""Every kind of data set that can be learned from."""

_VALIDATION_SHARE = 0.1
_FIRST_ENTRIES = 20


class Labelled(NamedTuple):
    """Images with their labels."""

    images: Images
    labels: Tensor
    """int64 [N]: places in `Dataset.class_names`."""

    hashes: tuple[bytes, ...]
    """Each image's content hash."""


class Dataset:
    """Decoded images of train and test, and the only way to their labels.

    `reads` counts, by split, how often labels were returned: a trial that has not reached its
    final evaluation has no read of "test".
    """

    def __init__(
        self,
        *,
        name: str,
        fingerprint: str,
        size: int,
        class_names: Sequence[str],
        images: Images,
        labels: Tensor,
        contents: Sequence[bytes],
        num_train: int,
        deviations: Sequence[str] = (),
        settings: AnyData | None = None,
        labels_known: bool = True,
    ) -> None:
        """All `images` with `labels` and content hashes; the first `num_train` are for training."""
        self.name = name
        self.fingerprint = fingerprint
        self.size = size
        self.class_names = tuple(class_names)
        self.num_classes = len(self.class_names)
        self.num_train = num_train
        self.num_test = len(images) - num_train
        self.deviations = tuple(deviations)
        """How the images differ from the files, in words."""
        self.settings = settings or Tensors(name=name, content=fingerprint, size=size)
        """The settings of these data in a configuration."""
        self.labels_known = labels_known
        """Whether there are labels and a test split; pre-training needs neither."""
        self.reads: Counter[str] = Counter()
        """How often `labelled` returned each split."""
        self._images = images
        self._labels = labels
        self._contents = tuple(contents)
        self._validation = held_out(self._contents[:num_train], name)
        train = set(self._contents[:num_train])
        self.overlap = sum(content in train for content in self._contents[num_train:])
        """Test images whose content is also in train."""

    @classmethod
    def of(
        cls,
        train_images: Tensor,
        train_labels: Tensor | None = None,
        test_images: Tensor | None = None,
        test_labels: Tensor | None = None,
        *,
        name: str = "tensors",
        class_names: Sequence[str] | None = None,
    ) -> Self:
        """A data set from your own images, uint8 [N, 3, S, S], and labels, whole numbers [N] from 0 on.

        `train_images` alone are enough for pre-training; an evaluation needs all four. The tensors are
        copied to the CPU. The fingerprint covers every image, label and class name, in order.

        Raises:
            DataError: with one line for each mistake, or fewer than two different training images.
        """
        given = (train_images, train_labels, test_images, test_labels)
        if wrong := list(mistakes(*given, class_names)):
            raise DataError("\n".join(wrong))
        pixels = torch.cat([one.cpu() for one in (train_images, test_images) if one is not None])
        num, side = len(pixels), pixels.shape[-1]
        labels_known = train_labels is not None and test_labels is not None
        labels = torch.zeros(num, dtype=torch.int64)
        names: tuple[str, ...] = ()
        if train_labels is not None and test_labels is not None:
            labels = torch.cat([train_labels.cpu().long(), test_labels.cpu().long()])
            classes = range(int(labels.max()) + 1)
            names = tuple(map(str, classes if class_names is None else class_names))
        step = 3 * side * side
        shapes = torch.full((num, 2), side, dtype=torch.int64)
        images = Images(pixels.reshape(-1), torch.arange(num) * step, shapes)
        contents = images.content_hashes()
        known = labels.tolist() if labels_known else None
        hashes = [content.hex() for content in contents]
        fingerprint = digest("tensors", side, len(train_images), hashes, known, names)
        return cls(
            name=name,
            fingerprint=fingerprint,
            size=side,
            class_names=names,
            images=images,
            labels=labels,
            contents=contents,
            num_train=len(train_images),
            deviations=(f"given as tensors of {side} px; how they were made is unknown",),
            labels_known=labels_known,
        )

    def for_one_trial(self) -> "Dataset":
        """The same images and labels, with reads of its own: other trials may run meanwhile."""
        own = copy(self)
        own.reads = Counter()
        return own

    def require_labels(self) -> None:
        """Refuses data that cannot be evaluated, before anything is trained.

        Raises:
            DataError: there are no labels and no test split.
        """
        if not self.labels_known:
            raise DataError(
                f"{shown(self.name)} has no labels, but the evaluation needs them: pass "
                "train_labels, test_images and test_labels to Dataset.of, or pre-train only"
            )

    def pretraining_images(self) -> Images:
        """All training images, without labels."""
        return self._images.select(torch.arange(self.num_train))

    def labelled(self, part: Part) -> Labelled:
        """The images and labels of a part; each call is counted in `reads`.

        "train" is "fit" and "validation" together. Validation is a tenth of the training images
        (at least one), chosen by content hash: the same for all trials, and images of equal
        content fall on the same side.

        Raises:
            DataError: there are no labels.
        """
        self.require_labels()
        self.reads[part] += 1
        train = torch.arange(self.num_train)
        index = {
            "fit": train[~self._validation],
            "validation": train[self._validation],
            "train": train,
            "test": torch.arange(self.num_train, len(self._images)),
        }[part]
        hashes = tuple(self._contents[i] for i in index.tolist())
        return Labelled(self._images.select(index), self._labels[index], hashes)


def data_at(path: Path) -> dict[str, Any]:
    """The data at a user's path, as settings for `data`.

    Raises:
        DataError: the path does not exist, is neither a folder nor a tar, or is a truncated tar.
    """
    path = existing(path.expanduser().absolute())
    if path.is_dir():
        # The two folders that the published archives unpack to, or one of them itself.
        inner = (path, path / "cifar-10-batches-py", path / "cifar-10-batches-bin")
        names = {file.name for folder in inner if folder.is_dir() for file in folder.iterdir()}
    else:
        names = first_names(path, _FIRST_ENTRIES)
    if looks_like_cifar10(names):
        return {"kind": "cifar10", "path": str(path)}
    return {"kind": "folder", "path": str(path), "name": Folder(path=str(path)).shown_name()}


def fingerprint(data: AnyData, cache: Path | None) -> str:
    """The fingerprint of the images and labels that `load` would return, as 64 hex characters.

    For files it covers every byte, the names of classes and parts, and what is drawn from them
    (size, subset, split), but not their location; for textures it covers version and parameters.
    Results are stored in `cache` under path, size and modification time of every file.

    Raises:
        DataMissing: the settings name data that are not available.
        DataError: the path holds no such data set, in one text.
    """
    return data.fingerprint(cache)


def load(data: AnyData, *, cache: Path | None, workers: int = 2) -> Dataset:
    """The data set, decoded by `workers` threads or read from `cache` by its fingerprint.

    Raises:
        DataMissing: the settings name data that are not available.
        DataError: unreadable files (counted, five named), more than memory holds, no such data set.
    """
    key = data.fingerprint(cache)
    gathered = gather(data.source, cache if data.cached else None, key, workers)
    return Dataset(
        name=data.shown_name(),
        fingerprint=key,
        size=data.size,
        class_names=gathered.class_names,
        images=Images(
            torch.from_numpy(gathered.buffer),
            torch.from_numpy(gathered.starts),
            torch.from_numpy(gathered.shapes),
        ),
        labels=torch.from_numpy(gathered.labels),
        contents=[row.tobytes() for row in gathered.contents],
        num_train=gathered.num_train,
        deviations=(*_reductions(gathered.short_sides, data.size), *gathered.notes),
        settings=data,
    )


def num_held_out(num_images: int) -> int:
    """How many of these images are held out to choose on: a tenth, at least one.

    More where images of equal content fall on that side.
    """
    return max(1, round(_VALIDATION_SHARE * num_images))


def held_out(contents: Sequence[bytes], name: str) -> Tensor:
    """Which images with these content hashes are held out to choose on: a tenth, at least one.

    bool [N]. The order in which hashes are taken depends on the hashes alone; images of equal
    content fall on the same side.

    Raises:
        DataError: there are fewer than two different images, of what `name` calls them.
    """
    order = sorted(set(contents), key=lambda c: hashlib.sha256(b"validation" + c).digest())
    if len(order) < 2:
        raise DataError(f"{shown(name)} has fewer than two different training images")
    wanted = num_held_out(len(contents))
    copies, chosen = Counter(contents), set[bytes]()
    for content in order[:-1]:
        if wanted <= 0:
            break
        chosen.add(content)
        wanted -= copies[content]
    return torch.tensor([content in chosen for content in contents])


def _reductions(short_sides: NDArray[np.int64], size: int) -> tuple[str, ...]:
    reduced = short_sides[short_sides > 2 * size]
    if not len(reduced):
        return ()
    low, high = int(reduced.min()), int(reduced.max())
    sides = f"{low} px" if low == high else f"{low} to {high} px"
    share = "" if len(reduced) == len(short_sides) else f" ({len(reduced)} of {len(short_sides)})"
    return (f"short side reduced to {2 * size} px from {sides} before cropping{share}",)
