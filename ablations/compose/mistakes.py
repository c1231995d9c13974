"""Every mistake in the settings of a study, at each scale, with the place where it was written."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ablations.compose.layering import ANY_IMAGES, Layers, completed, merged, of_scale
from ablations.compose.levels import level_setting, level_ways
from ablations.errors import StudyError
from ablations.study import (
    SCALES,
    LoadedStudy,
    ScaleName,
    Setting,
    beside,
    fields_of,
    origin,
    read_yaml,
    settings_in,
)
from simclr_core.config import checked, default_settings, mistakes, operation_kinds
from sweeps.planning import overlap
from sweeps.suggest import did_you_mean


def mistakes_of_files(study: LoadedStudy, asked: ScaleName) -> list[str]:
    """What the trainer finds wrong at any scale; levels that scales share are tried at one."""
    found: list[str] = []
    for scale in SCALES:
        layers = of_scale(study, scale)
        own_axes = len(study.study.layers(scale)) > 1
        found += mistakes_at(study, scale, layers, levels=scale == asked or own_axes)
        loaded = study.protocols.get(scale)
        if loaded is not None and loaded.protocol.with_data != type(loaded.protocol.with_data)():
            found += mistakes_at(study, scale, of_scale(study, scale, ANY_IMAGES), levels=False)
    return list(dict.fromkeys(found))


def mistakes_of_request(study: LoadedStudy, scale: ScaleName, layers: Layers) -> list[str]:
    """What a request with `--set` or `--data` adds: fields that axes vary, and values that misfit."""
    varied = {field: a.name for a in study.study.axes_at(scale) for field in fields_of(a)}
    refused = [
        f"--set: {one.field}: axis {name!r} varies this field; choose cells with --only"
        for one in layers.asked
        for field, name in varied.items()
        if overlap(one.field, field)
    ]
    return refused or mistakes_at(study, scale, layers, levels=True)


def mistakes_at(study: LoadedStudy, scale: ScaleName, layers: Layers, *, levels: bool) -> list[str]:
    """What the trainer finds wrong at a scale: in the settings, and in each level by itself."""
    found = [*_unknown_operations(layers), *mistakes_in(layers.settings, study.texts)]
    if levels:
        found += _level_mistakes(study, scale, layers)
    return list(dict.fromkeys(found))


def mistakes_in(settings: list[Setting], texts: dict[str, str]) -> list[str]:
    """What the trainer finds wrong in settings over its defaults, each at its place."""
    return _placed(merged(default_settings(), settings), settings, texts)


def mistakes_of_broken_file(path: Path) -> list[str]:
    """What the trainer finds wrong in a file that is no valid study: its settings by themselves."""
    try:
        file = read_yaml(path)
    except StudyError:
        return []
    scales = file.content.get("scales")
    bodies: list[tuple[tuple[str, ...], object]] = [(("base",), file.content.get("base"))]
    for scale in SCALES:
        own = scales.get(scale) if isinstance(scales, dict) else None
        if isinstance(own, dict):
            bodies.append((("scales", scale, "set"), own.get("set")))
    base: list[Setting] = []
    found: list[str] = []
    for at, body in bodies:
        if isinstance(body, dict):
            given = beside(settings_in(body, file, at), path.parent)
            found += mistakes_in([*base, *given], {})
            base = base or given
    return found


def _level_mistakes(study: LoadedStudy, scale: ScaleName, layers: Layers) -> Iterator[str]:
    """Each level by itself, the other axes at their first."""
    base, ways = layers.merged, level_ways(study, scale)
    points = {axis.name: axis.points() for axis in study.study.axes_at(scale)}
    first = {name: next(iter(labels)) for name, labels in points.items()}
    for axis in study.study.axes_at(scale):
        others = [one for one in study.study.axes_at(scale) if one != axis]
        for label in points[axis.name]:
            if axis.kind == "ordered_pairs" and label not in axis.items:
                continue
            chosen = {**first, axis.name: label}
            own = [
                level_setting(study, ways, one, chosen[one.name], setting)
                for one in (*others, axis)
                for setting in points[one.name][chosen[one.name]].items()
            ]
            settings = completed(own, layers.defaults, layers.settings)
            config = merged(base, settings)
            try:
                checked(config, study.texts)
            except ValueError:
                yield from _placed(config, [*layers.settings, *settings], study.texts)


def _unknown_operations(layers: Layers) -> Iterator[str]:
    known = operation_kinds()
    for kind, defaults in layers.defaults.items():
        if kind not in known:
            place = defaults[0].place if defaults else "the protocol"
            yield f"{place}: operations.{kind}: no such operation{did_you_mean(kind, known)}"


def _placed(config: dict[str, Any], settings: list[Setting], texts: dict[str, str]) -> list[str]:
    # A field that nothing sets is a default that does not fit: the last setting is then at fault.
    found: list[str] = []
    for mistake in mistakes(config, texts):
        source = origin(mistake.field, settings) or (settings[-1] if settings else None)
        place = source.place_of(mistake.field) if source else "the study"
        found.append(f"{place}: {mistake.field}: {mistake.text}")
    return found
