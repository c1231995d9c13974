"""A sweep spans its cells in order, and companions go with them."""

import copy
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sweeps import Companion, Levels, OrderedPairs, PlanError, Sweep, apply, flatten

A = Levels(name="a", field="x.a", levels=[1, 2, 3])
B = Levels(name="b", field="x.b", levels=["p", "q"])
C = Levels(name="c", field="c", levels=[True, False])


def sweep(*axes: object, **settings: object) -> Sweep:
    return Sweep(study="s", base={"x": {"a": 0, "z": 9}}, axes=axes, **{"seeds": (0,), **settings})


def test_a_factorial_design_holds_all_combinations_the_first_axis_slowest() -> None:
    arms = sweep(A, B, C).arms()

    expected = list(itertools.product("123", "pq", ["true", "false"]))
    assert [tuple(arm.levels.values()) for arm in arms] == expected
    assert arms[0].name == "1 / p / true"
    assert arms[-1].config == {"x": {"a": 3, "z": 9, "b": "q"}, "c": False}


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
    "two axes of one name": ([A, A], {}, "axis 'a' stands 2 times"),
    "two axes of one field": (
        [A, Levels(name="d", field="x", levels=[1])],
        {},
        "axes 'a' and 'd' both set 'x'; a field belongs to one axis",
    ),
    "a seed twice": ([A], {"seeds": (1, 1)}, "seed '1' stands 2 times"),
    "no seed": ([A], {"seeds": ()}, "at least 1 item"),
    "two floors": (
        [A],
        {"companions": tuple(Companion(name=n, role="floor", set={}) for n in ("f", "g"))},
        "a sweep has at most one floor, got f, g",
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

    with pytest.raises(PlanError, match=r"cell 'a / b / c' stands 2 times.*rename a level"):
        sweep(left, right).arms()


def test_a_dotted_name_reaches_into_mappings_and_lists() -> None:
    base = {"views": {"operations": [{"kind": "crop"}, {"kind": "colour"}]}}

    changed = apply(base, {"views.operations.1.strength": 0.5, "new.deep": 1})

    assert changed["views"]["operations"][1] == {"kind": "colour", "strength": 0.5}
    assert changed["new"] == {"deep": 1}


def test_a_place_that_a_list_does_not_have_is_refused() -> None:
    with pytest.raises(PlanError, match=r"'7' is no place in a list of 2, whose places are 0 to 1"):
        apply({"a": [1, 2]}, {"a.7": 3})


names = st.text("abc", min_size=1, max_size=3)
trees = st.recursive(
    st.integers() | st.lists(st.integers(), max_size=2) | st.none(),
    lambda inner: st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
).filter(lambda tree: isinstance(tree, dict))


@given(trees)
def test_a_flat_configuration_applied_to_nothing_is_the_nested_one(tree: dict) -> None:
    assert apply({}, flatten(tree)) == tree


@given(trees, names, st.integers())
def test_applying_leaves_the_base_as_it_was(tree: dict, field: str, value: int) -> None:
    before = copy.deepcopy(tree)

    result = apply(tree, {field: value})

    assert tree == before
    assert result[field] == value


def test_cells_share_nothing_with_the_base_or_with_each_other() -> None:
    base = {"a": {"b": 1, "c": [1]}}

    one, other = apply(base, {"a.b": 2}), apply(base, {"a.b": 3})
    one["a"]["c"].append(2)

    assert base == {"a": {"b": 1, "c": [1]}}
    assert other == {"a": {"b": 3, "c": [1]}}
