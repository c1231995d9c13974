"""Cells are excluded with a reason, and selected by name or by level."""

import itertools

import pytest

from sweeps.errors import PlanError
from sweeps.planning import Exclusion, Levels, Sweep, named_cells

A = Levels(name="a", field="x.a", levels=[1, 2, 3])
B = Levels(name="b", field="x.b", levels=["p", "q"])
C = Levels(name="c", field="c", levels=[True, False])


def sweep(*exclude: Exclusion, **changes: object) -> Sweep:
    return Sweep(**{"study": "s", "axes": (A, B, C), "seeds": (0,), "exclude": exclude} | changes)


def chosen(only: str, *exclude: Exclusion, **changes: object) -> tuple[str, ...]:
    made = sweep(*exclude, **changes)
    arms = {arm.name: arm.levels for arm in made.arms()}
    return named_cells(tuple(only.split(",")), arms, made.excluded())


DIVERGES = Exclusion(where={"a": [1, 3], "b": "q"}, reason="diverges")
SLOW = Exclusion(where={"c": True, "a": 3}, reason="takes a week")


def test_an_excluded_cell_has_one_of_the_labels_on_each_axis_and_its_reasons() -> None:
    made = sweep(DIVERGES, SLOW)

    expected = {
        " / ".join(cell): [
            why
            for why, out in (
                ("diverges", cell[0] in "13" and cell[1] == "q"),
                ("takes a week", cell[0] == "3" and cell[2] == "true"),
            )
            if out
        ]
        for cell in itertools.product("123", "pq", ["true", "false"])
    }
    assert made.excluded() == {name: "; ".join(why) for name, why in expected.items() if why}
    left = [name for name, why in expected.items() if not why]
    assert [arm.name for arm in made.arms()] == left
    assert list(made.places()) == left
    assert list(made.levels()) == list(expected)


def test_the_keys_of_the_other_cells_do_not_depend_on_what_is_excluded() -> None:
    every = {arm.name: arm for arm in sweep().arms()}

    assert all(every[arm.name] == arm for arm in sweep(DIVERGES).arms())


def test_without_any_cell_there_is_no_sweep() -> None:
    with pytest.raises(PlanError, match="exclude: leaves no cell"):
        sweep(Exclusion(where={"b": ["p", "q"]}, reason="why not")).arms()


def test_levels_of_one_axis_add_up_and_those_of_several_must_all_fit() -> None:
    assert chosen("a=2") == tuple(f"2 / {b} / {c}" for b in "pq" for c in ("true", "false"))
    assert chosen("a=1,b=q,a=3,c=true") == ("1 / q / true", "3 / q / true")
    assert chosen("a=1, b = p ,c=true,2 / q / false") == ("1 / p / true", "2 / q / false")


def test_a_cell_of_that_very_name_comes_first() -> None:
    design = {"design": "one_at_a_time"}

    assert chosen("a=2", **design) == ("a=2",)
    # The baseline has the first levels, and no cell is named after them.
    assert chosen("b=p,c=true", **design) == ("baseline", "a=2", "a=3")


def test_excluded_cells_are_not_among_those_of_a_level() -> None:
    assert chosen("a=1", DIVERGES) == ("1 / p / true", "1 / p / false")


@pytest.mark.parametrize(
    ("only", "words"),
    [
        ("a=4", "axis 'a' has no level '4'"),
        ("b=P", "axis 'b' has no level 'P'; did you mean 'p'"),
        ("1 / q / true", "cell '1 / q / true' is excluded: diverges"),
        ("a=1,b=q", "no cell has a=1 and b=q; name fewer levels"),
    ],
)
def test_a_selection_that_fits_nothing_is_told(only: str, words: str) -> None:
    with pytest.raises(PlanError) as error:
        chosen(only, DIVERGES)

    assert words in str(error.value)


def test_other_names_are_left_to_the_plan_which_knows_the_controls() -> None:
    assert chosen("random encoder,d=1") == ("random encoder", "d=1")
