"""The axes of a scale: the study's axes, with the levels to which the scale gives other values.

An axis of a scale that names levels of the study's axis of the same name changes these and keeps
the others, so that a level added to the study exists at every scale. An axis with a new level replaces
the study's axis, and a list with a new axis replaces all axes.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sweeps.planning import AnyAxis, OrderedPairs


class Layer(NamedTuple):
    """One list of axes in a study's file."""

    way: tuple[str, ...]
    axes: tuple[AnyAxis, ...]


def merged(layers: Sequence[Layer]) -> tuple[AnyAxis, ...]:
    """The axes of the first layer as the others change them, in order.

    Raises:
        ValidationError: the levels of an axis then set different fields.
    """
    result: tuple[AnyAxis, ...] = ()
    for _, axes in layers:
        by_name = {axis.name: axis for axis in axes}
        known = {axis.name for axis in result}
        if by_name.keys() <= known:
            result = tuple(_changed(axis, by_name.get(axis.name, axis)) for axis in result)
        else:
            result = axes
    return result


def _changed(axis: AnyAxis, by: AnyAxis) -> AnyAxis:
    own, new = members(axis), members(by)
    if by is axis or not _alike(axis, by) or not new.keys() <= own.keys():
        return by
    # Not model_copy: the fields of levels from two places are compared once more.
    name = "items" if isinstance(axis, OrderedPairs) else "levels"
    return type(axis).model_validate({**axis.model_dump(), name: own | new})


def _alike(axis: AnyAxis, by: AnyAxis) -> bool:
    return axis.kind == by.kind and getattr(axis, "field", None) == getattr(by, "field", None)


def members(axis: AnyAxis) -> dict[str, object]:
    """The labelled values of an axis as a study writes them."""
    return dict(axis.items if isinstance(axis, OrderedPairs) else axis.levels)


def fields_of(axis: AnyAxis) -> set[str]:
    """The fields that an axis sets."""
    return {field for point in axis.points().values() for field in point}


def dropped(layers: Sequence[Layer]) -> Iterator[tuple[tuple[str, ...], str, tuple[str, ...]]]:
    """What a scale's own axes leave out of the study's: where, the axis and its levels."""
    first, *others = layers
    final = {axis.name: axis for axis in merged(layers)}
    way = others[0].way if others else first.way
    for axis in first.axes:
        here = members(final[axis.name]) if axis.name in final else {}
        if lost := tuple(label for label in members(axis) if label not in here):
            yield way, axis.name, lost
