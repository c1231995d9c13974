"""The words of messages about wrong names, options and files that no other test has as a whole."""

import os
from pathlib import Path

import pytest
from commands import STUDY, called

WORDS = {
    "fields --json --schema": "fields: only one of --json, --schema and --markdown may be given",
    "fields loss --markdown": "fields: --schema and --markdown cover all fields; leave PREFIX out",
    "plan quickstat": "no study 'quickstat'; did you mean 'quickstart'; if it is a file, include its "
    ".yaml suffix",
    "plan mind.yaml": "no study file 'mind.yaml'; did you mean 'mine.yaml', "
    "'pipe.yaml', 'folder.yaml'?",
    "plan folder.yaml": "folder.yaml: a study must be a YAML file, got a folder; name the file in it",
    "plan pipe.yaml": "pipe.yaml: a study must be a YAML file, got a FIFO; copy its content into a "
    "regular file",
    "plan mine.yaml --seeds x": "--seeds: must be a count such as 5 (seeds 0 to 4), or a list such as "
    "7,8 or 7, (only seed 7), got 'x'",
    "trial mine.yaml 6f3e": "mine@laptop has no trial '6f3e'; there are ",
}
"""Command -> the message, or how it begins."""

STUDIES = {
    "published: {from: figure-5, tie: 1}": "mine.yaml:31: published: tie: can only be used with "
    "values:; a table named by from: has its own",
    "published: {values: {crop: 1}, source: here, cells: {crop: crop}}": "mine.yaml:31: published: "
    "cells: can only be used with from:; values: names the cells itself",
    "published: {from: figure-55}": "mine.yaml:31: published.from: no table 'figure-55'; did you mean "
    "'figure-5', 'figure-9', 'figure-8'?",
    'metric: "<<\\U00110000"': "mine.yaml:1: the file is not YAML (chr() arg not in range(0x110000)); "
    "replace it",
}
"""A last line of a study -> the message."""


@pytest.fixture(autouse=True)
def files(here: Path) -> None:
    (here / "mine.yaml").write_text(STUDY)
    (here / "folder.yaml").mkdir()
    os.mkfifo(here / "pipe.yaml")


@pytest.mark.parametrize("words", list(WORDS))
def test_a_wrong_name_or_option_has_its_message(
    capsys: pytest.CaptureFixture[str], words: str
) -> None:
    said = called(capsys, *words.split())

    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(f"ablate: {WORDS[words]}")
    if "has no trial" in said.err:
        assert said.err.endswith("; list them with `ablate plan --json` and the same options\n")
    else:
        assert said.err == f"ablate: {WORDS[words]}\n"


@pytest.mark.parametrize("line", list(STUDIES))
def test_a_wrong_line_of_a_study_has_its_message(
    here: Path, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    (here / "mine.yaml").write_text(f"{STUDY}{line}\n")

    said = called(capsys, "plan", "mine.yaml")

    assert (said.code, said.out, said.err) == (2, "", f"ablate: {STUDIES[line]}\n")
