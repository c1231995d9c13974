"""A folder or a tar of images in class folders, as a data set."""

import difflib
import hashlib
import unicodedata
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from simclr_core.data.class_split import Listing, skipped, sort_out
from simclr_core.data.contract import Data
from simclr_core.data.decode_cache import Source
from simclr_core.data.decoding import DECODING_VERSION, decode, num_bytes
from simclr_core.data.file_reader import contents, is_tar, shown, walk
from simclr_core.data.fingerprints import digest, remembered, stamp
from simclr_core.data.splitmix import permutation
from simclr_core.errors import DataError, DataMissing
from simclr_core.file_kinds import not_a_file

_HEADERS = 1000


_PUBLISHED = {"ImageNet (ILSVRC 2012)": 1_281_167}
"""Training images of published data sets that are not available yet, by name."""


class Folder(Data):
    """Images in class folders, in a folder or a tar (packed or not) that is read as it stands.

    `train/<class>/...` next to `test/<class>/...` (or val/, valid/, validation/), or the class
    folders alone, which are then split by a rule that looks at names only (`listing.sort_out`).
    Hidden files and files that file managers create are skipped. The same files give the same
    fingerprint as a folder and as a tar, wherever they are stored.
    """

    kind: Literal["folder"] = "folder"

    name: str | None = Field(default=None, examples=["Flowers"])
    """The name of the data in reports; None: the name of the folder or archive."""

    path: str | None = Field(default=None, examples=["../images"])
    """The folder or tar; None: the data are named but not available."""

    size: int = Field(default=32, ge=8, le=1024)
    """Side of the views in px; images with a short side above twice this are reduced to twice."""

    num_images: int | None = Field(default=None, ge=2, examples=[10_000])
    """A subset of the training images, drawn without looking at labels; None: all."""

    subset_seed: int = Field(default=0, ge=0)
    """The seed of the subset."""

    test_fraction: float = Field(default=0.2, gt=0, lt=1)
    """The share of each class in the test split, if there is no train/ and test/ (or val/)."""

    split_seed: int = Field(default=0, ge=0)
    """The seed of that split."""

    @model_validator(mode="after")
    def _no_idle_seed(self) -> Self:
        if self.num_images is None and self.subset_seed:
            raise ValueError(
                "subset_seed has no effect without num_images; set num_images, or leave "
                "subset_seed out"
            )
        return self

    def shown_name(self) -> str:
        return self.name or (shown(_bare(Path(self.path).absolute().name)) if self.path else "data")

    @property
    def expected_images(self) -> int | None:
        if self.num_images is not None:
            return self.num_images
        return _PUBLISHED.get(self.name or "") if self.path is None else None

    def counted(self) -> tuple[int, int] | None:
        """Images of train and test, by name; None for an archive, which would be read to its end."""
        path = _at_hand(self.path, self.shown_name())
        if not path.is_dir():
            return None
        members = self._listing(path).members
        train = sum(member.part == "train" for member in members)
        return self.num_images or train, len(members) - train

    def fingerprint(self, cache: Path | None) -> str:
        """SHA-256 over every file's class, name and bytes and over what is drawn from them."""
        path = _at_hand(self.path, self.shown_name())
        facts = self._remembered(path, cache)
        self._no_idle_split(path, own_parts=facts["own_parts"])
        split = None if facts["own_parts"] else (self.test_fraction, self.split_seed)
        subset = None if self.num_images is None else (self.num_images, self.subset_seed)
        name = "pictures"  # old name: part of every fingerprint
        return digest(name, DECODING_VERSION, facts["content"], self.size, split, subset)

    def skipped(self, cache: Path | None) -> str | None:
        path = _at_hand(self.path, self.shown_name())
        if cache is None:  # names are enough, and to find the rest every byte would be read again
            return skipped(self._listing(path).strays)
        return self._remembered(path, cache)["skipped"]

    def source(self) -> Source:
        path = _at_hand(self.path, self.shown_name())
        listing = self._listing(path)
        self._no_idle_split(path, own_parts=listing.own_parts)
        train = [member for member in listing.members if member.part == "train"]
        test = [member for member in listing.members if member.part == "test"]
        train = [train[i] for i in subset(len(train), self.num_images, self.subset_seed, path)]
        files = [member.file for member in (*train, *test)]
        number = {name: i for i, name in enumerate(listing.class_names)}

        def estimate() -> int:
            sample = files[:: len(files) // _HEADERS + 1] if path.is_dir() else files
            sizes = [num_bytes(f, self.size) for _, f in islice(contents(path, sample), _HEADERS)]
            return sum(sizes) * len(files) // len(sizes)

        return Source(
            where=shown(str(path)),
            class_names=listing.class_names,
            labels=[number[member.class_name] for member in (*train, *test)],
            num_train=len(train),
            size=self.size,
            notes=_notes(listing, self.test_fraction, self.split_seed),
            name=lambda i: shown("/".join(files[i].name)),
            items=lambda: contents(path, files),
            decode=lambda file: decode(file, self.size),
            estimate=estimate,
        )

    def _listing(self, path: Path) -> Listing:
        return sort_out(walk(path), shown(str(path)), self.test_fraction, self.split_seed)

    def _remembered(self, path: Path, cache: Path | None) -> Mapping[str, Any]:
        found = walk(path) if path.is_dir() else None
        mark = stamp(path, found)
        return remembered(cache, "images", path, mark, lambda: self._facts(path))

    def _facts(self, path: Path) -> dict[str, Any]:
        listing = self._listing(path)
        rows: list[tuple[str, str, str, str]] = []
        for i, file in contents(path, [member.file for member in listing.members]):
            member = listing.members[i]
            part = member.part if listing.own_parts else ""
            rows.append((part, member.class_name, member.name, hashlib.sha256(file).hexdigest()))
        return {
            "content": digest(sorted(rows)),
            "own_parts": listing.own_parts,
            "skipped": skipped(listing.strays),
        }

    def _no_idle_split(self, path: Path, *, own_parts: bool) -> None:
        fields = type(self).model_fields
        idle = [
            f"data.{name}={getattr(self, name)}"
            for name in ("test_fraction", "split_seed")
            if own_parts and getattr(self, name) != fields[name].default
        ]
        if idle:
            raise DataError(
                f"{path} has its own train and test splits, so none is sampled: leave "
                f"{' and '.join(idle)} out"
            )


def subset(num: int, wanted: int | None, seed: int, path: Path) -> list[int]:
    """Which of `num` training images are used: the first `wanted` of a permutation, in order."""
    if wanted is None:
        return list(range(num))
    if wanted > num:
        raise DataError(
            f"{path} has {num:,} training images, but data.num_images is {wanted:,}; set it to at "
            f"most {num}, or to null for all"
        )
    return sorted(permutation(num, seed)[:wanted].tolist())


def _at_hand(path: str | None, name: str) -> Path:
    if path is None:
        raise DataMissing(f"{name} is not available; name its folder or tar of images with --data")
    return existing(Path(path))


def existing(path: Path) -> Path:
    """The path of a folder or a tar, in the spelling that its file system has for umlauts.

    Raises:
        DataError: there is none.
    """
    path = _as_spelled(path)
    try:
        kind = not_a_file(path)
    except (OSError, ValueError):
        kind = None
    if kind not in (None, "a folder"):
        raise DataError(f"{shown(str(path))} is {kind}; name a folder or a tar instead")
    if not path.exists():
        raise DataError(f"no folder or archive at {shown(str(path))}{_nearest(path)}")
    if not path.is_dir() and not is_tar(path):
        raise DataError(
            f"{shown(str(path))} is neither a folder nor a tar (.tar, .tar.gz, .tar.bz2, .tar.xz); "
            "unpack it and name the folder"
        )
    return path


def _as_spelled(path: Path) -> Path:
    # macOS writes an umlaut as two characters, most keyboards as one: both name one folder.
    if path.exists() or path == path.parent:
        return path
    parent = _as_spelled(path.parent)
    wanted = unicodedata.normalize("NFC", path.name)
    for name in _names_in(parent):
        if unicodedata.normalize("NFC", name) == wanted:
            return parent / name
    return parent / path.name


def _nearest(path: Path) -> str:
    close = difflib.get_close_matches(path.name, _names_in(path.parent), n=1)
    return f"; did you mean {shown(close[0])!r}?" if close else "; check the path"


def _names_in(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return []


def _bare(name: str) -> str:
    for suffix in (".gz", ".bz2", ".xz", ".tgz", ".tar"):
        name = name.removesuffix(suffix)
    return name


def _notes(listing: Listing, fraction: float, seed: int) -> tuple[str, ...]:
    notes: list[str] = []
    if not listing.own_parts:
        notes.append(
            f"the images come without train and test splits: {fraction:.0%} of each class, sampled "
            f"by file name (seed {seed}), are the test split"
        )
    if (note := skipped(listing.strays)) is not None:
        notes.append(note)
    if listing.unused:
        notes.append(f"not used: the folders {', '.join(map(shown, listing.unused))}")
    return tuple(notes)
