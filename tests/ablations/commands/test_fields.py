"""`ablate fields`: what people and programs read of each field."""

import pytest
from commands import called


def test_a_field_is_described_with_all_that_is_known_of_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = called(capsys, "fields", "views.operations.colour.strength")

    assert said.code == 0
    assert said.out.splitlines() == [
        "Fields of the configuration, in base, set, --set and levels",
        "",
        "views.operations.N of kind colour",
        "",
        "views.operations.N.strength",
        "    number; at least 0, at most 2.5; default 1.0",
        "    s: 1 for ImageNet, 0.5 for CIFAR-10 (appendices A and B.9); at 2.5 the hue is lost.",
        "    source: appendices A and B.9; example: strength: 1.0",
        "",
        "N is the place of an item in its list, from 0.",
    ]


def test_all_kinds_of_a_family_and_their_fields_are_below_its_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = called(capsys, "fields", "optimizer")

    assert "mapping with a kind: lars, sgd, adamw, file; default {kind: lars}" in said.out
    assert "      lars: Layer-wise adaptive rates (You et al. 2017)" in said.out
    assert "optimizer of kind adamw" in said.out
    assert "optimizer.betas" in said.out


def test_a_long_default_is_told_by_its_ends_and_whole_as_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = "evaluation.probe.logistic.l2"
    said, value = called(capsys, "fields", name), called(capsys, "fields", name, "--json")

    assert "default 45 values from 1e-06 to 100000.0" in said.out
    [field] = value.json["fields"]
    assert len(field["default"]) == 45
    assert field["field"] == "evaluation.probe.l2"
    assert field["when"] == {"evaluation.probe": "logistic"}
    assert field["range"] == "at least one item; each above 0"


def test_as_json_all_fields_are_one_value(capsys: pytest.CaptureFixture[str]) -> None:
    fields = called(capsys, "fields", "--json").json["fields"]

    assert {field["part"] for field in fields} == {"study", "configuration"}
    gpu = next(field for field in fields if field["field"] == "scales.gpu")
    assert gpu["fields_at"] == "scales.smoke"
    assert all(field["meaning"] for field in fields)


def test_lines_fit_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")

    said = called(capsys, "fields", "loss")

    prose = [line for line in said.out.splitlines() if line.startswith("    ")]
    assert max(map(len, prose)) <= 60 or any(" " not in line.strip() for line in prose)


def test_an_unknown_name_is_one_message_with_a_suggestion(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = called(capsys, "fields", "optimizr")

    assert (said.code, said.out) == (2, "")
    assert said.err == "ablate: fields: no field 'optimizr'; did you mean 'optimizer'?\n"
