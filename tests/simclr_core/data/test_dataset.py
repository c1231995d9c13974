"""The data set as the trainer meets it: the one door to labels, fingerprints, and the cache."""

import json
import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from made_folders import class_folders, noise
from torch import Tensor

from simclr_core.data.dataset import Dataset, data_at, fingerprint, load
from simclr_core.data.decode_cache import Source, gather
from simclr_core.data.decoding import decode, image_of
from simclr_core.data.image_folder import Folder
from simclr_core.data.images import Images
from simclr_core.data.textures import Textures
from simclr_core.errors import DataError

SIZES = {"train/cat": 12, "train/dog": 9, "test/cat": 4, "test/dog": 3}


def _dataset(num_train: int = 40, num_test: int = 10, *, labels: Tensor | None = None) -> Dataset:
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(
        0, 256, (num_train + num_test, 3, 4, 4), generator=generator, dtype=torch.uint8
    )
    return _dataset_of(pictures, num_train, labels)


def _dataset_of(pictures: Tensor, num_train: int, labels: Tensor | None = None) -> Dataset:
    images = Images.of(pictures)
    return Dataset(
        name="made",
        fingerprint="0",
        size=8,
        class_names=("a", "b"),
        images=images,
        labels=torch.arange(len(pictures)) % 2 if labels is None else labels,
        contents=images.content_hashes(),
        num_train=num_train,
    )


# --------------------------------------------------------------------------- the door to labels


def test_pre_training_gets_all_training_images_and_no_label() -> None:
    dataset = _dataset()

    images = dataset.pretraining_images()

    assert type(images) is Images
    assert images.content_hashes() == list(dataset.labelled("train").hashes)
    assert not {name for name in vars(images) if "label" in name}


def test_every_read_of_labels_is_counted_by_part_and_nothing_else_is() -> None:
    dataset = _dataset()
    dataset.pretraining_images()
    assert dataset.reads == Counter()

    for part in ("fit", "validation", "fit", "test"):
        dataset.labelled(part)

    assert dataset.reads == {"fit": 2, "validation": 1, "test": 1}


def test_validation_is_a_tenth_of_train_and_fit_the_rest() -> None:
    dataset = _dataset(num_train=200)

    fit, validation, train, test = (
        dataset.labelled(part) for part in ("fit", "validation", "train", "test")
    )

    assert (len(fit.images), len(validation.images), len(train.images)) == (180, 20, 200)
    assert set(fit.hashes) | set(validation.hashes) == set(train.hashes)
    assert not set(fit.hashes) & set(validation.hashes)
    assert not set(test.hashes) & set(train.hashes)
    for part in (fit, validation, train, test):
        assert part.images.content_hashes() == list(part.hashes)
        assert len(part.labels) == len(part.hashes)


def test_each_picture_keeps_its_label_in_every_part() -> None:
    dataset = _dataset(labels=torch.arange(50))
    hashes = dataset.labelled("train").hashes + dataset.labelled("test").hashes

    for part in ("fit", "validation", "train", "test"):
        labelled = dataset.labelled(part)
        assert [hashes[label] for label in labelled.labels.tolist()] == list(labelled.hashes)


def test_which_pictures_validate_depends_neither_on_labels_nor_on_order() -> None:
    pictures = torch.randint(0, 256, (100, 3, 4, 4), dtype=torch.uint8)
    order = torch.randperm(100)

    chosen = [
        set(_dataset_of(*arguments).labelled("validation").hashes)
        for arguments in (
            (pictures, 100),
            (pictures, 100, torch.zeros(100, dtype=torch.int64)),
            (pictures[order], 100),
        )
    ]

    assert chosen[0] == chosen[1] == chosen[2]
    assert len(chosen[0]) == 10


def test_copies_of_a_picture_fall_on_the_same_side() -> None:
    pictures = torch.randint(0, 256, (30, 3, 4, 4), dtype=torch.uint8).repeat(4, 1, 1, 1)
    dataset = _dataset_of(pictures, 120)

    fit, validation = dataset.labelled("fit"), dataset.labelled("validation")

    assert not set(fit.hashes) & set(validation.hashes)
    assert len(validation.images) == 12


def test_one_picture_at_least_validates() -> None:
    dataset = _dataset(num_train=3)

    assert len(dataset.labelled("validation").images) == 1
    assert len(dataset.labelled("fit").images) == 2


def test_test_images_that_also_stand_in_train_are_counted_by_content(tmp_path: Path) -> None:
    class_folders(tmp_path, SIZES)
    copies = {"train/cat/0.png": "test/cat/9.png", "train/cat/1.png": "test/dog/a.png"}
    for source, copy in copies.items():
        shutil.copy(tmp_path / source, tmp_path / copy)
    shutil.copy(tmp_path / "train/cat/1.png", tmp_path / "test/dog/b.png")
    shutil.copy(tmp_path / "test/cat/0.png", tmp_path / "test/cat/twice.png")

    assert load(Folder(path=str(tmp_path)), cache=None).overlap == 3


# ---------------------------------------------------------------------------------- fingerprints


def _changed_byte(root: Path) -> None:
    noise(777).save(root / "train" / "cat" / "0.png")


def _renamed_class(root: Path) -> None:
    for part in ("train", "test"):
        (root / part / "dog").rename(root / part / "wolf")


def _moved_to_test(root: Path) -> None:
    (root / "train" / "cat" / "0.png").rename(root / "test" / "cat" / "x.png")


def _removed(root: Path) -> None:
    (root / "test" / "dog" / "0.png").unlink()


CHANGES = [_changed_byte, _renamed_class, _moved_to_test, _removed]


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("change", CHANGES, ids=lambda c: c.__name__)
def test_other_files_have_another_fingerprint(
    tmp_path: Path, change: Callable[[Path], None], *, cached: bool
) -> None:
    root = class_folders(tmp_path / "set", SIZES)
    cache, data = tmp_path / "cache" if cached else None, Folder(path=str(root))
    before = fingerprint(data, cache)

    change(root)

    assert fingerprint(data, cache) != before


def test_one_byte_of_one_file_is_enough(tmp_path: Path) -> None:
    data = Folder(path=str(class_folders(tmp_path, SIZES)))
    before = fingerprint(data, None)
    file = tmp_path / "test" / "cat" / "1.png"
    content = bytearray(file.read_bytes())
    content[-20] ^= 1
    file.write_bytes(content)

    assert fingerprint(data, None) != before


@pytest.mark.parametrize("settings", [{"size": 16}, {"num_images": 5}, {"num_images": 6}])
def test_what_is_drawn_from_the_files_is_part_of_it(tmp_path: Path, settings: dict) -> None:
    path = str(class_folders(tmp_path, SIZES))

    assert fingerprint(Folder(path=path, **settings), None) != fingerprint(Folder(path=path), None)


def test_the_name_and_the_path_are_not(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "set", SIZES)
    before = fingerprint(Folder(path=str(root)), None)

    moved = root.rename(tmp_path / "elsewhere")

    assert fingerprint(Folder(path=str(moved), name="another name"), None) == before


def test_files_that_did_not_change_are_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = Folder(path=str(class_folders(tmp_path / "set", SIZES)))
    before = fingerprint(data, tmp_path / "cache")
    monkeypatch.setattr(
        "simclr_core.data.image_folder.contents", lambda *_: pytest.fail("read again")
    )

    assert fingerprint(data, tmp_path / "cache") == before


def test_a_file_written_anew_is_read_again_even_with_as_many_bytes(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "set", SIZES)
    data, file = Folder(path=str(root)), root / "train" / "cat" / "0.png"
    before = fingerprint(data, tmp_path / "cache")
    content, state = bytearray(file.read_bytes()), file.stat()
    content[-20] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns + 1))

    after = fingerprint(data, tmp_path / "cache")

    assert after != before
    assert after == fingerprint(data, None)


def test_a_file_only_touched_keeps_its_fingerprint(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "set", SIZES)
    data = Folder(path=str(root))
    before = fingerprint(data, tmp_path / "cache")
    os.utime(root / "train" / "cat" / "0.png", ns=(1, 1))

    assert fingerprint(data, tmp_path / "cache") == before


@pytest.mark.parametrize("torn", ["", "{", "[1]", '{"x": 3}', "[" * 100_000])
def test_a_torn_book_of_fingerprints_costs_time_only(tmp_path: Path, torn: str) -> None:
    root, cache = class_folders(tmp_path / "set", SIZES), tmp_path / "cache"
    data = Folder(path=str(root))
    before = fingerprint(data, cache)
    (cache / "fingerprints.json").write_text(torn)

    assert fingerprint(data, cache) == before
    assert f"images {root}" in json.loads((cache / "fingerprints.json").read_text())


# --------------------------------------------------------------------------------------- the cache


def _same(one: Dataset, two: Dataset) -> bool:
    parts = [(one.labelled(part), two.labelled(part)) for part in ("train", "test")]
    return all(
        a.images.content_hashes() == b.images.content_hashes() == list(b.hashes)
        and torch.equal(a.labels, b.labels)
        and torch.equal(a.images.shapes, b.images.shapes)
        for a, b in parts
    ) and (one.fingerprint, one.deviations, one.class_names, one.overlap) == (
        two.fingerprint,
        two.deviations,
        two.class_names,
        two.overlap,
    )


def _mixed(root: Path) -> Folder:
    class_folders(root, SIZES)
    noise(50, 20, 30).save(root / "train" / "dog" / "wide.png")
    noise(51, 90, 70).save(root / "test" / "dog" / "large.png")
    return Folder(path=str(root))


def test_what_comes_from_the_cache_is_what_was_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, cache = _mixed(tmp_path / "set"), tmp_path / "cache"
    plain, first = load(data, cache=None), load(data, cache=cache)
    monkeypatch.setattr(
        "simclr_core.data.image_folder.decode", lambda *_: pytest.fail("decoded again")
    )

    again = load(data, cache=cache)

    assert _same(plain, first)
    assert _same(plain, again)


@pytest.mark.parametrize("least", [0, 1000], ids=["large pictures", "small pictures"])
def test_the_number_of_workers_is_no_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, least: int
) -> None:
    data = _mixed(tmp_path)
    monkeypatch.setattr("simclr_core.data.decode_cache._CHUNK", 2)
    monkeypatch.setattr("simclr_core.data.decode_cache._SIDE_THAT_GAINS", least)

    assert _same(load(data, cache=None, workers=1), load(data, cache=None, workers=3))


def _flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 1
    file.write_bytes(content)


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-7])


@pytest.mark.parametrize("harm", [_flipped, _cut, Path.unlink], ids=["flipped", "cut", "removed"])
@pytest.mark.parametrize("name", ["pixels", "table.npz", "about.json"])
def test_a_torn_cache_is_decoded_anew(
    tmp_path: Path, name: str, harm: Callable[[Path], None]
) -> None:
    data, cache = _mixed(tmp_path / "set"), tmp_path / "cache"
    before = load(data, cache=cache)
    plain = load(data, cache=None)
    harm(cache / before.fingerprint / name)
    del before

    assert _same(load(data, cache=cache), plain)
    assert _same(load(data, cache=cache), plain)


@pytest.mark.parametrize("place", [1, 2, 601, 1499])
def test_one_flipped_bit_of_any_cached_image_is_noticed(tmp_path: Path, place: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (1500, 3, 4, 4), np.uint8)
    decoded: list[int] = []

    def source() -> Source:
        decoded.append(1)
        return Source(
            where="made",
            class_names=("a",),
            labels=[0] * 1500,
            num_train=1000,
            size=4,
            notes=(),
            name=str,
            items=lambda: iter(enumerate(pixels)),
            decode=lambda item: image_of(item, 4),
            estimate=lambda: pixels.nbytes,
        )

    gather(source, tmp_path, "key", 1)
    file = tmp_path / "key" / "pixels"
    content = bytearray(file.read_bytes())
    content[48 * place + 5] ^= 4
    file.write_bytes(content)

    again = gather(source, tmp_path, "key", 1)

    assert len(decoded) == 2
    assert np.array_equal(again.buffer.reshape(pixels.shape), pixels)
    assert len(gather(source, tmp_path, "key", 1).starts) == 1500
    assert len(decoded) == 2


def test_several_who_ask_at_once_decode_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, calls = _mixed(tmp_path / "set"), list[int]()
    monkeypatch.setattr(
        "simclr_core.data.image_folder.decode", lambda *a: (calls.append(1), decode(*a))[1]
    )
    loaded: list[Dataset] = []
    threads = [
        threading.Thread(target=lambda: loaded.append(load(data, cache=tmp_path / "cache")))
        for _ in range(3)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(loaded) == 3
    assert len(calls) == loaded[0].num_train + loaded[0].num_test


def test_a_cache_that_cannot_be_written_is_named_with_the_way_out(tmp_path: Path) -> None:
    data = _mixed(tmp_path / "set")
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(DataError, match=r"the cache .*/file/cache/\w+ cannot be written \(Not a "):
        load(data, cache=tmp_path / "file" / "cache")


def test_pictures_from_the_cache_may_be_written_to_without_harm(tmp_path: Path) -> None:
    data, cache = _mixed(tmp_path / "set"), tmp_path / "cache"
    load(data, cache=cache)
    images = load(data, cache=cache).pretraining_images()
    images._buffer.zero_()

    assert _same(load(data, cache=cache), load(data, cache=None))


# ---------------------------------------------------------------------------------- a user's path


def test_a_path_becomes_the_settings_of_a_folder(tmp_path: Path) -> None:
    class_folders(tmp_path / "my cats", SIZES)

    settings = data_at(tmp_path / "my cats")

    assert settings == {"kind": "folder", "path": str(tmp_path / "my cats"), "name": "my cats"}
    assert load(Folder(**settings), cache=None).name == "my cats"


def test_a_relative_path_becomes_an_absolute_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class_folders(tmp_path / "set", SIZES)
    monkeypatch.chdir(tmp_path)

    assert data_at(Path("set"))["path"] == str(tmp_path / "set")


def test_textures_need_no_cache_and_leave_none(tmp_path: Path) -> None:
    dataset = load(Textures(num_images=20, num_test=10), cache=tmp_path / "cache")

    assert (dataset.num_train, dataset.num_test, dataset.size) == (20, 10, 32)
    assert not (tmp_path / "cache").exists()
    assert np.prod(dataset.pretraining_images().batch(torch.arange(20)).images.shape) == 61_440
