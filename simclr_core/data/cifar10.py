"""CIFAR-10 as its author publishes it: python or binary form, packed or unpacked.

Krizhevsky 2009, "Learning multiple layers of features from tiny images". 50,000 + 10,000 images,
32 x 32 RGB, 10 classes; the archives hold five training batches and one of test images.
"""

import hashlib
import io
import pickle
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from simclr_core.data.contract import Data
from simclr_core.data.decode_cache import Source
from simclr_core.data.decoding import DECODING_VERSION, image_of
from simclr_core.data.file_reader import File, contents, shown, walk
from simclr_core.data.fingerprints import digest, remembered, stamp
from simclr_core.data.image_folder import existing, subset
from simclr_core.errors import DataError, DataMissing

CLASS_NAMES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
_TRAIN = tuple(f"data_batch_{i}" for i in range(1, 6))
_BATCHES = (*_TRAIN, "test_batch")
_PIXELS = 3 * 32 * 32
_ROW = 1 + _PIXELS


class _Arrays(NamedTuple):
    pixels: NDArray[np.uint8]
    """[N, 3, 32, 32], train first."""

    labels: NDArray[np.uint8]
    num_train: int


class Cifar10(Data):
    """CIFAR-10's published archives.

    `cifar-10-python.tar.gz`, `cifar-10-binary.tar.gz` and the folders they unpack to: all four give
    the same images and the same fingerprint. The python form is a pickle; only what such a batch
    is made of (dictionaries, lists, bytes, numbers, one kind of array) is let in.
    """

    kind: Literal["cifar10"] = "cifar10"

    path: str | None = Field(default=None, examples=["../cifar-10-python.tar.gz"])
    """The archive or folder; None: not available."""

    size: int = Field(default=32, ge=8, le=1024)
    """Side of the views in px."""

    num_images: int | None = Field(default=None, ge=2, examples=[10_000])
    """A subset of the training images, drawn without looking at labels; None: all 50,000."""

    subset_seed: int = Field(default=0, ge=0)
    """The seed of the subset."""

    @model_validator(mode="after")
    def _no_idle_seed(self) -> Self:
        if self.num_images is None and self.subset_seed:
            raise ValueError(
                "subset_seed has no effect without num_images; set num_images, or leave "
                "subset_seed out"
            )
        return self

    def shown_name(self) -> str:
        return "CIFAR-10"

    @property
    def expected_images(self) -> int:
        return 50_000 if self.num_images is None else self.num_images

    def fingerprint(self, cache: Path | None) -> str:
        """SHA-256 over every pixel and label and over what is drawn from them."""
        path = self._at_hand()
        found = walk(path) if path.is_dir() else None
        facts = remembered(cache, "cifar10", path, stamp(path, found), lambda: _facts(path))
        drawn = None if self.num_images is None else (self.num_images, self.subset_seed)
        return digest("cifar10", DECODING_VERSION, facts["content"], self.size, drawn)

    def source(self) -> Source:
        path = self._at_hand()
        arrays = _read(path)
        train = subset(arrays.num_train, self.num_images, self.subset_seed, path)
        rows = [*train, *range(arrays.num_train, len(arrays.labels))]

        return Source(
            where=shown(str(path)),
            class_names=CLASS_NAMES,
            labels=arrays.labels[rows].tolist(),
            num_train=len(train),
            size=self.size,
            notes=(),
            name=lambda i: f"image {rows[i]}",
            items=lambda: ((i, arrays.pixels[row]) for i, row in enumerate(rows)),
            decode=lambda pixels: image_of(pixels, self.size),
            estimate=lambda: len(rows) * _PIXELS,
        )

    def _at_hand(self) -> Path:
        if self.path is None:
            raise DataMissing("CIFAR-10 is not available; name its archive or folder with --data")
        return existing(Path(self.path))


def looks_like_cifar10(names: set[str]) -> bool:
    """Whether files with these names are a published CIFAR-10, complete or not."""
    bare = {name.removesuffix(".bin") for name in names}
    return (bool(bare & set(_TRAIN)) and "test_batch" in bare) or set(_TRAIN) <= bare


def _facts(path: Path) -> dict[str, Any]:
    arrays = _read(path)
    content = hashlib.sha256(b"%d" % arrays.num_train)
    content.update(arrays.labels.tobytes())
    content.update(np.ascontiguousarray(arrays.pixels).data)
    return {"content": content.hexdigest()}


def _read(path: Path) -> _Arrays:
    files: dict[str, File] = {}
    for file in walk(path).files:
        name = file.name[-1].removesuffix(".bin")
        if name in _BATCHES and files.setdefault(name, file).name[:-1] != file.name[:-1]:
            raise DataError(f"{path} contains {name} twice; name the folder of one of the two")
    if missing := [name for name in _BATCHES if name not in files]:
        raise DataError(
            f"{path} lacks {', '.join(missing)} of CIFAR-10's published batches; download it again"
        )
    wanted = [files[name] for name in _BATCHES]
    batches: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = [(_NONE, _NONE)] * len(wanted)
    wrong: list[str] = []
    for i, content in contents(path, wanted):
        try:
            batches[i] = (
                _binary(content) if wanted[i].name[-1].endswith(".bin") else _python(content)
            )
        except Exception as error:  # noqa: BLE001 -- a damaged pickle can raise anything
            wrong.append(f"{'/'.join(wanted[i].name)} ({' '.join(str(error).split())[:100]})")
    if wrong:
        raise DataError(
            f"{path}: {len(wrong)} of {len(wanted)} batches differ from the published ones: "
            f"{'; '.join(wrong)}; download the archive again"
        )
    return _Arrays(
        np.concatenate([pixels for pixels, _ in batches]).reshape(-1, 3, 32, 32),
        np.concatenate([labels for _, labels in batches]),
        sum(len(labels) for _, labels in batches[:-1]),
    )


_NONE = np.zeros(0, np.uint8)


def _binary(content: bytes) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    if not content or len(content) % _ROW:
        raise ValueError(f"{len(content):,} bytes are not a whole number of rows of {_ROW:,}")
    rows = np.frombuffer(content, np.uint8).reshape(-1, _ROW)
    return _checked(rows[:, 1:], rows[:, 0])


def _python(content: bytes) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    batch = _Unpickler(io.BytesIO(content), encoding="bytes").load()
    return _checked(batch[b"data"], np.asarray(batch[b"labels"]))


def _checked(pixels: Any, labels: NDArray[Any]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    if pixels.dtype != np.uint8 or pixels.shape != (len(labels), _PIXELS):
        raise ValueError(f"pixels are {pixels.dtype} {pixels.shape}, not uint8 (N, {_PIXELS})")
    if labels.min() < 0 or labels.max() >= len(CLASS_NAMES):
        raise ValueError(f"labels run from {labels.min()} to {labels.max()}, not from 0 to 9")
    return pixels, labels.astype(np.uint8)


class _Unpickler(pickle.Unpickler):
    """Lets in what a batch is made of and nothing that could run code."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        module = module_name.replace("numpy._core", "numpy.core")
        if (module, global_name) == ("numpy.core.multiarray", "_reconstruct"):
            return np.empty(0).__reduce__()[0]
        if (module, global_name) == ("numpy", "ndarray"):
            return np.ndarray
        if (module, global_name) == ("numpy", "dtype"):
            return np.dtype
        if (module, global_name) == ("_codecs", "encode"):  # bytes in protocols below 3
            return _latin_bytes
        raise pickle.UnpicklingError(
            f"{module_name}.{global_name} is not allowed in a batch of CIFAR-10"
        )


def _latin_bytes(text: str, _encoding: str) -> bytes:
    return text.encode("latin-1")
