"""Pictures and folders of pictures that tests of the data side start from."""

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image


def noise(seed: int, height: int = 12, width: int = 12) -> Image.Image:
    """A picture of random pixels; another seed is another picture."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def file_of(image: Image.Image, form: str = "png", **settings: object) -> bytes:
    """The bytes of a file that holds the picture."""
    file = io.BytesIO()
    image.save(file, form, **settings)
    return file.getvalue()


def pixels_of(image: Image.Image) -> np.ndarray:
    """Channels first, [3, H, W]."""
    return np.asarray(image).transpose(2, 0, 1)


def class_folders(root: Path, sizes: Mapping[str, int], *, first_seed: int = 0) -> Path:
    """Folders below the root with so many different pictures each, named 0.png, 1.png, ..."""
    seed = first_seed
    for name, num in sizes.items():
        (root / name).mkdir(parents=True)
        for i in range(num):
            noise(seed).save(root / name / f"{i}.png")
            seed += 1
    return root


def packed(folder: Path, archive: Path) -> Path:
    """The folder's content as a tar, packed as the name says, names starting below the folder."""
    mode = {".gz": "w:gz", ".xz": "w:xz", ".bz2": "w:bz2"}.get(archive.suffix, "w")
    with tarfile.open(archive, mode) as tar:  # type: ignore[call-overload]
        for entry in sorted(folder.iterdir()):
            tar.add(entry, entry.name)
    return archive
