"""Inputs made to hang, exhaust or confuse: each is refused with one message a mistake, or harmless."""

import gzip
import io
import os
import resource
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from ablations.__main__ import run

MEMORY = 12 * 2**30
"""Address space of a spawned command; torch alone maps gigabytes that it never touches."""

STUDY = """\
name: mine
title: A study of my own
question: Does colour help?
source: section 3.1
base:
  views: {kind: symmetric, operations: [{kind: crop}]}
axes:
  - kind: levels
    name: views
    field: views.operations
    levels:
      crop: [{kind: crop}]
      crop+colour: [{kind: crop}, {kind: colour}]
seeds: 2
scales:
  laptop:
    set:
      data: {kind: textures, num_images: 64, num_test: 32}
      encoder: {kind: resnet, blocks: [1], width: 0.0625, stem: small}
      head: {kind: mlp, hidden_layers: 1, output: 8}
      optimizer: {kind: adamw, learning_rate: 1.0e-3}
      schedule: {kind: constant}
      batch_size: 32
      epochs: 1
"""
DATA = "{kind: textures, num_images: 64, num_test: 32}"
VIEWS = STUDY[STUDY.index("  - kind: levels") : STUDY.index("seeds: 2")]


def by(*changes: tuple[str, str]) -> str:
    text = STUDY
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def axes(*rows: str) -> str:
    return by((VIEWS, "".join(f"  - {row}\n" for row in rows)))


def _levels(number: int, name: str = "a", field: str = "seed") -> str:
    return f"{{kind: levels, name: {name}, field: {field}, levels: {list(range(number))}}}"


def _bomb(width: int, depth: int) -> str:
    rows = [f"a0: &a0 [{', '.join('x' * width)}]"]
    rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * width)}]" for i in range(1, depth)]
    return "\n".join(rows) + "\n"


TEXTS: dict[str, tuple[str | bytes, str]] = {
    # what is no study file
    "empty": ("", "empty"),
    "comments only": ("# nothing\n" * 1000, "empty"),
    "blanks only": (" \n" * 1000, "empty"),
    "a zero byte": (STUDY.replace("mine", "mi\0ne", 1), "zero byte"),
    "a control character": (
        STUDY.replace("mine", '"mi\x07ne"', 1), "YAML does not allow the character U+0007; remove it"
    ),
    "another encoding": ("name: müller\n".encode("latin-1"), "UTF-8"),
    "UTF-16": (STUDY.encode("utf-16"), "UTF-8"),
    "binary": (bytes(range(256)) * 100, "mine.yaml"),
    "a list": ("- a\n", "got a list"),
    "a number": ("3\n", "a single value"),
    "too many bytes": ("# " + "x" * 2_000_000, "at most 1000000 bytes"),
    "a tab as indent": ("a:\n\tb: 1\n", "mine.yaml:2"),
    "an open quote": ('name: "mine\n', "the YAML is incomplete or invalid"),
    "an open list": ("seeds: [", "the YAML is incomplete or invalid"),
    "two documents": (STUDY + "---\n" + STUDY, "single YAML document"),
    "a tag": (by(("seeds: 2", "seeds: !!python/object/apply:os.getcwd []")), "tags are not"),
    "a tag of an own prefix": ("%TAG ! tag:x,2000:\n---\na: 1\n", "directives"),
    "YAML 1.1": ("%YAML 1.1\n---\n" + STUDY, "directives"),
    "a repeated key": (STUDY + "seeds: 3\n", "a key may occur only once"),
    "a repeated number as key": ("a: {1: x, '1': y}\n", "a key may occur only once"),
    "a list as key": ("? [a, b]\n: 1\n", "a key must be a string or a number"),
    "null as key": ("~: 1\n", "a key must be a string or a number"),
    # what grows
    "lists nested 60,000 deep": ("a: " + "[" * 60_000, "nested at most 40"),
    "mappings nested 100 deep": ("".join(f"{' ' * i}a:\n" for i in range(100)), "nested at most 40"),
    "60,000 keys": ("".join(f"k{i}: 1\n" for i in range(60_000)), "at most 40000 keys"),
    "60,000 items": (f"a: [{'1,' * 60_000}]\n", "at most 40000 keys"),
    "a bomb of aliases": (_bomb(10, 30), "at most 40000 keys"),
    "a narrow bomb of aliases": (_bomb(2, 39), "at most 40000 keys"),
    "aliases nested 100 deep": (_bomb(1, 100), "nested at most 40"),
    "an alias in its own list": ("a: &a [1, *a]\n", "inside the value of its own anchor"),
    "an alias in its own mapping": ("a: &a {b: {c: *a}}\n", "inside the value of its own anchor"),
    "an alias without anchor": ("a: *gone\n", "has no anchor &gone"),
    "a merged mapping": ("a: &a {b: 1}\nc: {<<: *a}\n", "merging with <<"),
    "a number of 5,000 digits": (by(("epochs: 1", f"epochs: {'9' * 5000}")), "is not a valid number"),
    "5 axes of 100 levels": (
        axes(*(_levels(100, f"a{i}", f"f{i}") for i in range(5))),
        "10,000,000,000 cells",
    ),
    "2 axes of 101 levels": (axes(_levels(101, "a", "x"), _levels(101, "b", "y")), "10,201 cells"),
    "ordered pairs of 200 items": (
        axes(
            "{kind: ordered_pairs, name: a, field: views.operations, items: {"
            + ", ".join(f"i{i}: {{kind: crop}}" for i in range(200))
            + "}}"
        ),
        "40,000 cells",
    ),
    "a million epochs": (by(("epochs: 1", "epochs: 1000000")), "at most 100000"),
    "10,001 seeds": (by(("seeds: 2", "seeds: 10001")), "1 to 10000"),
    "a million images": (by(("num_images: 64", "num_images: 9999999")), "num_images"),
    "3,000 unknown fields": (
        by(("base:\n", "base:\n" + "".join(f"  k{i}: 1\n" for i in range(3000)))),
        "more mistakes",
    ),
    "3,000 unknown keys": (STUDY + "".join(f"k{i}: 1\n" for i in range(3000)), "more mistakes"),
    # values that are none
    "not a number": (by(("1.0e-3", ".nan")), "learning_rate"),
    "an infinite rate": (by(("1.0e-3", ".inf")), "learning_rate"),
    "a negative width": (by(("width: 0.0625", "width: -1")), "width"),
    "a huge width": (by(("width: 0.0625", "width: 1.0e+300")), "width"),
    "a batch of a billion": (by(("batch_size: 32", "batch_size: 1000000000")), "batch_size"),
    "a stage of a billion blocks": (by(("blocks: [1]", "blocks: [1000000000]")), "at most 200"),
    "a transformer of a billion layers": (
        by(("{kind: resnet, blocks: [1], width: 0.0625, stem: small}", "{kind: vit, depth: 1000000000}")),
        "at most 256",
    ),
    "a head of a trillion outputs": (by(("output: 8", "output: 1000000000000")), "at most 100000"),
    "a negative seed": (by(("seeds: 2", "seeds: [-1]")), "seeds"),
    "a seed beyond 31 bits": (by(("seeds: 2", "seeds: [2147483648]")), "seeds"),
    "a seed twice": (by(("seeds: 2", "seeds: [1, 1]")), "seeds"),
    "true as a seed": (by(("seeds: 2", "seeds: [true]")), "seeds"),
    "a text as epochs": (by(("epochs: 1", "epochs: many")), "epochs"),
    "a list as epochs": (by(("epochs: 1", "epochs: [1, 2]")), "epochs"),
    "a date as title": (by(("A study of my own", "2026-01-01")), "put it in quotes"),
    "an empty title": (by(("A study of my own", '""')), "title"),
    "a name that leads elsewhere": (by(("name: mine", "name: ../../etc")), "name"),
    "a name with a blank": (by(("name: mine", "name: my study")), "name"),
    "a name of 10,000 letters": (by(("name: mine", f"name: {'m' * 10_000}")), "name"),
    "no axes": (by((VIEWS, ""), ("axes:\n", "axes: []\n")), "axes"),
    "an empty level": (axes("{kind: levels, name: a, field: epochs, levels: {}}"), "levels"),
    "a label with a comma": (
        axes('{kind: levels, name: a, field: epochs, levels: {"1,2": 1}}'),
        "commas",
    ),
    "a label with an escape": (
        axes('{kind: levels, name: a, field: epochs, levels: {"\\e[31m": 1}}'),
        "control characters",
    ),
    "an unknown field": (by(("epochs: 1", "loss.temperatures: 1")), "loss.temperature?"),
    "a field below a number": (by(("epochs: 1", "epochs.x.y: 1")), "epochs"),
    "a field beyond a list": (by(("epochs: 1", "views.operations.9.kind: crop")), "operations"),
    "a table that leads elsewhere": (STUDY + "published: {from: ../../etc/passwd}\n", "no table"),
    # what is named and is no file
    "images that are nowhere": (by((DATA, "{kind: folder, path: gone}")), "no folder or archive"),
    "a component that is nowhere": (
        by(("epochs: 1", "loss: {kind: file, path: gone.py, name: f}")),
        "there is no",
    ),
}  # fmt: skip


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def refused(words: str, code: int, out: str, err: str) -> None:
    assert code == 2, (out, err)
    assert words in err, err
    assert "Traceback" not in err
    rows = err.splitlines()
    assert all(row.startswith("ablate: ") for row in rows)
    assert len(rows) <= 110


@pytest.mark.proof
@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", list(TEXTS))
def test_a_hostile_study_is_refused_with_its_place_and_nothing_is_written(
    here: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    text, words = TEXTS[name]
    (here / "mine.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    before = names(here)

    code = run(["plan", "mine.yaml"])

    out, err = capsys.readouterr()
    refused(words, code, out, err)
    assert "mine.yaml" in err
    assert names(here) == before


def _fifo_study(folder: Path) -> None:
    os.mkfifo(folder / "mine.yaml")


def _zero_study(folder: Path) -> None:
    (folder / "mine.yaml").symlink_to("/dev/zero")


def _component(make: Callable[[Path], None]) -> Callable[[Path], None]:
    def made(folder: Path) -> None:
        make(folder / "loss.py")
        text = by(("epochs: 1", "loss: {kind: file, path: loss.py, name: f}"))
        (folder / "mine.yaml").write_text(text)

    return made


def _images(make: Callable[[Path], None], path: str = "set") -> Callable[[Path], None]:
    def made(folder: Path) -> None:
        for name in ("a", "b"):
            (folder / "set" / name).mkdir(parents=True)
            for i in range(40):
                colour = (3 * i, 7, 90 if name == "a" else 9)
                Image.new("RGB", (12, 12), colour).save(folder / "set" / name / f"{i}.png")
        make(folder / "set")
        (folder / "mine.yaml").write_text(by((DATA, f"{{kind: folder, path: {path}}}")))

    return made


def _zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _nothing(folder: Path) -> None:
    del folder


def _huge(folder: Path) -> None:
    with (folder / "a" / "x.png").open("wb") as file:
        file.truncate(50 * 2**30)


def _gzip_bomb(folder: Path) -> None:
    """300 MB of zeros as one entry of a tar of 300 kB."""
    entry = tarfile.TarInfo("a/x.png")
    entry.size = 300_000_000
    with gzip.open(folder.parent / "set.tar.gz", "wb", compresslevel=1) as file:
        file.write(entry.tobuf())
        for _ in range(300):
            file.write(b"\0" * 1_000_000)
        file.write(b"\0" * 2048)


def _claim(size: int, kind: bytes) -> Callable[[Path], None]:
    def made(folder: Path) -> None:
        entry = tarfile.TarInfo("a/x.png")
        entry.size, entry.type = size, kind
        (folder.parent / "set.tar").write_bytes(entry.tobuf() + b"\0" * 4096)

    return made


def _link_out(folder: Path) -> None:
    entry = tarfile.TarInfo("a/x.png")
    entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with tarfile.open(folder.parent / "set.tar", "w") as tar:
        tar.addfile(entry, io.BytesIO(b""))


SPAWNED: dict[str, tuple[Callable[[Path], None], str]] = {
    "a FIFO as study": (_fifo_study, "got a FIFO; copy"),
    "/dev/zero as study": (_zero_study, "got a character device; copy"),
    "a FIFO as component": (_component(os.mkfifo), "is a FIFO"),
    "/dev/zero as component": (_component(_zero), "is a character device"),
    "a FIFO as images": (_images(lambda p: os.mkfifo(p.parent / "pipe"), "pipe"), "is a FIFO"),
    "/dev/zero as images": (_images(_nothing, "/dev/zero"), "is a character device"),
    "a FIFO among images": (_images(lambda p: os.mkfifo(p / "a" / "x.png")), "is a FIFO"),
    "/dev/zero among images": (_images(lambda p: _zero(p / "a" / "x.png")), "a character device"),
    "an image of 50 GiB": (_images(_huge), "an image file may have at most"),
    "a gzip bomb": (_images(_gzip_bomb, "set.tar.gz"), "would unpack to"),
    "an entry of 8 TB": (_images(_claim(8 * 10**12, tarfile.REGTYPE), "set.tar"), "would unpack to"),
    "a name of 4 GB": (_images(_claim(4 * 10**9, tarfile.XHDTYPE), "set.tar"), "nor a tar"),
    "a link out of a tar": (_images(_link_out, "set.tar"), "paths outside the archive"),
}  # fmt: skip

QUICK = ("a FIFO as study", "a FIFO as component", "a FIFO among images", "an entry of 8 TB")


def _spawned_is_refused(here: Path, name: str) -> None:
    make, words = SPAWNED[name]
    make(here)
    before = names(here)

    done = subprocess.run(
        [sys.executable, "-m", "ablations", "plan", "mine.yaml"],
        cwd=here,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
    )

    refused(words, done.returncode, done.stdout, done.stderr)
    assert len(done.stderr.splitlines()) == 1
    assert names(here) == before


@pytest.mark.proof
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", list(SPAWNED))
def test_what_never_ends_or_never_fits_is_refused_within_time_and_memory(
    here: Path, name: str
) -> None:
    _spawned_is_refused(here, name)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", QUICK)
def test_one_of_each_kind_is_refused_in_this_process(
    here: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    make, words = SPAWNED[name]
    make(here)

    code = run(["plan", "mine.yaml"])

    out, err = capsys.readouterr()
    refused(words, code, out, err)


def test_there_are_75_of_them() -> None:
    assert len(TEXTS) + len(SPAWNED) >= 75
