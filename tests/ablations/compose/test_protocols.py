"""Protocols: presets below a study's own values, what they add to operations and to the user's images."""

from pathlib import Path
from typing import Any

import pytest
from commands import STUDY, called, the_plan, written_study
from PIL import Image

from ablations.study.catalogue import read_study, shipped
from ablations.study.protocols import PROTOCOLS
from ablations.study.schema import SCALES

PROTOCOL = """\
operations: {colour: {strength: 0.25}}
set:
  epochs: 3
  batch_size: 16
with_data:
  operations: {colour: {strength: 0.75}}
  set:
    epochs: 4
    data.size: 24
"""
BASED = STUDY.replace("  laptop:\n", "  laptop:\n    protocol: mine-small.yaml\n").replace(
    "      epochs: 1\n", ""
)


@pytest.fixture
def images(here: Path) -> Path:
    for place in range(90):
        folder = here / "images" / "ab"[place % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (2 * place, 0, 0)).save(folder / f"{place}.png")
    return here / "images"


def based(here: Path, text: str = BASED, protocol: str = PROTOCOL) -> Path:
    (here / "lab").mkdir(exist_ok=True)
    (here / "lab" / "mine-small.yaml").write_text(protocol)
    return written_study(here / "lab", text)


def config_of(study: Path, cell: str, **request: Any) -> dict[str, Any]:
    return next(t.config for t in the_plan(study, **request).trials if t.cell == cell)


def strength(config: dict[str, Any]) -> float:
    return config["views"]["operations"][1]["strength"]


def test_a_studys_own_values_are_set_over_those_of_its_protocol(here: Path) -> None:
    config = config_of(based(here), "crop")

    assert (config["epochs"], config["batch_size"]) == (3, 32)


def test_an_operation_takes_the_protocols_default_for_what_it_does_not_say(here: Path) -> None:
    said = BASED.replace("{kind: colour}", "{kind: colour, strength: 1}")

    assert strength(config_of(based(here), "crop+colour")) == 0.25
    assert strength(config_of(based(here, said), "crop+colour")) == 1


def test_a_default_applies_to_the_papers_own_operations_as_well(here: Path) -> None:
    views = BASED[BASED.index("  - kind: levels") : BASED.index("seeds: 2")]
    axis = (
        "  - {kind: levels, name: views, field: seeds.order, levels: {crop: 1, crop+colour: 2}}\n"
    )
    text = BASED.replace(views, axis).replace(
        "  views: {kind: symmetric, operations: [{kind: crop}]}\n", "  views: {kind: symmetric}\n"
    )

    operations = config_of(based(here, text), "crop")["views"]["operations"]

    assert [one["kind"] for one in operations] == ["crop", "colour", "blur"]
    assert operations[1]["strength"] == 0.25


def test_a_scale_may_set_defaults_over_those_of_its_protocol(here: Path) -> None:
    own = "mine-small.yaml\n    operations: {colour: {strength: 0.5}}\n"

    assert (
        strength(config_of(based(here, BASED.replace("mine-small.yaml\n", own)), "crop+colour"))
        == 0.5
    )


def test_with_data_applies_to_the_users_images_and_to_nothing_else(
    here: Path, images: Path
) -> None:
    study = based(here)

    plain, brought = config_of(study, "crop+colour"), config_of(study, "crop+colour", data=images)

    assert (plain["epochs"], plain["data"]["size"], strength(plain)) == (3, 32, 0.25)
    assert (brought["epochs"], brought["data"]["size"], strength(brought)) == (4, 24, 0.75)


def test_kind_protocol_inserts_the_operations_that_all_cells_share(here: Path) -> None:
    text = BASED.replace("[{kind: crop}, {kind: colour}]", "[{kind: protocol}, {kind: rotation}]")
    text = text.replace(
        "operations: [{kind: crop}]}", "operations: [{kind: crop}, {kind: colour}]}"
    )

    operations = config_of(based(here, text), "crop+colour")["views"]["operations"]

    assert [one["kind"] for one in operations] == ["crop", "colour", "rotation"]
    assert operations[1]["strength"] == 0.25


WRONG = {
    "a value out of range": ("epochs: 3", "epochs: -3", 3, "epochs: must be at least 0, got -3"),
    "an unknown field": ("batch_size: 16", "batch: 16", 4, "batch: no such field"),
    "an unknown operation": (
        "colour: {strength: 0.25}", "color: {strength: 0.25}", 1,
        "operations.color: must be one of crop, ",
    ),
    "a default out of range": (
        "{strength: 0.25}", "{strength: -1}", 1, "strength: must be at least 0, got -1",
    ),
    "a key that no protocol has": ("with_data:", "with_date:", 5, "did you mean 'with_data'"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_in_a_protocol_is_reported_with_its_file_and_line(
    here: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    old, new, line, words = WRONG[case]

    said = called(capsys, "plan", based(here, protocol=PROTOCOL.replace(old, new)))

    assert said.code == 2
    assert f"mine-small.yaml:{line}: " in said.err
    assert words in said.err


def test_a_mistake_under_with_data_is_reported_without_any_images(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = PROTOCOL.replace("data.size: 24", "data.sizes: 24")

    said = called(capsys, "plan", based(here, protocol=wrong))

    assert said.code == 2
    assert "mine-small.yaml:9: data.sizes: no such field; did you mean data.size?" in said.err


def test_an_unknown_protocol_is_refused_with_the_nearest_name(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = BASED.replace("mine-small.yaml", "labtop")

    said = called(capsys, "plan", based(here, text))

    assert said.code == 2
    line = text.splitlines().index("    protocol: labtop") + 1
    assert said.err.endswith(
        f"mine.yaml:{line}: scales.laptop.protocol: no protocol 'labtop'; did you mean 'laptop'; if it "
        "is a file, include its .yaml suffix\n"
    )


def test_a_study_of_ones_own_may_name_a_shipped_protocol(here: Path) -> None:
    text = BASED.replace("mine-small.yaml", "smoke")

    assert config_of(based(here, text), "crop")["epochs"] == 2


def test_every_shipped_protocol_is_named_by_a_study() -> None:
    studies = [read_study(name).study for name in shipped()]

    named = {study.scale(scale).protocol for study in studies for scale in SCALES}

    assert {path.stem for path in PROTOCOLS.glob("*.yaml")} <= named
