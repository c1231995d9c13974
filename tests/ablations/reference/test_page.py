"""The page of all fields is what the models say, and its illustrations are what the operations do."""

import io
import re
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from commands import called
from PIL import Image
from pydantic import BaseModel

from ablations.reference import draw_illustrations, every_entry, fields_page, kinds
from ablations.reference.illustrated import examples, illustrations
from reports.figures import frame_of
from reports.figures.svg import values
from reports.spec import MarginalMeans
from reports.spec.figure_specs import AnyFigure
from simclr_core.augment.file_operation import FileOperation
from simclr_core.augment.operations import AnyOperation, Cutout

PAGE = Path(__file__).parents[3] / "ablations" / "FIELDS.md"

PLACES = {"views.operations.N": (AnyOperation, 40_000), "figures.N": (AnyFigure, 60_000)}
"""Heading -> the union of its kinds, and the bytes that an illustration has fewer of."""


def pixels(png: bytes | Path) -> np.ndarray[Any, Any]:
    with Image.open(io.BytesIO(png) if isinstance(png, bytes) else png) as image:
        return np.asarray(image.convert("RGB")).astype(float)


def test_the_page_in_the_tree_is_the_one_that_the_models_give() -> None:
    assert PAGE.read_text(encoding="utf-8") == fields_page(), "write it again with `make fields`"


def test_the_page_has_a_row_for_every_field_and_a_heading_or_row_for_every_kind() -> None:
    page = fields_page()
    rows = [line for line in page.splitlines() if line.startswith("| `")]

    assert len(rows) == len(every_entry().entries)
    assert all(line.replace("\\|", "").count("|") == 6 for line in rows)
    for _, kind in kinds():
        assert f"of kind `{kind.name}`" in page


@pytest.mark.parametrize("place", PLACES)
def test_every_kind_of_operation_and_figure_has_an_illustration_below_its_heading(
    place: str,
) -> None:
    union, most = PLACES[place]
    page = PAGE.read_text(encoding="utf-8")
    members = {one.model_fields["kind"].default: one for one in get_args(get_args(union)[0])}

    assert len(members) > 3
    for kind, model in members.items():
        section = page.split(f"### `{place}` of kind `{kind}`\n")[1].split("\n### ")[0]
        shown = re.findall(r"^!\[(.+)\]\((illustrations/[\w-]+\.png)\)$", section, re.MULTILINE)
        assert len(shown) == (model is not FileOperation), kind
        for _, file in shown:
            assert file.endswith(f"-{kind}.png")
            assert 1_000 < (PAGE.parent / file).stat().st_size < most, file


def test_the_folder_of_illustrations_has_those_of_the_page_and_no_other() -> None:
    named = re.findall(r"\]\((illustrations/.+?)\)", PAGE.read_text(encoding="utf-8"))
    there = [f"illustrations/{file.name}" for file in (PAGE.parent / "illustrations").iterdir()]

    assert sorted(there) == sorted(named)


def test_each_illustration_shows_that_its_operation_changes_both_images() -> None:
    for file in (PAGE.parent / "illustrations").glob("operation-*.png"):
        sheet = pixels(file)
        for top in (0, 68):
            tiles = [sheet[top : top + 64, left : left + 64] for left in range(0, 528, 66)]
            change = [abs(tile - tiles[0]).mean() for tile in tiles[1:]]
            assert len(tiles) == 8
            assert max(change) > 4, file.name  # of 255


def test_the_illustrations_in_the_tree_are_those_that_are_drawn_today() -> None:
    for model in (Cutout, MarginalMeans):
        assert_drawn(model)


@pytest.mark.proof
def test_all_illustrations_in_the_tree_are_those_that_the_command_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draw_illustrations, "ROOT", tmp_path)

    draw_illustrations.main()

    for illustration in illustrations().values():
        assert_same((tmp_path / illustration.file).read_bytes(), PAGE.parent / illustration.file)


def assert_drawn(model: type[BaseModel]) -> None:
    assert_same(draw_illustrations.drawn(model), PAGE.parent / illustrations()[model].file)


def assert_same(drawn: bytes, file: Path) -> None:
    """Up to 1 of 255 on average: processors differ in the last bit."""
    today, there = pixels(drawn), pixels(file)
    assert today.shape == there.shape, file.name
    write = "write it again with `python -m ablations.reference.draw_illustrations`"
    assert abs(today - there).mean() < 1, f"{file.name}: {write}"


def test_figures_show_the_published_numbers_and_their_means() -> None:
    """Figure 9: batches of 256 for 100 to 500 epochs, and of 8192 for 600 to 1000."""
    example = examples()[MarginalMeans]

    table = values(example.figure, frame_of(example.published.values, example.levels))

    means = table.set_index(["place", "group"])["mean"]
    assert len(means) == 12
    short = (57.5 + 61.9 + 63.6 + 64.7 + 65.3) / 5
    assert means["256", "100 to 500 epochs"] == pytest.approx(short)
    long = (68.7 + 68.7 + 69.0 + 69.0 + 69.0) / 5
    assert means["8192", "600 to 1000 epochs"] == pytest.approx(long)


def test_the_page_says_of_each_figure_that_no_trial_was_run_for_it() -> None:
    for example in examples().values():
        caption = illustrations()[type(example.figure)].caption
        assert caption.startswith(
            "Drawn from the paper's numbers, not from trials: Chen et al. 2020"
        )


def test_a_terminal_gets_no_illustrations(capsys: pytest.CaptureFixture[str]) -> None:
    for prefix in ("views.operations", "figures"):
        said = called(capsys, "fields", prefix)
        assert said.code == 0
        assert "illustrations/" not in said.out
