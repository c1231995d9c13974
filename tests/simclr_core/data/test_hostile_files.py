"""Files among images that are none, never end, or would unpack to more than a machine holds."""

import gzip
import io
import os
import socket
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from made_folders import class_folders, file_of, noise, packed
from PIL import Image

from simclr_core import file_kinds
from simclr_core.data import decoding, file_reader
from simclr_core.data.dataset import data_at, fingerprint, load
from simclr_core.data.image_folder import Folder
from simclr_core.errors import DataError
from sweeps import file_kinds as the_engines

SIZES = {"train/cat": 3, "train/dog": 3, "test/cat": 2, "test/dog": 2}


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        load(Folder(path=str(path)), cache=None)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ------------------------------------------------------------------------------- stray files


def test_files_that_are_no_images_by_name_are_skipped_and_listed(tmp_path: Path) -> None:
    class_folders(tmp_path, SIZES)
    before = load(Folder(path=str(tmp_path)), cache=None)
    for name in ("train/cat/notes.txt", "test/dog/labels.csv", "train/dog/Liesmich", "readme.md"):
        (tmp_path / name).write_text("no image")

    after = load(Folder(path=str(tmp_path)), cache=None)

    assert after.fingerprint == before.fingerprint
    assert (after.num_train, after.num_test) == (6, 4)
    sentence = (
        "3 files do not have the suffix of an image and are skipped: test/dog/labels.csv, "
        "train/cat/notes.txt, train/dog/Liesmich"
    )
    assert after.deviations == (sentence,)
    assert Folder(path=str(tmp_path)).skipped(None) == sentence
    assert Folder(path=str(tmp_path)).skipped(tmp_path / "cache") == sentence


def test_what_torchvision_takes_for_an_image_is_one(tmp_path: Path) -> None:
    from torchvision.datasets.folder import IMG_EXTENSIONS

    class_folders(tmp_path, {"cat": 2, "dog": 2})
    for i, end in enumerate((*IMG_EXTENSIONS, ".PNG", ".JpEg")):
        form = {".jpg": "jpeg", ".tif": "tiff", ".pgm": "ppm"}.get(end.lower(), end.lower()[1:])
        image = noise(50 + i).convert("L") if end == ".pgm" else noise(50 + i)
        (tmp_path / "cat" / f"x{i}{end}").write_bytes(file_of(image, form))

    dataset = load(Folder(path=str(tmp_path)), cache=None)

    assert dataset.num_train + dataset.num_test == 4 + len(IMG_EXTENSIONS) + 2


def test_a_broken_file_with_an_images_name_is_refused_by_name(tmp_path: Path) -> None:
    class_folders(tmp_path, SIZES)
    (tmp_path / "train" / "cat" / "notes.jpg").write_text("no image")
    (tmp_path / "train" / "cat" / "notes.txt").write_text("no image")

    message = refusal(tmp_path)

    assert "1 of 11 files cannot be read as images: train/cat/notes.jpg (not an image" in message
    assert "notes.txt" not in message


def test_a_folder_of_nothing_but_strays_says_which_names_count(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.npy").write_bytes(b"x")

    message = refusal(tmp_path)

    assert "none of its 2 files, such as a/0.npy, ends in" in message
    assert ".jpg" in message


# ------------------------------------------------------------------------------- special files


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's name has at most 107 bytes
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(path.name)
    finally:
        os.chdir(here)


def _zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


SPECIAL: list[tuple[Callable[[Path], None], str]] = [
    (_fifo, "a FIFO"),
    (_socket, "a socket"),
    (_zero, "a character device"),
]


@pytest.mark.timeout(30)
@pytest.mark.parametrize(("make", "kind"), SPECIAL)
def test_special_files_are_refused_with_their_kind_and_never_opened(
    tmp_path: Path, make: Callable[[Path], None], kind: str
) -> None:
    class_folders(tmp_path / "set", SIZES)
    make(tmp_path / "set" / "train" / "cat" / "x.png")
    make(tmp_path / "alone")

    inside = refusal(tmp_path / "set")

    assert f"train/cat/x.png is {kind}, which cannot hold an image; remove it" in inside
    for ask in (data_at, refusal):
        if ask is data_at:
            with pytest.raises(DataError, match=f"alone is {kind}; name a folder or a tar instead"):
                ask(tmp_path / "alone")
        else:
            assert f"alone is {kind}" in refusal(tmp_path / "alone")


def test_both_packages_name_files_alike(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for make, name in ((_fifo, "fifo"), (_socket, "socket"), (_zero, "zero")):
        make(tmp_path / name)

    for path in (*tmp_path.iterdir(), tmp_path):
        assert file_kinds.not_a_file(path) == the_engines.not_a_file(path)
    assert file_kinds.not_a_file(tmp_path / "file") is None
    assert file_kinds.not_a_file(tmp_path) == "a folder"


# ------------------------------------------------------------------------------- sizes


def test_an_image_of_too_many_pixels_is_refused_by_name_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class_folders(tmp_path, SIZES)
    noise(9, 60, 50).save(tmp_path / "train" / "cat" / "large.png")
    monkeypatch.setattr(decoding, "MOST_PIXELS", 2999)
    monkeypatch.setattr(Image.Image, "convert", lambda *_, **__: pytest.fail("decoded"))

    message = refusal(tmp_path)

    assert "train/cat/large.png (more than 2,999 pixels: 50 x 60; save it smaller)" in message
    monkeypatch.setattr(decoding, "MOST_PIXELS", 3000)
    assert load(Folder(path=str(tmp_path)), cache=None).num_train == 7


def test_what_pillow_calls_a_bomb_is_refused_by_name(tmp_path: Path) -> None:
    class_folders(tmp_path, SIZES)
    head = b"P6 200000 200000 255\n"
    (tmp_path / "train" / "cat" / "bomb.ppm").write_bytes(head + b"\0" * 100)

    assert "train/cat/bomb.ppm (more than 178,956,970 pixels" in refusal(tmp_path)


def test_a_file_larger_than_any_image_is_not_read(tmp_path: Path) -> None:
    class_folders(tmp_path, SIZES)
    with (tmp_path / "train" / "cat" / "huge.png").open("wb") as file:
        file.truncate(20 * 2**30)  # sparse: takes no disk

    assert "huge.png has 21,474,836,480 bytes, but an image file may have at most" in refusal(
        tmp_path
    )


def _claiming(path: Path, size: int, kind: bytes = tarfile.REGTYPE) -> Path:
    """A tar whose second entry claims a size that nothing stands behind."""
    first, second = tarfile.TarInfo("cat/0.png"), tarfile.TarInfo("cat/1.png")
    content = file_of(noise(1))
    first.size, second.size, second.type = len(content), size, kind
    with path.open("wb") as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            tar.addfile(first, io.BytesIO(content))
        file.seek(-file.tell() % 512 + 1024 + -(-len(content) // 512) * 512 - 512)
        file.write(second.tobuf() + b"\0" * 2048)
        file.truncate()
    return path


@pytest.mark.parametrize("size", [3 * 10**9, 8 * 10**12])
def test_an_entry_that_claims_to_be_huge_is_refused_from_its_header(
    tmp_path: Path, size: int
) -> None:
    message = refusal(_claiming(tmp_path / "set.tar", size))

    assert "cat/1.png" in message
    assert f"{size // 10**9:,}," in message
    assert "would unpack to" in message


def test_a_header_that_claims_a_huge_name_is_not_read(tmp_path: Path) -> None:
    message = refusal(_claiming(tmp_path / "set.tar", 200 * 10**6, tarfile.XHDTYPE))

    assert message == (
        f"{tmp_path / 'set.tar'} is truncated after cat/0.png (a name of 200,000,000 bytes); "
        "download or pack the archive again"
    )


def test_an_archive_that_grows_beyond_its_size_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_reader, "UNPACKED_FREELY", 1_000_000)
    class_folders(tmp_path / "set", {"cat": 3, "dog": 3})
    (tmp_path / "set" / "cat" / "zeros.png").write_bytes(b"\0" * 40_000_000)
    archive = packed(tmp_path / "set", tmp_path / "set.tar.gz")
    assert archive.stat().st_size < 100_000

    message = refusal(archive)

    most = max(1_000_000, file_reader.UNPACKED_TIMES * archive.stat().st_size)
    assert " bytes would unpack to 40,0" in message
    assert message.endswith(
        " or more (entry cat/zeros.png), but the limit for an archive of this size is "
        f"{most:,}; pack only the images"
    )
    monkeypatch.setattr(file_reader, "UNPACKED_TIMES", 10_000)
    assert "zeros.png (not an image" in refusal(archive)


def test_a_gzip_of_one_endless_stream_is_no_tar(tmp_path: Path) -> None:
    (tmp_path / "set.tar.gz").write_bytes(gzip.compress(b"\0" * 30_000_000))

    with pytest.raises(DataError):
        fingerprint(Folder(path=str(tmp_path / "set.tar.gz")), None)
