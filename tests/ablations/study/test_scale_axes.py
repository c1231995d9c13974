"""A level added to a study is there at every scale, or the plan says what leaves it out."""

import io
from pathlib import Path

import pytest
from commands import STUDY, called, the_plan, written_study
from ruamel.yaml import YAML

from ablations.study.catalogue import (
    STUDIES,
    cells_left_out,
    chosen_cells,
    read_study,
    shipped,
)
from ablations.study.consistency import cell_names
from ablations.study.schema import MOST_SMOKE_CELLS, SCALES

NEW = "a level of mine"


def with_a_level(folder: Path, name: str) -> Path:
    """A copy of a shipped study whose first axis has one more level, a copy of its last."""
    yaml = YAML()
    study = yaml.load(STUDIES / f"{name}.yaml")
    axis = study["axes"][0]
    field = "items" if axis["kind"] == "ordered_pairs" else "levels"
    if isinstance(axis[field], list):
        axis[field].append(axis[field][-1] + 2)
    else:
        axis[field][NEW] = list(axis[field].values())[-1]
    text = io.StringIO()
    yaml.dump(study, text)
    return written_study(folder, text.getvalue().replace("(labels: train)\\n", ""))


@pytest.mark.parametrize("name", shipped())
def test_a_level_added_to_a_copy_of_a_shipped_study_is_at_every_scale_or_said_to_be_left_out(
    here: Path, name: str
) -> None:
    written = read_study(str(with_a_level(here, name)))
    before = read_study(name)
    for scale in SCALES:
        cells = {s: cell_names(w.study, scale) for s, w in (("old", before), ("new", written))}
        new = [cell for cell in cells["new"] if cell not in cells["old"]]
        told = cells_left_out(written, scale)

        run = chosen_cells(written.study, scale) or tuple(cells["new"])
        hidden = {name for one in told for name in one.names}
        assert set(cells["new"]) - set(run) <= hidden
        # Only a scale with other levels does without it, and says so.
        assert new or any("other levels" in one.message for one in told)
        assert all("mine.yaml:" in one.message for one in told)


@pytest.mark.parametrize("name", shipped())
def test_axes_of_a_scale_give_the_shipped_studies_the_cells_that_are_written(name: str) -> None:
    study = read_study(name).study
    for scale in SCALES:
        merged = {axis.name: axis for axis in study.axes_at(scale)}
        for axis in study.scale(scale).axes or ():
            assert axis.points().items() <= merged[axis.name].points().items()


def test_an_axis_of_a_scale_changes_the_levels_that_it_names_and_keeps_the_others(
    here: Path,
) -> None:
    axis = "axes: [{kind: levels, name: views, field: views.operations, levels: {LEVELS}}]"
    weak = "crop+colour: [{kind: crop}, {kind: colour, strength: 0.25}]"
    own = STUDY.replace("    set:\n", f"    {axis.replace('LEVELS', weak)}\n    set:\n")
    more = own.replace("seeds: 2", "      grey: [{kind: crop}, {kind: sobel}]\nseeds: 2", 1)

    def strength(text: str, cell: str) -> list[object]:
        trials = the_plan(written_study(here, text)).trials
        config = next(t.config for t in trials if t.cell == cell)
        return [one.get("strength") for one in config["views"]["operations"]]

    assert strength(own, "crop+colour") == [None, 0.25]
    assert strength(own, "crop") == [None]
    assert strength(more, "grey") == [None, None]
    assert strength(more, "crop+colour") == [None, 0.25]


def test_the_plan_says_which_cells_only_leaves_out_and_where(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = STUDY.replace("scales:\n", "scales:\n  smoke: {only: [crop], set: {epochs: 1}}\n")
    study = written_study(here, text)
    line = text.splitlines().index("  smoke: {only: [crop], set: {epochs: 1}}") + 1

    (one,) = cells_left_out(read_study(str(study)), "smoke")

    assert one.names == ("crop+colour",)
    assert one.message.endswith(
        f"/mine.yaml:{line}: `only` leaves out 1 cell at this scale: crop+colour; use --only to "
        "run more cells, or add them there"
    )
    assert cells_left_out(read_study(str(study)), "laptop") == []
    assert "leaves out" not in called(capsys, "plan", study).out
    shown = called(capsys, "plan", "quickstart", "--scale", "smoke").out
    assert "`only` leaves out 1 cell at this scale: crop+colour+rotation" in shown


def test_the_smoke_scale_picks_a_few_of_many_cells_by_itself(here: Path) -> None:
    levels = "\n".join(f"      c{i}: {i + 1}" for i in range(9))
    views = STUDY[STUDY.index("  - kind: levels") : STUDY.index("seeds: 2")]
    axis = f"  - kind: levels\n    name: epochs\n    field: epochs\n    levels:\n{levels}\n"
    text = STUDY.replace(views, axis)
    text = text[: text.index("roles:")]

    def chosen(text: str) -> tuple[str, ...] | None:
        return chosen_cells(read_study(str(written_study(here, text))).study, "smoke")

    assert chosen(text) == ("c0", "c3", "c5", "c8")
    assert chosen(text + "control_arm: c4\n") == ("c0", "c4", "c5", "c8")
    assert chosen(text.replace("scales:", "scales:\n  smoke: {only: [c1, c2, c3, c4, c5]}")) == (
        *("c1", "c2", "c3", "c4", "c5"),
    )
    few = text.replace("\n".join(levels.splitlines()[MOST_SMOKE_CELLS:]) + "\n", "")
    assert chosen(few) is None
    (told,) = cells_left_out(read_study(str(written_study(here, text))), "smoke")
    assert told.names == ("c1", "c2", "c4", "c6", "c7")


def test_a_product_of_axes_is_counted_before_it_is_made(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    views = STUDY[STUDY.index("  - kind: levels") : STUDY.index("seeds: 2")]
    axes = "".join(
        f"  - {{kind: levels, name: a{i}, field: f{i}, levels: {list(range(100))}}}\n"
        for i in range(5)
    )
    written_study(here, STUDY.replace(views, axes))

    said = called(capsys, "plan", "mine.yaml")

    assert said.code == 2
    assert len(said.err.splitlines()) == 1
    assert "mine.yaml:" in said.err
    assert "axes: the axes span 10,000,000,000 cells (100 x 100 x 100 x 100 x 100)" in said.err
    assert "at most 10,000" in said.err
