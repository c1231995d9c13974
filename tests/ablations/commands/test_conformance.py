"""`conform`: a user's file is executed by this command alone, and its functions are examined."""

from pathlib import Path

import pytest
from commands import called, tree

RIGHT = """\
import torch
import torch.nn.functional as F

def loss(z1, z2, temperature):
    u = F.normalize(torch.cat([z1, z2]), dim=1)
    s = (u @ u.T / temperature).masked_fill(torch.eye(len(u), dtype=torch.bool), -torch.inf)
    return F.cross_entropy(s, torch.arange(len(u)).roll(len(z1)))
"""

WRONG = RIGHT.replace(".roll(len(z1))", " ^ 1")

VIEWS = """\
size = 16
import torch

def views(images, seed):
    rng = torch.Generator().manual_seed(seed)
    light = 0.5 + 0.5 * torch.rand(2, len(images), 1, 1, 1, generator=rng)
    first, second = light * images / 255
    assert images.shape[-1] == 16
    return first, second
"""


def written(here: Path, text: str | bytes, name: str = "mine.py") -> Path:
    path = here / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_right_loss_ends_with_0_and_a_row_for_each_law(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = called(capsys, "conform", written(here, RIGHT))

    assert said.code == 0
    assert "17 laws of the loss: 17 hold" in said.out
    assert "this command executes " in said.err


def test_a_wrong_loss_ends_with_1_and_its_counter_example(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = called(capsys, "conform", written(here, WRONG), "--json")

    assert said.code == 1
    rows = {row["law"]: row for row in said.json["loss"]}
    assert rows["the values are those of equation 1"]["verdict"] == "fails"
    assert "as if views were interleaved" in rows["the values are those of equation 1"]["text"]
    assert said.json["broken"] == sum(row["verdict"] == "fails" for row in rows.values()) > 0
    assert "views" not in said.json


def test_a_broken_law_stands_out_in_the_table(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = called(capsys, "conform", written(here, WRONG)).out

    assert "FAILS" in out
    assert "the positives are paired as if views were interleaved" in " ".join(out.split())


def test_loss_and_views_are_both_examined_and_the_file_names_the_side(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = called(capsys, "conform", written(here, RIGHT + VIEWS), "--json")

    assert {"loss", "views"} <= set(said.json)
    assert not [row for row in said.json["views"] if "AssertionError" in row["text"]]


def test_a_file_can_use_what_stands_beside_it(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(here, RIGHT, "beside_this_test.py")

    said = called(capsys, "conform", written(here, "from beside_this_test import loss\n"))

    assert said.code == 0


WRONG_FILES: dict[str, tuple[str | bytes, str]] = {
    "no Python": ("def loss(:\n", "mine.py:1: is not valid Python: invalid syntax"),
    "bytes": (b"\x00\x01", "mine.py"),
    "raises": ("x = 1\nx / 0\n", "mine.py:2: raises ZeroDivisionError while it is executed"),
    "leaves": ("import sys\nsys.exit(0)\n", "mine.py:2: raises SystemExit while it is executed: 0"),
    "defines nothing": (
        "x = 1\n",
        "mine.py: defines neither loss nor views; the file must define loss(",
    ),
    "no function": ("loss = 3\n", "mine.py: loss: must be a function, got int"),
    "other arguments": (
        "def loss(z):\n    return z\n",
        "mine.py: loss: must take loss(z1, z2, temperature), got another signature",
    ),
    "a wrong side": (
        "size = 4\n" + VIEWS.replace("size = 16\n", ""),
        "mine.py: size: must be the images'",
    ),
}


@pytest.mark.parametrize("name", list(WRONG_FILES))
def test_a_wrong_file_is_one_sentence_with_the_place(
    here: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    content, sentence = WRONG_FILES[name]
    written(here, content)
    before = tree(here)

    said = called(capsys, "conform", "mine.py")

    assert (said.code, said.out) == (2, "")
    assert len(said.err.splitlines()) == 2  # that it is executed, and what is wrong
    assert sentence in said.err.splitlines()[1]
    assert tree(here) == before


def test_two_mistakes_are_told_at_once(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(here, "loss = 3\ndef views(): pass\n")

    said = called(capsys, "conform", "mine.py")

    assert said.code == 2
    assert ["loss" in line or "views" in line for line in said.err.splitlines()[1:]] == [True, True]


@pytest.mark.parametrize("name", ["none.py", "."])
def test_a_file_that_cannot_be_read_is_one_sentence(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    said = called(capsys, "conform", name)

    assert said.code == 2
    assert "cannot be read (" in said.err
    assert "Traceback" not in said.err
