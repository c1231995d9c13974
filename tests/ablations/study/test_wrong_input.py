"""Wrong input: exit code 2, a sentence with the place and the way out, nothing written."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from commands import STUDY, called, spawned, tree, written_study
from jsonschema import Draft202012Validator
from PIL import Image

from ablations.errors import StudyError
from ablations.reference import study_schema
from ablations.study import read_yaml
from sweeps.storage.store import Store


def replaced(old: str, new: str) -> str:
    assert old in STUDY
    return STUDY.replace(old, new)


COMPARED = "kind: beats, name: colour helps, better: with, worse: without, margin: 0"
"""A claim of `STUDY`, as it stands there."""

STUDIES: dict[str, tuple[str | bytes, str]] = {
    "empty": (
        "",
        "mine.yaml:1: the study file is empty; `ablate show quickstart` prints an example",
    ),
    "only a comment": ("# nothing\n", "mine.yaml"),
    "a list": ("- a\n- b\n", "mine.yaml"),
    "torn in a flow": (STUDY[: STUDY.index("colour}]") + 4], "mine.yaml:"),
    "torn in a text": ('name: "mine\n', "mine.yaml:"),
    "duplicated key": (STUDY + "seeds: 3\n", "mine.yaml:"),
    "a tag": (replaced("seeds: 2", "seeds: !!python/object/apply:os.getcwd []"), "mine.yaml:"),
    "binary": (
        b"# a\n\x00",
        "mine.yaml:2: a study file must be text, got a zero byte; is it a binary file?",
    ),
    "not UTF-8": (
        "# a\nname: m\xfcller\n".encode("latin-1"),
        "mine.yaml:2: a study file must be UTF-8 text, got the byte 0xfc; is this the right file?",
    ),
    "unknown field of a study": (replaced("question:", "questions:"), "did you mean 'question'"),
    "unknown field of the trainer": (replaced("epochs: 1", "epoch: 1"), "epochs"),
    "unknown kind": (replaced("kind: adamw", "kind: adamv"), "adamw"),
    "value out of range": (replaced("epochs: 1", "epochs: -1"), "epochs"),
    "value of another type": (replaced("batch_size: 32", "batch_size: many"), "batch_size"),
    "unknown role in a claim": (
        replaced("worse: without", "worse: nobody"),
        "no role or cell 'nobody'",
    ),
    "role of an unknown cell": (replaced("without: crop}", "without: corp}"), "crop"),
    "unknown axis in a figure": (replaced("axis: views}", "axis: view}"), "views"),
    "no seeds": (
        replaced("seeds: 2", "seeds: 0"),
        "seeds: a number of seeds must be 1 to 10000, got 0",
    ),
    "no axes": (replaced("    levels:\n      crop:", "    level:\n      crop:"), "levels"),
    "a cycle of aliases": ("a: &a [x, *a]\n", "mine.yaml:1: alias *a is inside"),
    "merged mappings": ("a: {x: 1}\nb: {<<: {y: 2}}\n", "mine.yaml:2: merging"),
    "nested without end": ("a: " + "[" * 200 + "]" * 200, "mine.yaml:1: values may be nested"),
    "two documents": (
        STUDY + "---\n" + STUDY,
        ": a study file must contain a single YAML document",
    ),
    "larger than any study": (
        "# " + "x" * 1_000_001,
        "mine.yaml: a study file may have at most 1000000 bytes, got 1000003; is this the right file?",
    ),
    "a date for a text": (replaced("Does colour help?", "2026-01-01"), "put it in quotes"),
    "labels unnamed": (
        replaced("epochs: 1", "epochs: 1\n      loss: {kind: sup_con}"),
        "add 'labels: train' to the label of cell 'crop' (loss sup_con)",
    ),
    "a seed twice": (replaced("seeds: 2", "seeds: [0, 3, 0]"), "each seed may be given only once"),
    "an axis named with a comma": (replaced("name: views", 'name: "a, b"'), "the axis name"),
    "unknown scale": (replaced("  laptop:", "  labtop:"), "did you mean 'laptop'"),
    "a metric that no trial records": (STUDY + "metric: top_1\n", "one of validation_top1, top1"),
    "a test value of trials that choose settings": (
        replaced("base:\n", "base:\n  evaluation.split: validation\n"),
        "one of validation_top1, validation_top5",
    ),
    "a source without a statement": (
        replaced("     statement: It does.", "     source: figure 8"),
        "source: 'figure 8' needs statement:",
    ),
    "a difference of several cells": (
        replaced("with: crop+colour,", "with: [crop, crop+colour],"),
        "claims.0.better: compares single cells, but role 'with' names 2 at smoke scale",
    ),
    "a single cell that is alike": (
        replaced(COMPARED, "kind: equivalent, name: alike, among: [with], margin: 1"),
        "claims.0.among: compares cells with each other, but names only 'crop+colour' at smoke scale",
    ),
    "an equivalence without a margin": (
        replaced(COMPARED, "kind: equivalent, name: alike, among: [with, without], margin: 0"),
        "claims.0.margin: must be greater than 0, got 0",
    ),
    "a main effect on no axis": (
        replaced(
            COMPARED, "kind: main_effect, name: m, axis: view, better: crop, worse: crop+colour"
        ),
        "claims.0.axis: no axis 'view'; did you mean 'views'",
    ),
    "a main effect of no level": (
        replaced(COMPARED, "kind: main_effect, name: m, axis: views, better: corp, worse: crop"),
        "claims.0.better: axis 'views' has no level 'corp'; did you mean 'crop'",
    ),
    "an interaction with itself": (
        replaced(
            COMPARED,
            "kind: interaction, name: m, axis: views, better: crop+colour, worse: crop, by: views, "
            "larger_at: crop, smaller_at: crop+colour",
        ),
        "axis and by must differ, got 'views' for both",
    ),
    "a main effect without a table": (
        replaced(
            COMPARED, "kind: main_effect, name: m, axis: views, better: crop+colour, worse: crop"
        )
        .replace("seeds: 2\n", "seeds: 2\ndesign: one_at_a_time\n")
        .replace(
            "axes:\n",
            "axes:\n  - {kind: levels, name: rate, field: batch_size, levels: [16, 32]}\n",
        ),
        "claims.0.kind: needs all combinations of the axes' levels, but the design is one_at_a_time",
    ),
    "an exclusion without a reason": (
        STUDY + 'exclude: [{where: {views: crop}, reason: ""}]\n',
        "exclude.0.reason",
    ),
    "an exclusion of no level": (
        STUDY + "exclude: [{where: {views: corp}, reason: it diverges}]\n",
        "exclude.0.where.views: axis 'views' has no level 'corp'; did you mean 'crop'",
    ),
    "an exclusion of all cells": (
        STUDY + "exclude: [{where: {views: [crop, crop+colour]}, reason: all diverge}]\n",
        "exclude: leaves no cell",
    ),
    "a control of an excluded cell": (
        STUDY + "control_arm: crop\nexclude: [{where: {views: crop}, reason: it diverges}]\n",
        "control_arm: cell 'crop' is excluded: it diverges; name a cell that runs",
    ),
    "numbers without a source": (
        STUDY + 'published: {values: {crop: 1}, source: "  "}\n',
        "values: needs source:",
    ),
    "unknown table of numbers": (STUDY + "published: {from: figure-55}\n", "figure-5"),
}


@pytest.mark.parametrize("name", list(STUDIES))
def test_a_wrong_study_is_told_in_sentences_with_the_place(
    here: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    content, place = STUDIES[name]
    (here / "mine.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    Store("runs").prepare()
    before = tree(here)

    said = called(capsys, "run", "mine.yaml", "--store", "runs")

    assert said.code == 2
    assert said.out == ""
    assert place in said.err
    assert "Traceback" not in said.err
    assert 1 <= len(said.err.splitlines()) <= 3
    assert tree(here) == before


NOT_BY_A_SCHEMA = {
    "unknown role in a claim": "roles are names that the study itself gives",
    "role of an unknown cell": "cells are combinations of the study's own levels",
    "unknown axis in a figure": "axes are names that the study itself gives",
    "labels unnamed": "a rule between a loss and the label of its cell",
    "an axis named with a comma": "the reason, cells on a command line, is said by the study's own check",
    "a metric that no trial records": "what is recorded depends on the evaluations of the cells",
    "a test value of trials that choose settings": "what is recorded depends on the evaluation's split",
    "a single cell that is alike": "how many cells a role names is said by the study's own check",
    "a source without a statement": "a rule between two fields of a claim",
    "a difference of several cells": "how many cells a role names is a choice of the study",
    "a main effect on no axis": "axes are names that the study itself gives",
    "a main effect of no level": "levels are names that the study itself gives",
    "an interaction with itself": "a rule between two fields of a claim",
    "a main effect without a table": "a rule between a claim and the design",
    "an exclusion of no level": "levels are names that the study itself gives",
    "an exclusion of all cells": "which cells are left is said by the study's own check",
    "a control of an excluded cell": "cells are combinations of the study's own levels",
    "numbers without a source": "a rule between two fields",
    "unknown table of numbers": "a table may be a file of the user's",
}
"""Mistakes that the schema for editors cannot find, each with the reason."""

SCHEMA = cache(study_schema)


@pytest.mark.parametrize("name", list(STUDIES))
def test_the_schema_for_editors_refuses_what_needs_no_knowledge_of_the_study(
    here: Path, name: str
) -> None:
    content, _ = STUDIES[name]
    (here / "mine.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    try:
        found = read_yaml(here / "mine.yaml").content
    except StudyError:  # no YAML of a study: nothing for a schema to look at
        assert name not in NOT_BY_A_SCHEMA
        return

    errors = list(Draft202012Validator(SCHEMA()).iter_errors(found))

    assert (errors == []) == (name in NOT_BY_A_SCHEMA)


def test_a_claim_may_name_a_cell_without_a_role(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unnamed = replaced("worse: without", "worse: crop").replace(", without: crop}", "}")

    said = called(capsys, "plan", str(written_study(here, unnamed)))

    assert said.code == 0, said.err


def test_two_mistakes_of_one_file_are_told_at_once_each_with_its_line(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = replaced("epochs: 1", "epochs: -1").replace("batch_size: 32", "batch_size: 1")
    written_study(here, text)
    lines = text.splitlines()
    at = [
        next(i for i, line in enumerate(lines, 1) if word in line) for word in ("epochs", "batch")
    ]

    said = called(capsys, "plan", "mine.yaml")

    assert said.code == 2
    assert {f"mine.yaml:{line}:" for line in at} == {
        f"{':'.join(line.removeprefix('ablate: ').split(':')[:2])}:"
        for line in said.err.splitlines()
    }


def _empty_folder(folder: Path) -> str:
    (folder / "pictures").mkdir()
    return "pictures"


def _truncated_image(folder: Path) -> str:
    for part in ("train", "test"):
        for name in ("a", "b"):
            (folder / "pictures" / part / name).mkdir(parents=True)
            for i in range(3):
                picture = Image.new("RGB", (40, 40), (i * 40, 90, 60 if name == "a" else 7))
                picture.save(folder / "pictures" / part / name / f"{i}.png")
    torn = folder / "pictures" / "train" / "b" / "1.png"
    torn.write_bytes(torn.read_bytes()[:60])
    return "1.png"


def _no_image(folder: Path) -> str:
    _truncated_image(folder)
    (folder / "pictures" / "train" / "b" / "1.png").write_text("I am no picture")
    return "1.png"


def _nothing(folder: Path) -> str:
    del folder
    return "pictures"


def _no_archive(folder: Path) -> str:
    (folder / "pictures").write_text("neither folder nor tar")
    return "pictures"


@pytest.mark.parametrize(
    "make", [_empty_folder, _truncated_image, _no_image, _nothing, _no_archive]
)
def test_wrong_images_stop_a_run_before_anything_trains(
    here: Path, capsys: pytest.CaptureFixture[str], make: Callable[[Path], str]
) -> None:
    place = make(here)
    written_study(here)
    before = tree(here)

    said = called(capsys, "run", "mine.yaml", "--data", "pictures")

    assert said.code == 2
    assert place in said.err
    assert "Traceback" not in said.err
    assert len(said.err.splitlines()) == 1
    assert tree(here) == before


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (("--only", "corp"), "--only: no cell 'corp'; did you mean 'crop'"),
        (
            ("--seeds", "x"),
            "--seeds: must be a count such as 5 (seeds 0 to 4), or a list such as 7,8",
        ),
        (
            ("--seeds", "0"),
            "--seeds: a count must be 1 to 10000, got '0'; to run only seed 0, write 0,",
        ),
        (("--seeds", "3,4,3"), "--seeds: each seed may be given only once, got '3,4,3'"),
        (("--only", ","), "--only: must name at least one cell, got ','"),
        (("--set", "epochs=-1"), "--set: epochs: must be at least 0, got -1"),
        (("--set", "epochs"), "--set: must be field=value, got 'epochs'"),
        (("--set", "epochs=[1"), "--set: epochs: the value must be YAML"),
        (
            ("--set", "views.operations=[{kind: crop}]"),
            "--set: views.operations: axis 'views' varies this field",
        ),
        (("--set", "batch_size=65"), "batch_size: must be at most the number of training images"),
        (("--data", "none/of/it"), "--data: "),
        (("--tracking", "htp://x"), "--tracking: 'htp://x' is not an address"),
        (
            ("--tracking", "http://[x"),
            (
                "--tracking: 'http://[x' is not an address: the text after the last colon is not a port "
                "from 0 to 65535, or a bracket is missing; write it as scheme://user:password@host:port, "
                "with @, /, ? and # in the password percent-encoded"
            ),
        ),
        (("--tracking", ""), "--tracking: is empty"),
        (("--set", "seed=3"), "--set: seed: each trial sets this field; choose seeds with --seeds"),
        (("--seeds", "9" * 5000), "--seeds: a seed must be below 2147483648"),
        (("--scale", "paper"), "--data"),
        (("--sede", "1"), "run has no option --sede; did you mean"),
        (("another.yaml",), "another.yaml"),
    ],
)
def test_a_wrong_option_stops_a_run_and_leaves_the_store_as_it_was(
    here: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], place: str
) -> None:
    written_study(here)
    Store("runs").prepare()
    before = tree(here)

    said = called(capsys, "run", "mine.yaml", *words)

    assert (said.code, said.out) == (2, "")
    assert place in said.err
    assert "Traceback" not in said.err
    assert tree(here) == before


def test_a_wrong_option_makes_no_store(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written_study(here)
    before = tree(here)

    for words in (("--tracking", "htp://x"), ("--set", "batch_size=65"), ("--only", "corp")):
        assert called(capsys, "run", "mine.yaml", *words).code == 2

    assert tree(here) == before


def test_wrong_images_leave_a_store_with_its_records_as_it_was(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _truncated_image(here)
    written_study(here)
    Store("runs").prepare()
    # The cache holds nothing but what can be made again.
    before = tree(here / "runs", but="cache")

    said = called(capsys, "run", "mine.yaml", "--data", "pictures")

    assert said.code == 2
    assert tree(here / "runs", but="cache") == before


def test_the_shell_sees_the_exit_code_and_no_traceback(here: Path) -> None:
    (here / "mine.yaml").write_text("seeds: [")

    said = spawned("list", "--sede", cwd=here)
    study = spawned("show", "mine.yaml", cwd=here)

    assert (said.code, study.code) == (2, 2)
    assert (said.out, study.out) == ("", "")
    assert study.err.startswith("ablate: mine.yaml:1: ")
    assert len(study.err.splitlines()) == 1


def test_a_store_inside_the_images_is_refused_before_it_is_made(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written_study(here)
    (here / "pictures").mkdir()

    said = called(capsys, "run", "mine.yaml", "--data", "pictures", "--store", "pictures/runs")

    assert said.code == 2
    assert "is inside the image folder" in said.err
    assert not (here / "pictures" / "runs").exists()


@pytest.mark.parametrize("words", [("run",), ("plan",), ("report",)])
def test_a_store_that_is_a_file_is_one_sentence(
    here: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    written_study(here)
    (here / "runs").write_text("no store")
    command, *rest = words

    said = called(capsys, command, "mine.yaml", *rest)

    if command != "plan":
        assert said.code == 2
        assert len(said.err.splitlines()) == 1
        assert "runs" in said.err
    assert "Traceback" not in said.err
    assert (here / "runs").read_text() == "no store"


def test_a_trial_that_does_not_exist_is_answered_with_the_way_out(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written_study(here)

    said = called(capsys, "trial", "mine.yaml", "zzzz")

    assert said.code == 2
    assert "zzzz" in said.err
    assert not (here / "runs").exists()
