"""`ablate new`: a study to start from, which plans and runs as it is, and replaces nothing."""

from pathlib import Path

import pytest
from commands import called, spawned
from jsonschema import Draft202012Validator
from PIL import Image

from ablations.commands.new import templates
from ablations.reference import study_schema
from ablations.study import read_yaml

TEMPLATES = ("factorial", "levels", "own-augmentation", "own-images")


def written(here: Path, capsys: pytest.CaptureFixture[str], template: str) -> Path:
    said = called(capsys, "new", "mine", "--template", template)
    assert said.code == 0, said.err
    for name in ("a", "b"):
        folder = here / "images" / name
        folder.mkdir(parents=True)
        for i in range(80):
            shade = (i * 3, 90, 60 if name == "a" else 7)
            Image.new("RGB", (32, 32), shade).save(folder / f"{i}.png")
    return here / "mine.yaml"


def test_the_templates_are_those_of_the_help_text(capsys: pytest.CaptureFixture[str]) -> None:
    said = called(capsys, "new", "--help")

    assert templates() == TEMPLATES
    assert "levels, factorial, own-augmentation or own-images" in said.out


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_is_commented_valid_for_editors_and_planned_at_once(
    here: Path, capsys: pytest.CaptureFixture[str], template: str
) -> None:
    study = written(here, capsys, template)

    said = called(capsys, "plan", study.name, "--scale", "smoke")
    laptop = called(capsys, "plan", study.name)

    assert (said.code, laptop.code) == (0, 0), said.err + laptop.err
    lines = study.read_text().splitlines()
    assert sum(line.startswith("#") for line in lines) >= 5
    assert "NAME" not in study.read_text()
    assert [*Draft202012Validator(study_schema()).iter_errors(read_yaml(study).content)] == []


def test_the_next_command_is_said_and_can_be_typed(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = called(capsys, "new", "mine")

    assert said.out.splitlines() == [
        "wrote mine.yaml",
        "next: ablate plan mine.yaml --scale smoke",
    ]
    assert [path.name for path in here.iterdir()] == ["mine.yaml"]
    assert called(capsys, *said.out.splitlines()[1].split()[2:]).code == 0


@pytest.mark.parametrize("name", ["mine.yaml", "mine.py"])
def test_a_file_that_exists_is_kept_and_nothing_else_is_written(
    here: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (here / name).write_text("mine")

    said = called(capsys, "new", "mine", "--template", "own-augmentation")

    assert (said.code, said.out) == (2, "")
    assert f"{name} exists and is not overwritten" in said.err
    assert {path.name: path.read_text() for path in here.iterdir()} == {name: "mine"}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("Mine",), "new: a name must match"),
        (("../mine",), "new: a name must match"),
        (("quickstart",), "'quickstart' is the name of a shipped study"),
        (("mine", "--template", "level"), "did you mean 'levels'?"),
    ],
)
def test_a_wrong_name_or_template_writes_nothing(
    here: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], sentence: str
) -> None:
    said = called(capsys, "new", *words)

    assert (said.code, said.out) == (2, "")
    assert sentence in said.err
    assert list(here.iterdir()) == []


def ran(study: Path) -> None:
    said = spawned("run", study.name, "--scale", "smoke", "--seeds", "1", cwd=study.parent)

    assert said.code == 0, said.err
    assert (study.parent / "runs/studies/mine@smoke/report.html").is_file()


@pytest.mark.proof
@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_runs(here: Path, capsys: pytest.CaptureFixture[str], template: str) -> None:
    ran(written(here, capsys, template))
