"""A path in a study is relative to the study's file, one on the command line to the current folder."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from commands import STUDY, called, written_study
from PIL import Image

TEXTURES = "data: {kind: textures, num_images: 64, num_test: 32}"


def images(folder: Path) -> Path:
    """80 images of two classes, 64 of them for training."""
    for place in range(80):
        named = folder / ("Äpfel", "birnen rot")[place % 2]
        named.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (12, 12), (3 * place, 50, place)).save(named / f"{place}.png")
    return folder


def with_data(path: str, **more: Any) -> str:
    data = json.dumps({"kind": "folder", "path": path, **more}, ensure_ascii=False)
    assert TEXTURES in STUDY
    return STUDY.replace(TEXTURES, f"data: {data}")


def planned_paths(capsys: pytest.CaptureFixture[str], *words: str | Path) -> set[str]:
    said = called(capsys, "plan", *words, "--json")
    assert said.code == 0, said.err
    return {trial["config"]["data"]["path"] for trial in said.json["trials"]}


@pytest.mark.parametrize("name", ["obst daten", "Früchte 2 äöü", "日本 'quoted'", "a%b?c#d"])
def test_images_named_in_a_study_are_found_from_any_folder(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (here / "my studies").mkdir()
    there = images(here / "my studies" / name)
    written_study(here / "my studies", with_data(name))

    from_above = planned_paths(capsys, "my studies/mine.yaml")
    monkeypatch.chdir(here / "my studies")
    beside_it = planned_paths(capsys, "mine.yaml")
    monkeypatch.chdir("/")
    from_afar = planned_paths(capsys, here / "my studies" / "mine.yaml")

    # A worker has a current folder of its own: what it is handed must not depend on any.
    assert from_above == beside_it == from_afar == {str(there)}


def test_a_path_may_lead_out_of_the_studys_folder_or_start_at_home(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(here / "home"))
    images(here / "home" / "obst")
    (here / "studies").mkdir()

    for path in ("../home/obst", "~/obst", str(here / "home" / "obst")):
        written_study(here / "studies", with_data(path))
        (found,) = planned_paths(capsys, "studies/mine.yaml")
        assert os.path.isabs(found)  # noqa: PTH117 -- of a text
        assert Path(found).samefile(here / "home" / "obst")


def test_a_path_in_every_place_of_a_study_is_relative_to_its_file(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two", "brought"):
        images(here / "lab" / name)
    axis = "  - {kind: levels, name: images, field: data.path, levels: {one: one, two: two}}\n"
    views = STUDY[STUDY.index("  - kind: levels") : STUDY.index("seeds: 2")]
    text = with_data("one").replace(views, axis)
    written_study(here / "lab", text[: text.index("roles:")])

    assert planned_paths(capsys, "lab/mine.yaml") == {
        str(here / "lab" / "one"),
        str(here / "lab" / "two"),
    }


def test_a_path_of_set_and_of_data_is_relative_to_the_current_folder(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "lab").mkdir()
    images(here / "meine bilder")
    written_study(here / "lab", with_data("not there"))

    set_path = planned_paths(capsys, "lab/mine.yaml", "--set", "data.path=meine bilder")
    brought = planned_paths(capsys, "lab/mine.yaml", "--data", "meine bilder")

    assert set_path == brought == {str(here / "meine bilder")}
    helped = called(capsys, "plan", "--help").out
    assert "current folder" in " ".join(helped.split())  # wherever its lines are broken


def test_a_path_that_leads_nowhere_is_refused_with_the_whole_path_and_the_nearest(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images(here / "lab" / "obst daten")
    written_study(here / "lab", with_data("obst-daten"))

    said = called(capsys, "plan", "lab/mine.yaml")

    assert said.code == 2
    assert len(said.err.splitlines()) == 1
    assert str(here / "lab" / "obst-daten") in said.err
    assert "did you mean 'obst daten'?" in said.err
    line = next(i for i, row in enumerate(with_data("x").splitlines(), 1) if "folder" in row)
    place = f"lab/mine.yaml:{line}: data.path: no folder or archive at "
    assert said.err.startswith(f"ablate: {place}"), said.err


def test_a_name_in_the_other_spelling_of_its_umlauts_is_suggested(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images(here / "Fru\u0308chte")  # as macOS writes it
    written_study(here, with_data("Fr\u00fcchte"))

    said = called(capsys, "plan", "mine.yaml")

    assert said.code == 0, said.err


@pytest.mark.slow
@pytest.mark.proof
def test_workers_find_the_images_of_a_relative_path(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "my studies").mkdir()
    images(here / "my studies" / "obst daten Ä")
    text = with_data("obst daten Ä", size=8).replace("seeds: 2", "seeds: 1")
    written_study(here / "my studies", text)

    said = called(capsys, "run", "my studies/mine.yaml", "--only", "crop")

    assert said.code == 0, said.err
