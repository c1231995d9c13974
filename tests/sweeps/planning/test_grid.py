"""A sweep spans its cells in order, and controls and baselines are added to them."""

import itertools

import pytest
from pydantic import ValidationError

from sweeps.errors import PlanError
from sweeps.planning import AddedCell, Levels, OrderedPairs, Sweep, flatten

A = Levels(name="a", field="x.a", levels=[1, 2, 3])
B = Levels(name="b", field="x.b", levels=["p", "q"])
C = Levels(name="c", field="c", levels=[True, False])


def sweep(*axes: object, **settings: object) -> Sweep:
    return Sweep(study="s", axes=axes, **{"seeds": (0,), **settings})


def test_a_factorial_design_holds_all_combinations_the_first_axis_slowest() -> None:
    arms = sweep(A, B, C).arms()

    expected = list(itertools.product("123", "pq", ["true", "false"]))
    assert [tuple(arm.levels.values()) for arm in arms] == expected
    assert arms[0].name == "1 / p / true"
    assert arms[-1].settings == {"x.a": 3, "x.b": "q", "c": False}


def test_one_at_a_time_changes_one_axis_of_the_first_levels() -> None:
    arms = sweep(A, B, C, design="one_at_a_time").arms()

    assert [arm.name for arm in arms] == ["baseline", "a=2", "a=3", "b=q", "c=false"]
    assert [tuple(arm.levels.values()) for arm in arms] == [
        ("1", "p", "true"),
        ("2", "p", "true"),
        ("3", "p", "true"),
        ("1", "q", "true"),
        ("1", "p", "false"),
    ]


def test_ordered_pairs_of_seven_are_forty_nine_cells() -> None:
    arms = sweep(OrderedPairs(name="o", field="ops", items=dict.fromkeys("abcdefg", 1))).arms()

    assert len(arms) == len({arm.name for arm in arms}) == 49


def test_a_sweep_without_axes_is_one_cell() -> None:
    [arm] = sweep().arms()

    assert (arm.name, arm.settings) == ("base", {})


WRONG = {
    "two axes of one name": ([A, A], {}, "axis 'a' is listed 2 times; list each once"),
    "two axes of one field": (
        [A, Levels(name="d", field="x", levels=[1])],
        {},
        "axes 'a' and 'd' both set 'x'; a field may belong to only one axis",
    ),
    "a seed twice": ([A], {"seeds": (1, 1)}, "seed '1' is listed 2 times; list each once"),
    "two controls of one name": (
        [A],
        {"added": 2 * (AddedCell(name="c", role="control", set={}),)},
        "control or baseline 'c' is listed 2 times; list each once",
    ),
    "no seed": ([A], {"seeds": ()}, "at least 1 item"),
    "two floors": (
        [A],
        {"added": tuple(AddedCell(name=n, role="floor", set={}) for n in ("f", "g"))},
        "a sweep may have at most one floor, got f, g",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_sweep_that_contradicts_itself_is_refused(case: str) -> None:
    axes, settings, sentence = WRONG[case]

    with pytest.raises(ValidationError) as caught:
        sweep(*axes, **settings)

    assert sentence in str(caught.value)


def test_all_mistakes_of_a_sweep_are_told_at_once() -> None:
    with pytest.raises(ValidationError) as caught:
        sweep(A, A, seeds=(1, 1))

    assert "axis 'a'" in str(caught.value)
    assert "seed '1'" in str(caught.value)


def test_cells_of_one_name_are_refused_with_the_way_out() -> None:
    left = Levels(name="l", field="l", levels={"a / b": 1, "a": 2})
    right = Levels(name="r", field="r", levels={"c": 1, "b / c": 2})

    with pytest.raises(PlanError) as caught:
        sweep(left, right).arms()

    assert str(caught.value) == "2 cells have the name 'a / b / c'; rename a level"


def test_a_flat_configuration_has_dotted_fields_lists_and_empty_mappings_as_values() -> None:
    nested = {"views": {"operations": [{"kind": "crop"}]}, "options": {}, "epochs": 1}

    assert flatten(nested) == {
        "views.operations": [{"kind": "crop"}],
        "options": {},
        "epochs": 1,
    }
