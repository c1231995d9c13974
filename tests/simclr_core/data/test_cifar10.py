"""CIFAR-10's published archives, made small here: four forms, one data set; no code runs."""

import os
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_folders import packed

from simclr_core.data.cifar10 import CLASS_NAMES, Cifar10
from simclr_core.data.dataset import data_at, fingerprint, load
from simclr_core.errors import DataError, DataMissing

TRAIN = [f"data_batch_{i}" for i in range(1, 6)]
BATCHES = [*TRAIN, "test_batch"]
NUM = 12

Batches = dict[str, tuple[np.ndarray, list[int]]]


def _batches(*, labels_from: int = 1) -> Batches:
    """Pixels [NUM, 3072] and labels of each batch."""
    pixels, labels = np.random.default_rng(0), np.random.default_rng(labels_from)
    return {
        name: (
            pixels.integers(0, 256, (NUM, 3072), dtype=np.uint8),
            labels.integers(0, 10, NUM).tolist(),
        )
        for name in BATCHES
    }


def _python(folder: Path, batches: Batches, *, protocol: int = 2) -> Path:
    home = folder / "cifar-10-batches-py"
    home.mkdir(parents=True)
    for name, (pixels, labels) in batches.items():
        names = [b"%d.png" % i for i in range(len(labels))]
        batch = {b"batch_label": name.encode(), b"labels": labels, b"data": pixels}
        content = pickle.dumps(batch | {b"filenames": names}, protocol=protocol)
        (home / name).write_bytes(content)
    (home / "batches.meta").write_bytes(pickle.dumps({b"num_cases_per_batch": NUM}, protocol=2))
    return folder


def _binary(folder: Path, batches: Batches) -> Path:
    home = folder / "cifar-10-batches-bin"
    home.mkdir(parents=True)
    for name, (pixels, labels) in batches.items():
        rows = b"".join(bytes([n]) + p.tobytes() for n, p in zip(labels, pixels, strict=True))
        (home / f"{name}.bin").write_bytes(rows)
    return folder


def _forms(root: Path) -> dict[str, Path]:
    python, binary = _python(root / "py", _batches()), _binary(root / "bin", _batches())
    return {
        "python": python,
        "python, inner folder": python / "cifar-10-batches-py",
        "python, packed": packed(python, root / "cifar-10-python.tar.gz"),
        "binary": binary,
        "binary, inner folder": binary / "cifar-10-batches-bin",
        "binary, packed": packed(binary, root / "cifar-10-binary.tar.gz"),
    }


FORMS = [
    *("python", "python, inner folder", "python, packed"),
    *("binary", "binary, inner folder", "binary, packed"),
]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_recognised_and_holds_the_same_pictures_and_labels(
    tmp_path: Path, form: str
) -> None:
    path = _forms(tmp_path)[form]

    settings = data_at(path)
    dataset = load(Cifar10(**settings), cache=None)

    assert settings == {"kind": "cifar10", "path": str(path)}
    assert dataset.name == "CIFAR-10"
    assert dataset.class_names == CLASS_NAMES
    assert dataset.class_names[3] == "cat"
    for part, names in (("train", TRAIN), ("test", ["test_batch"])):
        batches = _batches()
        pixels = np.concatenate([batches[name][0] for name in names]).reshape(-1, 3, 32, 32)
        images, labels, _ = dataset.labelled(part)
        assert torch.equal(images.batch(torch.arange(len(images))).images, torch.from_numpy(pixels))
        assert labels.tolist() == [n for name in names for n in batches[name][1]]


def test_every_form_has_the_same_fingerprint(tmp_path: Path) -> None:
    prints = {fingerprint(Cifar10(path=str(path)), None) for path in _forms(tmp_path).values()}

    assert len(prints) == 1


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_a_batch_may_be_pickled_in_any_way(tmp_path: Path, protocol: int) -> None:
    folder = _python(tmp_path, _batches(), protocol=protocol)

    assert load(Cifar10(path=str(folder)), cache=None).num_train == 5 * NUM


def test_a_byte_or_a_label_changed_is_another_data_set(tmp_path: Path) -> None:
    one, two, three = _batches(), _batches(), _batches()
    two["data_batch_3"][0][5, 100] ^= 1
    three["test_batch"][1][0] = (three["test_batch"][1][0] + 1) % 10

    prints = [
        fingerprint(Cifar10(path=str(_binary(tmp_path / name, batches))), None)
        for name, batches in (("one", one), ("two", two), ("three", three))
    ]

    assert len(set(prints)) == 3


# ---------------------------------------------------------------------------------------- subset


def test_which_pictures_a_subset_holds_does_not_depend_on_the_labels(tmp_path: Path) -> None:
    chosen = []
    for seed in (1, 2):
        folder = _binary(tmp_path / str(seed), _batches(labels_from=seed))
        data = Cifar10(path=str(folder), num_images=17, subset_seed=3)
        chosen.append(load(data, cache=None).pretraining_images().content_hashes())

    assert chosen[0] == chosen[1]
    assert len(chosen[0]) == 17


def test_another_subset_has_a_fingerprint_of_its_own_and_the_same_test_part(
    tmp_path: Path,
) -> None:
    folder = _binary(tmp_path, _batches())
    sets = [
        load(Cifar10(path=str(folder), **settings), cache=None)
        for settings in ({}, {"num_images": 17}, {"num_images": 17, "subset_seed": 1})
    ]

    assert len({dataset.fingerprint for dataset in sets}) == 3
    assert len({frozenset(d.pretraining_images().content_hashes()) for d in sets}) == 3
    assert len({dataset.labelled("test").hashes for dataset in sets}) == 1


def test_a_subset_larger_than_the_training_part_is_refused(tmp_path: Path) -> None:
    folder = _binary(tmp_path, _batches())

    with pytest.raises(DataError, match=r"has 60 training images, but data\.num_images is 61"):
        load(Cifar10(path=str(folder), num_images=61), cache=None)


# --------------------------------------------------------------------------------- wrong archives


class _Run:
    """Pickled, it asks whoever reads it to call a function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self._call


@pytest.mark.parametrize("function", [os.system, eval, np.load], ids=["system", "eval", "numpy"])
def test_a_pickle_that_would_run_something_is_refused_and_runs_nothing(
    tmp_path: Path, function: Callable[..., Any]
) -> None:
    folder = _python(tmp_path / "set", _batches())
    trace = tmp_path / "trace"
    argument = f"touch {trace}" if function is os.system else f"open({str(trace)!r}, 'w')"
    (folder / "cifar-10-batches-py" / "data_batch_2").write_bytes(
        pickle.dumps({b"data": _Run(function, argument), b"labels": []}, protocol=2)
    )

    with pytest.raises(DataError) as caught:
        fingerprint(Cifar10(path=str(folder)), None)

    assert not trace.exists()
    text = str(caught.value)
    assert text.startswith(
        f"{folder}: 1 of 6 batches differ from the published ones: cifar-10-batches-py/"
    )
    assert "data_batch_2 (" in text
    assert "is not allowed in a batch of CIFAR-10" in text
    assert text.endswith("; download the archive again")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "0 bytes are not a whole number of rows of 3,073"),
        (b"\0" * 3072, "3,072 bytes are not a whole number of rows of 3,073"),
        (b"\x0a" + b"\0" * 3072, "labels run from 10 to 10, not from 0 to 9"),
    ],
)
def test_a_damaged_binary_batch_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    folder = _binary(tmp_path, _batches())
    (folder / "cifar-10-batches-bin" / "data_batch_4.bin").write_bytes(content)

    with pytest.raises(DataError) as caught:
        load(Cifar10(path=str(folder)), cache=None)

    assert f"cifar-10-batches-bin/data_batch_4.bin ({words})" in str(caught.value)


@pytest.mark.parametrize(
    ("batch", "why"),
    [
        ({b"labels": [0]}, "b'data'"),
        (
            {b"labels": [0], b"data": np.zeros((1, 7), np.uint8)},
            "pixels are uint8 (1, 7), not uint8 (N, 3072)",
        ),
        (
            {b"labels": [0, 1], b"data": np.zeros((1, 3072), np.uint8)},
            "pixels are uint8 (1, 3072), not uint8 (N, 3072)",
        ),
        (
            {b"labels": [0], b"data": np.zeros((1, 3072))},
            "pixels are float64 (1, 3072), not uint8 (N, 3072)",
        ),
        ([1, 2], "list indices must be integers or slices, not bytes"),
    ],
    ids=["no pixels", "too few pixels", "too many labels", "floats", "a list"],
)
def test_a_pickle_of_another_form_is_named(tmp_path: Path, batch: object, why: str) -> None:
    folder = _python(tmp_path, _batches())
    home = folder / "cifar-10-batches-py"
    (home / "test_batch").write_bytes(pickle.dumps(batch, protocol=2))
    (home / "data_batch_1").write_bytes((home / "data_batch_1").read_bytes()[:-100])

    with pytest.raises(
        DataError, match=r"2 of 6 batches .*data_batch_1 \(.*test_batch \("
    ) as caught:
        load(Cifar10(path=str(folder)), cache=None)

    assert str(caught.value).endswith(
        f"cifar-10-batches-py/test_batch ({why}); download the archive again"
    )


def test_batches_that_are_missing_are_all_named(tmp_path: Path) -> None:
    batches = _batches()
    del batches["data_batch_2"], batches["data_batch_5"]
    folder = _binary(tmp_path, batches)

    with pytest.raises(DataError, match="lacks data_batch_2, data_batch_5 of CIFAR-10's published"):
        load(Cifar10(**data_at(folder)), cache=None)


def test_both_forms_in_one_folder_are_refused(tmp_path: Path) -> None:
    _binary(_python(tmp_path, _batches()), _batches())

    with pytest.raises(
        DataError, match="contains data_batch_1 twice; name the folder of one of the two"
    ):
        load(Cifar10(**data_at(tmp_path)), cache=None)


def test_a_torn_archive_is_named(tmp_path: Path) -> None:
    archive = packed(_binary(tmp_path / "set", _batches()), tmp_path / "cifar-10-binary.tar.gz")
    archive.write_bytes(archive.read_bytes()[:-5000])

    with pytest.raises(DataError, match=r"cifar-10-binary\.tar\.gz is truncated after "):
        load(Cifar10(path=str(archive)), cache=None)


def test_an_archive_that_is_not_at_hand_is_missing() -> None:
    with pytest.raises(DataMissing, match="CIFAR-10 is not available; name its archive or folder"):
        fingerprint(Cifar10(), None)


def test_a_tar_of_class_folders_is_no_cifar10(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "set.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("train/test_batch/0.png"))

    assert data_at(tmp_path / "set.tar")["kind"] == "folder"
