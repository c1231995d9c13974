"""`show --resolved`: the complete configuration of each cell, and the place of each of its values."""

from pathlib import Path
from typing import Any

import pytest
from commands import STUDY, called, the_plan, written_study

from sweeps.planning.grid import flatten

PROTOCOL = """\
operations: {colour: {strength: 0.25}}
set:
  epochs: 3
"""
BASED = STUDY.replace("  laptop:\n", "  laptop:\n    protocol: small.yaml\n").replace(
    "      epochs: 1\n", ""
)


@pytest.fixture
def study(here: Path) -> Path:
    (here / "small.yaml").write_text(PROTOCOL)
    return written_study(here, BASED)


def cells(capsys: pytest.CaptureFixture[str], *words: str | Path) -> dict[str, Any]:
    said = called(capsys, "show", *words, "--resolved", "--json")
    assert said.code == 0, said.err
    return {cell["name"]: cell for cell in said.json["cells"]}


def line_of(text: str, word: str) -> int:
    return next(i for i, line in enumerate(text.splitlines(), 1) if word in line)


def test_each_value_names_the_file_and_line_the_option_or_the_default_that_it_comes_from(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = cells(capsys, study, "--set", "loss.temperature=0.2")["crop+colour"]["from"]

    assert found["views.operations.1.kind"] == f"{study}:{line_of(BASED, '      crop+colour:')}"
    assert found["views.operations.1.strength"] == f"{study.parent / 'small.yaml'}:1"
    assert found["epochs"] == f"{study.parent / 'small.yaml'}:3"
    assert found["batch_size"] == f"{study}:{line_of(BASED, 'batch_size')}"
    assert found["encoder.width"] == f"{study}:{line_of(BASED, 'encoder:')}"
    assert found["loss.temperature"] == "--set"
    assert found["encoder.depth"] == found["loss.normalise"] == "default"


def test_a_value_over_several_lines_has_the_line_of_its_own(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = BASED.replace(
        "      crop+colour: [{kind: crop}, {kind: colour}]\n",
        "      crop+colour:\n        - {kind: crop}\n        - kind: colour\n          strength: 1\n",
    )
    study.write_text(text)

    found = cells(capsys, study)["crop+colour"]["from"]

    assert found["views.operations.1.strength"] == f"{study}:{line_of(text, 'strength: 1')}"
    assert found["views.operations.0.kind"] == f"{study}:{line_of(text, '        - {kind: crop}')}"


def test_controls_and_baselines_name_themselves(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = cells(capsys, study)

    assert found["random encoder"]["from"]["epochs"] == "floor 'random encoder'"
    assert found["permuted labels"]["from"]["evaluation.permuted_labels"] == (
        "control 'permuted labels'"
    )


@pytest.mark.parametrize("name", ["quickstart", "compositions", "head-layers"])
@pytest.mark.parametrize("scale", ["smoke", "gpu", "paper"])
def test_the_configurations_are_those_that_are_planned(
    name: str, scale: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    planned = {trial.cell: trial.config for trial in the_plan(name, scale=scale).trials}

    shown = cells(capsys, name, "--scale", scale)

    assert shown.keys() == planned.keys()
    for cell, config in planned.items():
        views = config["views"]
        field = "branch" if views["kind"] == "one_branch" else "operations"
        items = {f"views.{field}.{i}": item for i, item in enumerate(views[field])}
        expected = {
            k: v for k, v in flatten(config).items() if k.partition(".")[0] not in ("seed", "seeds")
        }
        if items:
            del expected[f"views.{field}"]
        assert shown[cell]["config"] == {**expected, **flatten(items)}


def test_what_all_arms_share_is_printed_once(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = called(capsys, "show", study, "--resolved")

    assert said.code == 0
    lines = said.out.splitlines()
    assert len([line for line in lines if line.startswith("batch_size ")]) == 1
    assert [line.split()[:2] for line in lines if line.startswith("arm ")] == [
        ["arm", "crop"],
        ["arm", "crop+colour"],
    ]


def test_options_of_the_resolved_form_are_refused_without_it(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = called(capsys, "show", study, "--json")

    assert said.code == 2
    assert "--only and --json need --resolved" in said.err
