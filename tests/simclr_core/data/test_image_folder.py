"""A folder or a tar of images in class folders: which file is which class and part."""

import hashlib
import shutil
import tarfile
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch
from made_folders import class_folders, noise, packed, pixels_of
from PIL import Image
from pydantic import TypeAdapter, ValidationError
from scipy import stats

from simclr_core.data.dataset import AnyData, Dataset, Part, fingerprint, load
from simclr_core.data.image_folder import Folder, subset

SIZES = {"train/cat": 5, "train/dog": 3, "test/cat": 2, "test/dog": 4}


def _load(path: Path, **settings: object) -> Dataset:
    return load(Folder(path=str(path), **settings), cache=None)


def _pictures(dataset: Dataset, part: Part) -> list[tuple[str, bytes]]:
    """The class and the content hash of each picture of a part."""
    images, labels, _ = dataset.labelled(part)
    names = [dataset.class_names[label] for label in labels.tolist()]
    return list(zip(names, images.content_hashes(), strict=True))


def _on_disk(folder: Path) -> list[tuple[str, bytes]]:
    """The same, read from the folder of a part by Pillow, class by class, file by file."""
    return [
        (file.parent.name, _hash(Image.open(file)))
        for file in sorted(folder.glob("*/*.png"), key=lambda f: (f.parent.name, f.name))
    ]


def _hash(image: Image.Image) -> bytes:
    text = f"{image.height} {image.width} ".encode()
    return hashlib.sha256(text + pixels_of(image).tobytes()).digest()


# -------------------------------------------------------------------------------- train and test


def test_train_is_what_stands_in_train_and_test_what_stands_in_test(tmp_path: Path) -> None:
    class_folders(tmp_path, SIZES)

    dataset = _load(tmp_path)

    assert dataset.class_names == ("cat", "dog")
    assert (dataset.num_train, dataset.num_test, dataset.num_classes) == (8, 6, 2)
    assert _pictures(dataset, "train") == _on_disk(tmp_path / "train")
    assert _pictures(dataset, "test") == _on_disk(tmp_path / "test")
    assert dataset.deviations == ()


@pytest.mark.parametrize("name", ["val", "valid", "Validation", "TEST"])
def test_the_part_that_is_tested_on_may_have_another_name(tmp_path: Path, name: str) -> None:
    class_folders(tmp_path, {part.replace("test", name): n for part, n in SIZES.items()})

    dataset = _load(tmp_path)

    assert _pictures(dataset, "test") == _on_disk(tmp_path / name)


def test_test_goes_before_val_and_what_nobody_reads_is_said(tmp_path: Path) -> None:
    class_folders(tmp_path, SIZES | {"val/cat": 1, "val/dog": 1})

    dataset = _load(tmp_path)

    assert dataset.num_test == 6
    assert dataset.deviations == ("not used: the folders val",)


def test_single_folders_around_everything_are_stepped_into(tmp_path: Path) -> None:
    class_folders(tmp_path / "outer" / "inner", SIZES)

    assert fingerprint(Folder(path=str(tmp_path)), None) == fingerprint(
        Folder(path=str(tmp_path / "outer" / "inner")), None
    )


def test_a_class_folder_may_hold_folders(tmp_path: Path) -> None:
    class_folders(tmp_path, {"cat": 2, "dog/small": 2, "dog/large": 2})

    dataset = _load(tmp_path)

    assert dataset.class_names == ("cat", "dog")
    assert dataset.num_train + dataset.num_test == 6


def test_hidden_files_and_what_file_managers_leave_are_passed_over(tmp_path: Path) -> None:
    class_folders(tmp_path, SIZES)
    before = fingerprint(Folder(path=str(tmp_path)), None)
    for name in (".DS_Store", "train/cat/._0.png", "train/Thumbs.db", "__MACOSX/x/0.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"?")

    assert fingerprint(Folder(path=str(tmp_path)), None) == before
    assert _load(tmp_path).num_train == 8


def test_names_with_blanks_and_umlauts_are_classes_like_others(tmp_path: Path) -> None:
    names = ("Großer Bär", "kleiner bär", "日本 語")
    class_folders(tmp_path, {f"{part}/{name}": 2 for part in ("train", "test") for name in names})
    (tmp_path / "train" / "Großer Bär" / "0.png").rename(
        tmp_path / "train" / "Großer Bär" / "schönes Bild (1).png"
    )

    dataset = _load(tmp_path)

    assert dataset.class_names == names
    assert _pictures(dataset, "train") == _on_disk(tmp_path / "train")


def test_an_umlaut_in_one_sign_and_in_two_is_one_name(tmp_path: Path) -> None:
    for form in ("NFC", "NFD"):
        name = unicodedata.normalize(form, "Bär")
        class_folders(tmp_path / form, {name: 3, "Hund": 3})

    one, two = (Folder(path=str(tmp_path / form), name="x") for form in ("NFC", "NFD"))

    assert fingerprint(one, None) == fingerprint(two, None)
    assert load(two, cache=None).class_names == ("Bär", "Hund")


# ------------------------------------------------------------------------------------ own split


def test_without_parts_a_fifth_of_each_class_by_hashed_name_is_tested_on(tmp_path: Path) -> None:
    sizes = {"a": 2, "b": 7, "c": 10, "d": 13, "e": 20, "f": 31, "g": 3}
    class_folders(tmp_path, sizes)

    dataset = _load(tmp_path, split_seed=3)

    expected: set[tuple[str, bytes]] = set()
    for name, num in sizes.items():
        files = sorted(
            (f"{i}.png" for i in range(num)),
            key=lambda file: hashlib.sha256(f"3/{name}/{file}".encode()).hexdigest(),
        )
        for file in files[: max(1, round(0.2 * num))]:
            expected.add((name, _hash(Image.open(tmp_path / name / file))))
    assert set(_pictures(dataset, "test")) == expected
    assert set(_pictures(dataset, "train")) == set(_on_disk(tmp_path)) - expected
    [note] = dataset.deviations
    assert note == (
        "the images come without train and test splits: 20% of each class, sampled by file name "
        "(seed 3), are the test split"
    )


def test_another_seed_or_share_is_another_split_with_a_fingerprint_of_its_own(
    tmp_path: Path,
) -> None:
    class_folders(tmp_path, {"a": 12, "b": 12})
    splits = [{}, {"split_seed": 1}, {"test_fraction": 0.5}]

    loaded = [_load(tmp_path, **settings) for settings in splits]

    assert len({frozenset(_pictures(dataset, "test")) for dataset in loaded}) == 3
    assert len({dataset.fingerprint for dataset in loaded}) == 3
    assert [dataset.num_test for dataset in loaded] == [4, 4, 12]


def test_a_picture_more_moves_no_other_from_train_to_test(tmp_path: Path) -> None:
    class_folders(tmp_path, {"a": 20, "b": 20})
    before = set(_pictures(_load(tmp_path, test_fraction=0.5), "test"))
    noise(1000).save(tmp_path / "b" / "one more.png")

    after = set(_pictures(_load(tmp_path, test_fraction=0.5), "test"))

    assert len(before - after) <= 1
    assert {name for name, _ in before ^ after} <= {"b"}


# --------------------------------------------------------------------------------------- the tar


@pytest.mark.parametrize("name", ["set.tar", "set.tar.gz", "set.tar.xz"])
@pytest.mark.parametrize("sizes", [SIZES, {"Bär": 6, "zwei Hunde": 4}], ids=["parts", "no parts"])
def test_a_tar_is_the_folder_that_was_packed(
    tmp_path: Path, name: str, sizes: dict[str, int]
) -> None:
    folder = class_folders(tmp_path / "set", sizes)
    archive = packed(folder, tmp_path / name)

    unpacked, from_tar = _load(folder), _load(archive)

    assert from_tar.fingerprint == unpacked.fingerprint
    assert from_tar.name == unpacked.name == "set"
    for part in ("train", "test"):
        assert _pictures(from_tar, part) == _pictures(unpacked, part)


def test_of_one_name_twice_in_a_tar_the_later_entry_counts(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "set", SIZES)
    archive = packed(folder, tmp_path / "set.tar")
    noise(500).save(folder / "train" / "cat" / "0.png")
    with tarfile.open(archive, "a") as tar:
        tar.add(folder / "train" / "cat" / "0.png", "train/cat/0.png")

    assert _pictures(_load(archive), "train") == _on_disk(folder / "train")


# ------------------------------------------------------------------------------ shapes and modes


def test_a_picture_keeps_its_shape_and_any_mode_is_read(tmp_path: Path) -> None:
    class_folders(tmp_path, {"a": 2, "b": 2})
    for i, mode in enumerate(("L", "P", "CMYK", "RGBA", "LA", "1")):
        form = "tiff" if mode == "CMYK" else "png"
        noise(i, 48, 64).convert(mode).save(tmp_path / "a" / f"mode {mode}.{form}")
    grey = np.random.default_rng(0).integers(0, 65536, (48, 64)).astype(np.uint16)
    Image.fromarray(grey).save(tmp_path / "b" / "16 bit.png")

    dataset = _load(tmp_path)

    shapes = [
        shape
        for part in ("train", "test")
        for shape in dataset.labelled(part).images.shapes.tolist()
    ]
    assert sorted(shapes) == [[12, 12]] * 4 + [[48, 64]] * 7
    assert len(dataset.deviations) == 1, "the split, and nothing about shapes"


def test_what_was_reduced_is_on_record(tmp_path: Path) -> None:
    class_folders(tmp_path, SIZES)
    noise(100, 480, 640).save(tmp_path / "train" / "cat" / "large.png")

    one = _load(tmp_path)
    noise(101, 500, 200).save(tmp_path / "train" / "dog" / "high.png")
    two = _load(tmp_path)

    assert one.deviations == ("short side reduced to 64 px from 480 px before cropping (1 of 15)",)
    assert two.deviations == (
        "short side reduced to 64 px from 200 to 480 px before cropping (2 of 16)",
    )
    assert [64, 85] in one.pretraining_images().shapes.tolist()


def test_where_all_are_reduced_no_share_is_told(tmp_path: Path) -> None:
    for i, part in enumerate(("train", "test")):
        for name in ("a", "b"):
            (tmp_path / part / name).mkdir(parents=True)
            for j in range(2):
                seed = 10 * i + 2 * (name == "b") + j
                noise(seed, 40, 40).save(tmp_path / part / name / f"{j}.png")

    dataset = _load(tmp_path, size=16)

    assert dataset.deviations == ("short side reduced to 32 px from 40 px before cropping",)
    assert dataset.labelled("test").images.shapes.tolist() == [[32, 32]] * 4


# ---------------------------------------------------------------------------------------- subset


def test_a_subset_takes_train_pictures_only_and_leaves_test_as_it_is(tmp_path: Path) -> None:
    class_folders(tmp_path, {"train/a": 10, "train/b": 10, "test/a": 3, "test/b": 3})

    whole, some = _load(tmp_path), _load(tmp_path, num_images=7)

    assert (some.num_train, some.num_test) == (7, 6)
    assert len(some.pretraining_images()) == 7
    assert set(_pictures(some, "train")) < set(_pictures(whole, "train"))
    assert _pictures(some, "test") == _pictures(whole, "test")


def test_a_smaller_subset_is_part_of_a_larger_one() -> None:
    small, large = (set(subset(1000, num, 5, Path("x"))) for num in (10, 100))

    assert small < large
    assert subset(10, None, 0, Path("x")) == list(range(10))


@pytest.mark.statistical
def test_a_subset_holds_as_many_of_a_class_as_a_blind_draw_would() -> None:
    # The first 40 of 100 pictures are a class; 30 are drawn, 2,000 times: hypergeometric. One
    # chi-square test with false-alarm rate 1e-6; a draw that balanced classes would have no spread.
    counts = [sum(i < 40 for i in subset(100, 30, seed, Path("x"))) for seed in range(2000)]

    inner = np.arange(9, 16)
    expected = stats.hypergeom(100, 40, 30).pmf(inner) * 2000
    observed = np.bincount(counts, minlength=31)[inner]
    rest = 2000 - expected.sum(), 2000 - observed.sum()
    assert stats.chisquare([*observed, rest[1]], [*expected, rest[0]]).pvalue > 1e-6


@pytest.mark.statistical
def test_every_picture_is_as_likely_in_a_subset() -> None:
    # 2,000 draws of 30 of 100: each picture 600 times expected; Sidak over 100 binomial tests.
    drawn = torch.bincount(
        torch.tensor([i for seed in range(2000) for i in subset(100, 30, seed, Path("x"))]),
        minlength=100,
    )

    pvalues = [stats.binomtest(int(num), 2000, 0.3).pvalue for num in drawn]

    assert min(pvalues) > 1e-6 / 100


# --------------------------------------------------------------------------------------- settings


def test_the_name_is_the_folders_or_the_archives_own_unless_given(tmp_path: Path) -> None:
    assert Folder(path=str(tmp_path / "my cats")).shown_name() == "my cats"
    assert Folder(path="here/birds.tar.gz").shown_name() == "birds"
    assert Folder(path="here/birds.tar", name="Birds").shown_name() == "Birds"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"size": 4}, "greater than or equal to 8"),
        ({"num_images": 1}, "greater than or equal to 2"),
        ({"test_fraction": 1.0}, "less than 1"),
        (
            {"subset_seed": 1},
            (
                "subset_seed has no effect without num_images; set num_images, or leave "
                "subset_seed out"
            ),
        ),
        ({"where": "x"}, "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_rule(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        TypeAdapter(AnyData).validate_python({"kind": "folder", **settings})


def test_the_same_folder_elsewhere_is_the_same_data(tmp_path: Path) -> None:
    class_folders(tmp_path / "here", SIZES)
    shutil.copytree(tmp_path / "here", tmp_path / "there" / "deeper")

    here, there = (
        Folder(path=str(path), name="x") for path in (tmp_path / "here", tmp_path / "there/deeper")
    )

    assert fingerprint(here, None) == fingerprint(there, None)
