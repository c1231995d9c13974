"""The settings of a cell: the values of its levels, each with its place in the study's file."""

from collections.abc import Iterator

from ablations.compose.layering import Layers
from ablations.study import LoadedStudy, Location, ScaleName, Setting, members, resolve_paths
from sweeps.planning import AnyAxis, OrderedPairs

LevelWays = dict[str, dict[str, Location]]
"""Axis -> label of a level or item -> where its value is in the study's file."""


def level_ways(study: LoadedStudy, scale: ScaleName) -> LevelWays:
    """Where the levels of a scale's axes are written: the scale's own over the study's."""
    found: LevelWays = {}
    for way, axes in study.study.layers(scale):
        for index, axis in enumerate(axes):
            inside = (*way, index, "items" if isinstance(axis, OrderedPairs) else "levels")
            for number, label in enumerate(members(axis)):
                at = (*inside, label)
                at = at if at in study.file.lines else (*inside, number)
                found.setdefault(axis.name, {})[label] = at
    return found


def level_setting(
    study: LoadedStudy, ways: LevelWays, axis: AnyAxis, label: str, setting: tuple[str, object]
) -> Setting:
    """What a level of an axis sets a field to, with its place."""
    field, value = setting
    first, _, second = label.partition("+")
    items = [first, second] if isinstance(axis, OrderedPairs) else [label]
    own = [ways[axis.name][item] for item in items if item]
    file = study.file
    here = (*own[0], field) if axis.kind == "paired" else own[0]

    def lines(inner: tuple[str, ...]) -> str:
        if isinstance(axis, OrderedPairs):
            return file.place(file.inside(own[int(inner[0])], inner[1:]))
        return file.place(file.inside(here, inner))

    (placed,) = resolve_paths([Setting(field, value, file.place(here), lines)], file.path.parent)
    return placed


def tried_levels(study: LoadedStudy, scale: ScaleName, layers: Layers) -> Iterator[Layers]:
    """The layers with each level by itself over them, the other axes at their first level."""
    ways = level_ways(study, scale)
    axes = study.study.axes_at(scale)
    points = {axis.name: axis.points() for axis in axes}
    first = {name: next(iter(labels)) for name, labels in points.items()}
    for axis in axes:
        last = [*(one for one in axes if one != axis), axis]
        for label in points[axis.name]:
            if isinstance(axis, OrderedPairs) and label not in axis.items:
                continue
            chosen = {**first, axis.name: label}
            yield layers.with_more(
                [
                    level_setting(study, ways, one, chosen[one.name], setting)
                    for one in last
                    for setting in points[one.name][chosen[one.name]].items()
                ]
            )
