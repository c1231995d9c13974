"""Finds which files in a folder or a tar are images, and their class and split."""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Literal, NamedTuple

from simclr_core.data.file_reader import File, Found, shown
from simclr_core.errors import DataError

Part = Literal["train", "test"]

_STAND_INS_FOR_TEST = ("val", "valid", "validation")
_PICTURES = {".jpg", ".jpeg", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm"}
_FORM = "one folder of images for each class, or train/ and test/ with such folders"


class Member(NamedTuple):
    """A file that is an image of a class."""

    file: File
    part: Part
    class_name: str

    name: str
    """Path below the class folder; what a split and the order of images go by."""


class Listing(NamedTuple):
    """The images of a folder or a tar."""

    members: tuple[Member, ...]
    """In the order of part, class and name: train first."""

    class_names: tuple[str, ...]

    own_parts: bool
    """Whether train/ and test/ (or val/) stood there; else the split was made by the rule."""

    unused: tuple[str, ...]
    """Folders next to train/ and test/, whose files are not read."""

    strays: tuple[str, ...]
    """Files in class folders that are no images by the ends of their names; they are skipped."""


def sort_out(found: Found, where: str, test_fraction: float, split_seed: int) -> Listing:
    """The images among the files `found` in the folder or tar named `where`.

    Single folders around everything are stepped into. With train/ next to test/ (or val/, valid/,
    validation/) their folders are the classes. Otherwise the folders are the classes and each
    class's images, in the order of SHA-256 over (split_seed, class, name), give their first
    `test_fraction` (rounded; at least one, not all) to the test split. In a class folder, at any
    depth, a file is an image by the end of its name, as in torchvision's ImageFolder; others are
    skipped and listed. Whether it can be read as one is found when it is decoded.

    Raises:
        DataError: everything that keeps the files from being such a data set, in one text.
    """
    depth = _num_outer_folders(found.files)
    parts, unused = _parts(found.files, depth)
    level = depth + 1 if parts else depth
    members: list[Member] = []
    loose: list[str] = []
    strays: list[str] = []
    for file in found.files:
        part = parts.get(file.name[depth]) if parts and len(file.name) > level else "train"
        if len(file.name) > level + 1 and part:
            if _suffix(file) not in _PICTURES:
                strays.append("/".join(file.name))
                continue
            class_name, name = _plain(file.name[level]), _plain("/".join(file.name[level + 1 :]))
            members.append(Member(file, part, class_name, name))
        elif part and _suffix(file) in _PICTURES:
            loose.append("/".join(file.name))
    folders = {
        name[: level + 1]
        for name in found.folders
        if len(name) > level and (not parts or name[depth] in parts)
    }
    empty = folders - {member.file.name[: level + 1] for member in members}
    _check(
        members, loose, sorted("/".join(f) for f in empty), strays, found, where, own=bool(parts)
    )
    if not parts:
        members = _split(members, test_fraction, split_seed)
    members.sort(key=lambda member: (member.part == "test", member.class_name, member.name))
    names = tuple(sorted({member.class_name for member in members}))
    return Listing(tuple(members), names, bool(parts), unused, tuple(sorted(strays)))


def skipped(strays: Sequence[str]) -> str | None:
    """What a reader should know of files that were skipped; None where none was."""
    if not strays:
        return None
    verb = (
        "file does not have the suffix of an image and is"
        if len(strays) == 1
        else ("files do not have the suffix of an image and are")
    )
    return f"{len(strays):,} {verb} skipped: {_some(strays)}"


def _plain(name: str) -> str:
    # Umlauts arrive composed from Linux and in two characters from macOS: one spelling for both.
    return unicodedata.normalize("NFC", shown(name))


def _suffix(file: File) -> str:
    return PurePosixPath(file.name[-1]).suffix.casefold()


def _num_outer_folders(files: Sequence[File]) -> int:
    depth = 0
    while (
        len({file.name[depth] for file in files if len(file.name) > depth + 1}) == 1
        and any(len(file.name) > depth + 2 for file in files)
        and not any(len(file.name) <= depth + 2 and _suffix(file) in _PICTURES for file in files)
    ):
        files = [file for file in files if len(file.name) > depth + 1]
        depth += 1
    return depth


def _parts(files: Sequence[File], depth: int) -> tuple[dict[str, Part], tuple[str, ...]]:
    tops = {f.name[depth].casefold(): f.name[depth] for f in files if len(f.name) > depth + 2}
    test = next((tops[name] for name in ("test", *_STAND_INS_FOR_TEST) if name in tops), None)
    if "train" not in tops or test is None:
        return {}, ()
    parts: dict[str, Part] = {tops["train"]: "train", test: "test"}
    return parts, tuple(sorted(set(tops.values()) - set(parts)))


def _check(
    members: Sequence[Member],
    loose: Sequence[str],
    empty: Sequence[str],
    strays: Sequence[str],
    found: Found,
    where: str,
    *,
    own: bool,
) -> None:
    if not members:
        what = "contains no folders of images" if found.files or found.folders else "is empty"
        if strays:
            what += f" (none of its {len(strays):,} files, such as {shown(strays[0])}, ends in"
            what += f" {', '.join(sorted(_PICTURES))})"
        raise DataError(f"{where} {what}; it should contain {_FORM}")
    mistakes: list[str] = []
    if empty:
        mistakes.append(f"no images in {_some(empty)}")
    if loose:
        mistakes.append(f"images outside the class folders: {_some(sorted(loose))}")
    sizes = Counter((member.part, member.class_name) for member in members)
    train, test = ({name for p, name in sizes if p == part} for part in ("train", "test"))
    if own and (train - test):
        mistakes.append(
            f"classes in train that are missing from test: {_some(sorted(train - test))}"
        )
    if own and (test - train):
        mistakes.append(
            f"classes in test that are missing from train: {_some(sorted(test - train))}"
        )
    if len(train | test) == 1:
        mistakes.append(f"only one class, {next(iter(train | test))}, but a probe needs two")
    if not own and (small := sorted(name for (_, name), n in sizes.items() if n < 2)):
        mistakes.append(
            "if there is no train/ and test/, each class needs at least two images, one for each "
            "split; too few in " + _some(small)
        )
    if mistakes:
        raise DataError(f"{where}: {'; '.join(mistakes)}; it should contain {_FORM}")


def _some(names: Sequence[str]) -> str:
    first = ", ".join(shown(name) for name in names[:5])
    return first if len(names) <= 5 else f"{first} and {len(names) - 5:,} more"


def _split(members: Sequence[Member], fraction: float, seed: int) -> list[Member]:
    classes: dict[str, list[Member]] = {}
    for member in members:
        classes.setdefault(member.class_name, []).append(member)
    split: list[Member] = []
    for name, own in classes.items():
        own.sort(key=lambda m: hashlib.sha256(f"{seed}/{name}/{m.name}".encode()).digest())
        num_test = min(max(1, round(fraction * len(own))), len(own) - 1)
        split += [m._replace(part="test" if i < num_test else "train") for i, m in enumerate(own)]
    return split
