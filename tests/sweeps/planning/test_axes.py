"""Axes give their points, and refuse what could not be told apart."""

import itertools
from typing import get_args

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from sweeps.planning import AnyAxis, Levels, OrderedPairs, Paired

SEVEN = {
    name: {"kind": name}
    for name in ("crop", "cutout", "colour", "sobel", "noise", "blur", "rotation")
}

EXAMPLES = {
    "levels": {"kind": "levels", "name": "a", "field": "x", "levels": [1, 2]},
    "paired": {"kind": "paired", "name": "a", "levels": {"small": {"x": 1, "y": 2}}},
    "ordered_pairs": {"kind": "ordered_pairs", "name": "a", "field": "x", "items": {"p": 1}},
}


@pytest.mark.parametrize("member", get_args(get_args(AnyAxis)[0]), ids=lambda kind: kind.__name__)
def test_each_kind_of_axis_is_read_by_its_kind_and_gives_points(member: type[BaseModel]) -> None:
    kind = member.model_fields["kind"].default

    axis = TypeAdapter(AnyAxis).validate_python(EXAMPLES[kind])

    assert type(axis) is member
    assert all(isinstance(fields, dict) and fields for fields in axis.points().values())


def test_plain_levels_are_labelled_by_their_values() -> None:
    axis = Levels(name="a", field="x", levels=[None, True, 0.1, 1e-6, 256, "none of these"])

    labels = list(axis.points())

    assert labels == ["none", "true", "0.1", "1e-06", "256", "none of these"]


def test_seven_items_give_seven_single_ones_and_forty_two_ordered_pairs() -> None:
    points = OrderedPairs(name="cell", field="ops", items=SEVEN).points()

    values = [fields["ops"] for fields in points.values()]
    singles = [value for value in values if len(value) == 1]
    pairs = [tuple(item["kind"] for item in value) for value in values if len(value) == 2]
    assert (len(points), len(singles), len(pairs)) == (49, 7, 42)
    assert sorted(pairs) == sorted(itertools.permutations(SEVEN, 2))
    assert points["crop+colour"] == {"ops": [{"kind": "crop"}, {"kind": "colour"}]}
    assert points["colour+crop"] == {"ops": [{"kind": "colour"}, {"kind": "crop"}]}
    assert points["blur"] == {"ops": [{"kind": "blur"}]}


def test_paired_fields_change_together() -> None:
    axis = Paired(name="batch", levels={"256": {"n": 256, "lr": 0.3}, "512": {"n": 512, "lr": 0.6}})

    assert axis.points() == {"256": {"n": 256, "lr": 0.3}, "512": {"n": 512, "lr": 0.6}}


WRONG = {
    "a level twice": (Levels, {"field": "x", "levels": [1, 1]}, "level '1' is listed twice"),
    "a list has no label": (Levels, {"field": "x", "levels": [[1]]}, "needs its own label"),
    "a comma in a label": (
        Levels,
        {"field": "x", "levels": {"a,b": 1}},
        "commas separate the names",
    ),
    "a blank at an end": (Levels, {"field": "x", "levels": {" a": 1}}, "begin or end with a space"),
    "no level": (Levels, {"field": "x", "levels": {}}, "at least 1 item"),
    "a field is left out": (
        Paired,
        {"levels": {"a": {"x": 1, "y": 1}, "b": {"x": 2}}},
        "level 'b' leaves out y, which another level sets; all levels must set the same fields",
    ),
    "levels without fields": (
        Paired,
        {"levels": {"a": {}, "b": {}}},
        "a level must set at least one field",
    ),
    "a plus in an item": (
        OrderedPairs,
        {"field": "x", "items": {"a+b": 1}},
        "must not contain '+'",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_axis_is_refused_with_the_rule_and_the_value(case: str) -> None:
    kind, settings, sentence = WRONG[case]

    with pytest.raises(ValidationError) as caught:
        kind(name="axis", **settings)

    assert sentence in str(caught.value)
