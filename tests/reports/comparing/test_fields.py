"""Fields in which nested values differ."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.comparing import ABSENT, fields_of, text_of

TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


def differing(*values: Any) -> dict[str, tuple[Any, ...]]:
    return {field.name: field.values for field in fields_of(values) if not field.equal}


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 2}}, {"a.b": (1, 2)}),
        ({"a": 1}, {}, {"a": (1, ABSENT)}),
        ({"a": None}, {}, {"a": (None, ABSENT)}),  # null is a value
        ({"a": {"b": 1, "c": 2}}, {"a": None}, {"a": ({"b": 1, "c": 2}, None)}),
        ({"a": [{"k": 1}, {"k": 2}]}, {"a": [{"k": 1}, {"k": 3}]}, {"a.1.k": (2, 3)}),
        ({"a": [{"k": 1}]}, {"a": [{"k": 1}, {"k": 2}]}, {"a.1": (ABSENT, {"k": 2})}),
        ({"a": [1, 2]}, {"a": [1, 3]}, {"a": ([1, 2], [1, 3])}),  # a list of numbers is one value
        ({"a": 1}, {"a": 1.0}, {}),
        ({"a": 1}, {"a": True}, {"a": (1, True)}),
        ({"a": {}}, {"a": {}}, {}),
    ],
)
def test_the_field_is_named_with_both_values(
    first: Any, second: Any, expected: dict[str, Any]
) -> None:
    assert differing(first, second) == expected


def test_more_than_two_are_compared_field_by_field() -> None:
    assert differing({"a": 1, "b": 1}, {"a": 2, "b": 1}, {"b": 1}) == {"a": (1, 2, ABSENT)}


def test_equal_fields_are_there_to_be_counted() -> None:
    found = list(fields_of([{"a": 1, "b": {"c": 2, "d": 3}}, {"a": 1, "b": {"c": 2, "d": 4}}]))

    assert [(field.name, field.equal) for field in found] == [
        ("a", True), ("b.c", True), ("b.d", False),
    ]  # fmt: skip


@given(st.dictionaries(st.sampled_from("abc"), TREES, max_size=3))
def test_a_value_does_not_differ_from_its_copy(tree: dict[str, Any]) -> None:
    assert differing(tree, copy.deepcopy(tree)) == {}


@given(*[st.dictionaries(st.sampled_from("abc"), TREES, max_size=3)] * 2)
def test_values_differ_where_their_json_does(one: dict[str, Any], other: dict[str, Any]) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)

    assert (differing(one, other) == {}) == same


def test_a_value_is_written_as_in_a_configuration() -> None:
    assert [text_of(value) for value in (ABSENT, None, True, "crop", [1, 2], {"k": 0.5})] == [
        "-", "null", "true", "crop", "[1, 2]", '{"k": 0.5}',
    ]  # fmt: skip
