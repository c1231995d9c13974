"""The schema for editors takes every shipped study and refuses wrong ones, by jsonschema's rules."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from commands import STUDY
from jsonschema import Draft202012Validator

from ablations.reference import study_schema
from ablations.study import path_of, read_yaml, shipped

SCHEMA = study_schema()
VALIDATOR = Draft202012Validator(SCHEMA)


def findings(content: Any) -> list[str]:
    return [error.json_path for error in VALIDATOR.iter_errors(_plain(content))]


def _plain(value: Any) -> Any:
    """As JSON has it: names are texts."""
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def read(folder: Path, text: str) -> Any:
    path = folder / "mine.yaml"
    path.write_text(text)
    return read_yaml(path).content


def test_it_is_a_schema_of_its_dialect() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", shipped())
def test_shipped_studies_are_valid(name: str) -> None:
    assert findings(read_yaml(path_of(name)).content) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("question:", "questions:"),
        ("epochs: 1", "epoch: 1"),
        ("kind: adamw", "kind: adamv"),
        ("epochs: 1", "epochs: -1"),
        ("batch_size: 32", "batch_size: many"),
        ("seeds: 2", "seeds: 0"),
        ("seeds: 2", "seeds: [0, 3, 0]"),
        ("    levels:\n      crop:", "    level:\n      crop:"),
        ("  laptop:", "  labtop:"),
        ("field: views.operations", "field: views.operation"),
        ("field: views.operations", "field: loss.temperature"),
        ("kind: beats, name", "name"),
        ("width: 0.0625", "width: wide"),
        ("{kind: colour}]", "{kind: colour, strength: 3}]"),
        ("[{kind: crop}, {kind: colour}]", "[{kind: crop}, {strength: 1}]"),
        ("batch_size: 32", "head.outputs: 3"),
        ("batch_size: 32", "views.operations.x.strength: 1"),
    ],
)
def test_a_mistake_in_one_place_is_refused(tmp_path: Path, old: str, new: str) -> None:
    assert STUDY.count(old)
    assert findings(read(tmp_path, STUDY)) == []

    assert findings(read(tmp_path, STUDY.replace(old, new)))


@pytest.mark.parametrize(
    "base",
    [
        "{optimizer.momentum: 0.95}",
        "{optimizer: {momentum: 0.95}}",
        "{optimizer: {kind: sgd, nesterov: true}}",
        "{evaluation: {knn.k: 50, target: {kind: grey}}}",
        "{evaluation.geometry: null, evaluation.probe: {kind: ridge}}",
        "{views.operations.1.strength: 0.5}",
        "{views.operations: [{kind: protocol}, {kind: rotation}]}",
        "{encoder: {blocks: [1, 1], width: 0.125}, seeds.order: 3}",
        "{loss: {kind: file, path: mine.py, name: mine}}",
    ],
)
def test_every_way_to_write_a_setting_is_accepted(tmp_path: Path, base: str) -> None:
    head, _, rest = STUDY.partition("base:\n")
    text = f"{head}base: {base}\n{rest.partition(chr(10))[2]}"

    assert findings(read(tmp_path, text)) == []


def test_fields_and_kinds_have_the_models_descriptions() -> None:
    settings = SCHEMA["$defs"]

    assert "0.5 for CIFAR-10" in str(settings["setting loss.temperature"])
    assert settings["component Lars"]["description"].startswith("Layer-wise adaptive rates")
    assert "default" in str(settings["setting batch_size"])
