"""What is no set of images in class folders: one text with the place, all mistakes, the way out."""

import io
import os
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from made_folders import class_folders, file_of, noise, packed

from simclr_core.data.dataset import data_at, fingerprint, load
from simclr_core.data.file_reader import File, contents
from simclr_core.data.image_folder import Folder
from simclr_core.errors import DataError, DataMissing

SIZES = {"train/cat": 3, "train/dog": 3, "test/cat": 2, "test/dog": 2}
FORM = "it should contain one folder of images for each class, or train/ and test/ with such"


def _touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise(0).save(path)


def _nothing(_: Path) -> None:
    pass


def _one_class_empty(root: Path) -> None:
    class_folders(root, SIZES)
    (root / "train" / "bird").mkdir()


def _loose(root: Path) -> None:
    class_folders(root, {"cat": 3, "dog": 3})
    _touch(root / "beside.JPG")


def _texts(root: Path) -> None:
    root.joinpath("notes.txt").write_text("nothing here")


def _two_mistakes(root: Path) -> None:
    _one_class_empty(root)
    class_folders(root, {"test/fish": 1})
    _touch(root / "train" / "beside.png")


WRONG: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "empty": (_nothing, ["is empty; ", FORM]),
    "no folders": (_texts, ["contains no folders of images; ", FORM]),
    "an empty class": (_one_class_empty, ["no images in train/bird; ", FORM]),
    "loose": (_loose, ["images outside the class folders: beside.JPG; ", FORM]),
    "one class": (
        lambda root: class_folders(root, {"only/cat": 3}),
        ["only one class, ", "but a probe needs two; "],
    ),
    "test lacks a class": (
        lambda root: class_folders(root, SIZES | {"train/fish": 2}),
        ["classes in train that are missing from test: fish; "],
    ),
    "train lacks a class": (
        lambda root: class_folders(root, SIZES | {"test/fish": 2}),
        ["classes in test that are missing from train: fish; "],
    ),
    "too few": (
        lambda root: class_folders(root, {"a": 1, "b": 5, "c": 1}),
        [
            (
                "if there is no train/ and test/, each class needs at least two images, one for "
                "each split; too few in a, c"
            )
        ],
    ),
    "all at once": (
        _two_mistakes,
        [
            "no images in train/bird; ",
            "images outside the class folders: train/beside.png; ",
            "classes in test that are missing from train: fish; ",
        ],
    ),
}


@pytest.mark.parametrize(("make", "words"), WRONG.values(), ids=WRONG.keys())
def test_a_folder_that_holds_no_such_set_is_refused_with_all_mistakes(
    tmp_path: Path, make: Callable[[Path], object], words: list[str]
) -> None:
    make(tmp_path)

    with pytest.raises(DataError) as caught:
        fingerprint(Folder(path=str(tmp_path)), None)

    text = str(caught.value)
    assert text.startswith(str(tmp_path))
    assert [part for part in words if part not in text] == []
    assert "\n" not in text


@pytest.mark.parametrize("ask", [data_at, lambda path: fingerprint(Folder(path=str(path)), None)])
def test_where_nothing_stands_the_path_is_said(
    tmp_path: Path, ask: Callable[[Path], object]
) -> None:
    with pytest.raises(DataError, match=r"no folder or archive at .*/nowhere; check the path"):
        ask(tmp_path / "nowhere")


@pytest.mark.parametrize("ask", [data_at, lambda path: fingerprint(Folder(path=str(path)), None)])
def test_a_file_that_is_no_tar_is_refused_with_the_forms_that_are_read(
    tmp_path: Path, ask: Callable[[Path], object]
) -> None:
    (tmp_path / "set.zip").write_bytes(b"PK\3\4 and so on")

    with pytest.raises(DataError, match=r"set\.zip is neither a folder nor a tar \(\.tar, "):
        ask(tmp_path / "set.zip")


def test_data_that_are_named_but_not_at_hand_are_missing_not_wrong() -> None:
    with pytest.raises(DataMissing, match="ImageNet is not available; name its folder or tar"):
        fingerprint(Folder(name="ImageNet"), None)


# ------------------------------------------------------------------------------------- bad files


def test_files_that_cannot_be_read_are_counted_and_named_with_the_way_out(tmp_path: Path) -> None:
    class_folders(tmp_path, SIZES)
    jpeg = file_of(noise(9, 40, 40), "jpeg")
    (tmp_path / "train" / "cat" / "Bär 1.jpg").write_bytes(jpeg[:400])
    (tmp_path / "test" / "dog" / "notes.png").write_text("remember the milk")
    (tmp_path / "train" / "dog" / "empty.png").write_bytes(b"")

    with pytest.raises(DataError) as caught:
        load(Folder(path=str(tmp_path)), cache=None)

    text = str(caught.value)
    assert text.startswith(f"{tmp_path}: 3 of 13 files cannot be read as images: ")
    assert "train/cat/Bär 1.jpg (truncated or damaged: " in text
    assert "train/dog/empty.png (empty file)" in text
    assert "test/dog/notes.png (not an image in a known format)" in text
    assert text.endswith(". Repair or remove them, then run again")


def test_of_many_bad_files_five_are_named(tmp_path: Path) -> None:
    class_folders(tmp_path, SIZES)
    for i in range(7):
        (tmp_path / "train" / "cat" / f"x{i}.png").write_text("no")

    with pytest.raises(DataError, match=r"7 of 17 files .*x4\.png [^;]*; and 2 more\. Repair"):
        load(Folder(path=str(tmp_path)), cache=tmp_path / "cache")

    assert not [p for p in (tmp_path / "cache").iterdir() if p.is_dir()], "nothing half decoded"


def test_a_link_to_nowhere_is_named(tmp_path: Path) -> None:
    class_folders(tmp_path, SIZES)
    (tmp_path / "train" / "cat" / "link.png").symlink_to(tmp_path / "gone.png")

    with pytest.raises(DataError, match=r"link\.png cannot be read: No such file"):
        fingerprint(Folder(path=str(tmp_path)), None)


def test_a_link_back_to_a_folder_above_is_not_followed_for_ever(tmp_path: Path) -> None:
    class_folders(tmp_path, SIZES)
    before = fingerprint(Folder(path=str(tmp_path)), None)
    (tmp_path / "train" / "cat" / "again").symlink_to(tmp_path / "train")

    assert fingerprint(Folder(path=str(tmp_path)), None) == before


# ------------------------------------------------------------------------------------------ tars


@pytest.mark.parametrize("name", ["set.tar", "set.tar.gz", "set.tar.xz"])
def test_a_torn_tar_is_named_with_the_last_whole_entry(tmp_path: Path, name: str) -> None:
    archive = packed(class_folders(tmp_path / "set", {"cat": 40, "dog": 40}), tmp_path / name)
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])

    with pytest.raises(
        DataError, match=r"is truncated after .*; download or pack the archive again"
    ):
        fingerprint(Folder(path=str(archive)), None)


def test_a_tar_that_is_cut_while_its_images_are_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = packed(class_folders(tmp_path / "set", {"cat": 4, "dog": 4}), tmp_path / "set.tar")
    with tarfile.open(archive) as tar:
        begins = tar.getmember("cat/0.png").offset_data

    def cut(path: Path, wanted: Sequence[File]) -> Iterator[tuple[int, bytes]]:
        archive.write_bytes(archive.read_bytes()[: begins + 100])
        return contents(path, wanted)

    monkeypatch.setattr("simclr_core.data.image_folder.contents", cut)

    with pytest.raises(DataError) as caught:
        load(Folder(path=str(archive)), cache=None)

    assert str(caught.value) == (
        f"{archive} is truncated after cat (unexpected end of data); download or pack the archive "
        "again"
    )


@pytest.mark.parametrize("cut", [10 * 1024, 10 * 1024 + 200, 10 * 1024 + 700])
def test_a_tar_cut_between_two_entries_is_no_smaller_set(tmp_path: Path, cut: int) -> None:
    # Entries of 512 bytes of header and 512 of content, then one that is not whole, or none.
    archive = packed(class_folders(tmp_path / "set", {"cat": 40, "dog": 40}), tmp_path / "set.tar")
    archive.write_bytes(archive.read_bytes()[:cut])

    with pytest.raises(DataError, match=r"set\.tar is truncated after cat/\d+\.png \("):
        fingerprint(Folder(path=str(archive)), None)


def test_a_tar_that_breaks_off_at_once_is_told_when_it_is_named(tmp_path: Path) -> None:
    archive = packed(class_folders(tmp_path / "set", {"cat": 4, "dog": 4}), tmp_path / "set.tar")
    archive.write_bytes(archive.read_bytes()[:2300])

    with pytest.raises(DataError, match=r"set\.tar is truncated after "):
        data_at(archive)


def test_a_tar_with_a_damaged_header_is_no_smaller_set(tmp_path: Path) -> None:
    archive = packed(class_folders(tmp_path / "set", {"cat": 40, "dog": 40}), tmp_path / "set.tar")
    content = bytearray(archive.read_bytes())
    content[content.index(b"cat/30.png")] ^= 1
    archive.write_bytes(content)

    with pytest.raises(DataError, match=r"is truncated after cat/3\.png \(bad checksum\)"):
        fingerprint(Folder(path=str(archive)), None)


@pytest.mark.parametrize("wrong", ["a link", "a name outside"])
def test_a_tar_that_leads_out_of_itself_is_refused(tmp_path: Path, wrong: str) -> None:
    archive = packed(class_folders(tmp_path / "set", SIZES), tmp_path / "set.tar")
    entry = tarfile.TarInfo("train/cat/x.png" if wrong == "a link" else "../../outside.png")
    if wrong == "a link":
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/hostname"
    with tarfile.open(archive, "a") as tar:
        tar.addfile(entry, io.BytesIO(b""))

    with pytest.raises(
        DataError, match="1 entries are links, devices or paths outside the archive"
    ):
        fingerprint(Folder(path=str(archive)), None)


# ---------------------------------------------------------------------------------------- memory


def _free(monkeypatch: pytest.MonkeyPatch, num_bytes: int) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=num_bytes))


def test_a_set_larger_than_memory_is_refused_with_its_size_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class_folders(tmp_path / "set", {"a": 2, "b": 2})
    for i in range(30):
        noise(i, 400, 600).save(tmp_path / "set" / "a" / f"{i}.bmp")
    # Each is reduced to 256 x 384: 34 pictures are 30 * 294,912 + 4 * 432 bytes.
    _free(monkeypatch, 5_000_000)
    monkeypatch.setattr("simclr_core.data.image_folder.decode", lambda *_: pytest.fail("decoded"))

    with pytest.raises(DataError) as caught:
        load(Folder(path=str(tmp_path / "set"), size=128), cache=None)

    assert str(caught.value) == (
        f"{tmp_path / 'set'}: its 34 images would need about 8.8 MB of memory, but 5.0 MB are "
        "free; use fewer (data.num_images), lower data.size (now 128), or use a machine with more "
        "memory"
    )


def test_what_turns_out_larger_than_memory_is_refused_while_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Long pictures: 12 x 600 at size 8 is reduced to 16 x 800 at most, far more than 24 x 16.
    class_folders(tmp_path, {"a": 2, "b": 2})
    for i in range(3):
        noise(i, 12, 3000).save(tmp_path / "a" / f"long{i}.png")
    _free(monkeypatch, 200_000)
    monkeypatch.setattr("simclr_core.data.image_folder.num_bytes", lambda *_: 0)

    with pytest.raises(DataError) as caught:
        load(Folder(path=str(tmp_path), size=8), cache=None)

    assert str(caught.value) == (
        f"{tmp_path}: its 7 images would need more than 0.2 MB of memory, but 0.2 MB are free; use "
        "fewer (data.num_images), lower data.size (now 8), or use a machine with more memory"
    )


# -------------------------------------------------------------------------------------- settings


def test_a_subset_larger_than_train_is_refused_with_both_numbers(tmp_path: Path) -> None:
    class_folders(tmp_path, SIZES)

    with pytest.raises(DataError, match=r"has 6 training images, but data\.num_images is 7"):
        load(Folder(path=str(tmp_path), num_images=7), cache=None)


def test_a_split_of_what_is_already_split_is_refused(tmp_path: Path) -> None:
    class_folders(tmp_path, SIZES)

    with pytest.raises(
        DataError,
        match=r"own train and test splits, so none is sampled: leave data\.test_fraction=0\.5 and"
        r" data\.split_seed=1 out",
    ):
        fingerprint(Folder(path=str(tmp_path), test_fraction=0.5, split_seed=1), None)


def test_equal_training_pictures_leave_none_to_validate_on(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for name in ("a", "b"):
            _touch(tmp_path / part / name / "0.png")

    with pytest.raises(DataError, match="fewer than two different training images"):
        load(Folder(path=str(tmp_path)), cache=None)


def test_a_name_that_is_no_text_is_shown_with_its_bytes(tmp_path: Path) -> None:
    class_folders(tmp_path, SIZES)
    folder = os.fsencode(tmp_path / "train" / "cat")
    with open(folder + b"/b\xe4r.png", "wb") as file:  # noqa: PTH123 -- a Path would do as well
        file.write(b"no picture")

    with pytest.raises(DataError, match=r"train/cat/b\\udce4r\.png \(not an image"):
        load(Folder(path=str(tmp_path)), cache=None)
