"""Real JPEG files, as a user brings them: CIFAR-10 in class folders and packed."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from simclr_core.data.cifar10 import CLASS_NAMES
from simclr_core.data.dataset import data_at, fingerprint, load
from simclr_core.data.image_folder import Folder
from simclr_core.errors import DataError

pytestmark = pytest.mark.slow

NUM = 30


@pytest.fixture(scope="module")
def some_folders(cifar10_jpeg: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders with the first 30 test images of each class."""
    root = tmp_path_factory.mktemp("some")
    if cifar10_jpeg.is_dir():
        files = {
            file.relative_to(cifar10_jpeg / "test"): file.read_bytes()
            for name in CLASS_NAMES
            for file in sorted((cifar10_jpeg / "test" / name).iterdir())[:NUM]
        }
    else:
        files = {}
        with tarfile.open(cifar10_jpeg, "r|*") as tar:
            for entry in tar:
                name = Path(entry.name)
                if entry.isfile() and name.parts[0] == "test" and int(name.stem) < NUM:
                    files[name.relative_to("test")] = tar.extractfile(entry).read()
                if len(files) == NUM * len(CLASS_NAMES):
                    break
    for name, content in files.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(content)
    return root


def test_jpeg_folders_come_out_as_pillow_decodes_them(some_folders: Path, tmp_path: Path) -> None:
    dataset = load(Folder(**data_at(some_folders)), cache=tmp_path)

    assert dataset.class_names == CLASS_NAMES
    assert (dataset.num_train, dataset.num_test) == (240, 60)
    decoded = {
        (name, np.asarray(Image.open(file)).transpose(2, 0, 1).tobytes())
        for name in CLASS_NAMES
        for file in (some_folders / name).iterdir()
    }
    ours = set[tuple[str, bytes]]()
    for part in ("train", "test"):
        images, labels, _ = dataset.labelled(part)
        assert torch.bincount(labels).tolist() == [{"train": 24, "test": 6}[part]] * 10
        pictures = images.batch(torch.arange(len(images))).images
        for picture, label in zip(pictures, labels.tolist(), strict=True):
            ours.add((CLASS_NAMES[label], picture.numpy().tobytes()))
    assert ours == decoded


def test_a_real_jpeg_cut_short_is_named(some_folders: Path, tmp_path: Path) -> None:
    for name in CLASS_NAMES[:2]:
        (tmp_path / name).mkdir()
        for file in sorted((some_folders / name).iterdir())[:3]:
            (tmp_path / name / file.name).write_bytes(file.read_bytes())
    (tmp_path / "airplane" / "0001.jpg").write_bytes(
        (some_folders / "airplane" / "0001.jpg").read_bytes()[:-200]
    )

    with pytest.raises(DataError, match=r"1 of 6 files .* airplane/0001\.jpg \(truncated or dam"):
        load(Folder(path=str(tmp_path)), cache=None)


@pytest.mark.proof
def test_the_whole_set_has_the_numbers_that_its_page_states(
    cifar10_jpeg: Path, tmp_path: Path
) -> None:
    data = Folder(**data_at(cifar10_jpeg))

    dataset = load(data, cache=tmp_path)

    assert (dataset.num_train, dataset.num_test, dataset.overlap) == (50_000, 10_000, 0)
    assert dataset.class_names == CLASS_NAMES
    assert dataset.deviations == ()
    pictures = dataset.pretraining_images().batch(torch.arange(50_000)).images.numpy()
    counts = np.stack([np.bincount(pictures[:, c].ravel(), minlength=256) for c in range(3)])
    level, share = np.arange(256) / 255, counts / counts.sum(1, keepdims=True)
    mean = share @ level
    # The page beside the data: measured on the train split, to four digits.
    assert mean == pytest.approx([0.4913, 0.4821, 0.4465], abs=5e-5)
    deviation = np.sqrt(share @ level**2 - mean**2)
    assert deviation == pytest.approx([0.2452, 0.2428, 0.2607], abs=1e-4)
    assert torch.bincount(dataset.labelled("train").labels).tolist() == [5000] * 10
    assert fingerprint(data, tmp_path) == dataset.fingerprint


def test_a_jpeg_of_the_set_is_what_a_probe_sees_at_32_px(some_folders: Path) -> None:
    dataset = load(Folder(path=str(some_folders)), cache=None)
    images = dataset.labelled("test").images
    content = io.BytesIO((some_folders / "cat" / "0000.jpg").read_bytes())
    expected = torch.from_numpy(np.array(Image.open(content))).permute(2, 0, 1).float() / 255
    everything = [
        *images.centre_squares(torch.arange(60), 32),
        *dataset.pretraining_images().centre_squares(torch.arange(240), 32),
    ]

    assert sum(torch.equal(square, expected) for square in everything) == 1
