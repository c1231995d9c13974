"""Images and classes whose names some program reads as a command, as markup or as a path."""

import csv
import io
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import STUDY, called, tree, written_study
from hostile_names import NAMES
from PIL import Image

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What a terminal or a reader of text obeys instead of showing it, except the end of a line."""

DATA = "{kind: textures, num_images: 64, num_test: 32}"
FILES = [name.replace("/", "_")[:200] for name in NAMES if not name.startswith(".")]
"""The names that a file can have; one that begins with a dot is hidden, and hidden files are skipped."""


def images(classes: Mapping[str, int]) -> dict[str, bytes]:
    """Path of each image -> its bytes; every class has images of hostile names, as many as it says."""
    found: dict[str, bytes] = {}
    chance = np.random.default_rng(0)
    for label, many in classes.items():
        for nth in range(many):
            file = io.BytesIO()
            Image.fromarray(chance.integers(0, 256, (12, 12, 3), dtype=np.uint8)).save(file, "png")
            found[f"{label}/{FILES[nth % len(FILES)]} {nth}.png"] = file.getvalue()
    return found


def on_disk(root: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


def study_of(here: Path, data: str, **words: str) -> Path:
    text = STUDY.replace(DATA, data)
    for old, new in words.items():
        text = text.replace(old, new)
    return written_study(here, text)


def test_hostile_names_of_images_and_classes_are_names_and_nothing_more(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = images(dict.fromkeys(FILES[:39], 4))
    on_disk(here / "images", files)
    with tarfile.open(here / "images.tar", "w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    study = study_of(here, "{kind: folder, path: images}")
    before = tree(here)

    said = called(capsys, "plan", study, "--json")
    packed = called(capsys, "plan", study, "--json", "--data", "images.tar")

    assert said.code == packed.code == 0, said.err + packed.err
    keys: list[Any] = [{t["cell"]: t["key"] for t in one.json["trials"]} for one in (said, packed)]
    assert keys[0] == keys[1]
    assert tree(here) == before


def test_a_broken_image_of_a_hostile_name_is_named_in_one_printable_line(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = images({"cat": 2 * len(FILES), "dog": 2 * len(FILES)})
    for nth, name in enumerate(files):
        if nth >= 3 * len(FILES):
            files[name] = files[name][:60]
    on_disk(here / "images", files)
    study = study_of(here, "{kind: folder, path: images}")
    before = tree(here)

    said = called(capsys, "run", study)

    assert said.code == 2
    assert f"{len(FILES)} of {len(files)} files cannot be read as images: " in said.err
    assert len(said.err.splitlines()) == 1
    assert not CONTROL.search(said.err + said.out)
    assert tree(here) == before


def test_an_archive_whose_names_climb_out_of_it_writes_nothing_outside(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = images({"cat": 40, "dog": 40})
    with tarfile.open(here / "images.tar", "w") as tar:
        for name, content in {**files, "../../climbed.png": b"x", "/climbed.png": b"x"}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    study = study_of(here, "{kind: folder, path: images.tar}")
    before = tree(here)

    said = called(capsys, "plan", study)

    assert "Traceback" not in said.err
    assert tree(here) == before
    assert not [above for above in here.parents if (above / "climbed.png").exists()]


@pytest.mark.proof
def test_a_report_of_hostile_classes_shows_them_as_text(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = {name: 5 + 5 * (nth % 3) for nth, name in enumerate(FILES[:39])}
    on_disk(here / "images", images(sizes))
    study = study_of(here, "{kind: folder, path: images}")

    only = ("--only", "crop", "--seeds", "1")
    plan = called(capsys, "plan", study, *only, "--json").json["trials"]
    [key] = [trial["key"] for trial in plan if trial["cell"] == "crop"]

    ran = called(capsys, "trial", study, key, *only)
    said = called(capsys, "report", study, *only)

    assert (ran.code, said.code) == (0, 0), ran.err + said.err
    for one in (ran, said):
        assert not CONTROL.search((one.out + one.err).replace("\t", " "))
    folder = here / "runs/studies/mine@laptop"
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.count("<script") == 1
    assert "<img" not in page
    assert not CONTROL.search(page.replace("\t", " "))
    with (folder / "tables/classes.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert len(rows) == 1 + len(sizes)
    assert not [row[0] for row in rows if row[0][:1] in "=+-@\uff1d\t\r"]
    assert sorted(path.name for path in here.iterdir()) == ["images", "mine.yaml", "runs"]
