"""Every mistake in the settings of a study, at each scale, with the place where it was written."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ablations.errors import StudyError, UsageError
from ablations.study import (
    SCALES,
    ScaleName,
    Setting,
    Written,
    applied,
    axes_beside,
    beside,
    origin,
    place,
    read_yaml,
    written,
)
from simclr_core.config import checked, default_settings, mistakes
from simclr_core.data import data_at
from simclr_core.errors import DataError
from sweeps.errors import PlanError
from sweeps.planning import AnyAxis, apply


def settings_of(study: Written, scale: ScaleName, data: Path | None = None) -> list[Setting]:
    """What a study's file says for all cells at a scale, in order; with images brought by `--data`.

    Raises:
        UsageError: there are no usable images at `data`.
    """
    file = study.file

    def at(*way: str) -> Callable[[str], str]:
        return lambda key: file.place((*way, key))

    own, folder = study.study.scale(scale), file.path.parent
    given = written(study.study.base, at("base"))
    given += written(own.set, at("scales", scale, "set"))
    given = beside(given, folder)
    if data is not None:
        try:
            images = data_at(data)
        except DataError as error:
            raise UsageError(f"--data: {error}") from error
        # What the study says of data of the same kind, such as their size, still holds.
        before = applied(default_settings(), given)["data"]
        kept = before if isinstance(before, dict) and before.get("kind") == images["kind"] else {}
        given.append(Setting("data", {**kept, **images}, "--data"))
        given += beside(written(own.with_data, at("scales", scale, "with_data")), folder)
    return given


def scale_mistakes(
    study: Written,
    scale: ScaleName,
    *,
    extra: tuple[Setting, ...] = (),
    levels: bool = True,
    data: Path | None = None,
) -> list[str]:
    """What the trainer finds wrong at a scale: in the settings, and in each level by itself.

    Without `levels` only those that the scale has of its own.
    """
    given = [*settings_of(study, scale, data), *extra]
    try:
        base = applied(default_settings(), given)
    except StudyError as error:
        return list(error.sentences)
    found = mistakes_of(base, given, study.texts)
    brought = data is not None
    if levels or len(study.study.axes_way(scale, with_data=brought)) > 1:
        found += _level_mistakes(study, scale, base, given, with_data=brought)
    own = study.study.scale(scale)
    if not brought and (own.with_data or own.axes_with_data):
        # As if images were brought.
        place = study.file.place(("scales", scale, "with_data"))
        given.append(Setting("data", {"kind": "folder", "path": "."}, place))
        with_data = written(
            own.with_data, lambda key: study.file.place(("scales", scale, "with_data", key))
        )
        given += beside(with_data, study.file.path.parent)
        found += _mistakes_in(given, study.texts)
        if own.axes_with_data and not found:
            base = applied(default_settings(), given)
            found += _level_mistakes(study, scale, base, given, with_data=True)
    return list(dict.fromkeys(found))


def _level_mistakes(
    study: Written,
    scale: ScaleName,
    base: dict[str, Any],
    given: list[Setting],
    *,
    with_data: bool,
) -> Iterator[str]:
    """Each level by itself, the other axes at their first."""
    layers = study.study.layers(scale, with_data=with_data)
    axes = axes_of(study, scale, with_data=with_data)
    first = {f: v for axis in axes for f, v in next(iter(axis.points().values())).items()}
    for axis in axes:
        for label, point in axis.points().items():
            if axis.kind == "ordered_pairs" and label not in axis.items:
                continue
            ways = list(place(layers, axis.name, label))
            where = study.file.place(next((w for w in ways if w in study.file.lines), ways[0]))
            try:
                settings = apply(base, first | point)
            except PlanError as error:
                yield from (f"{where}: {sentence}" for sentence in error.sentences)
                continue
            try:
                checked(settings, study.texts)
            except ValueError:
                marks = [Setting(field, value, where) for field, value in point.items()]
                yield from mistakes_of(settings, [*given, *marks], study.texts)


def all_mistakes(study: Written, asked: ScaleName) -> list[str]:
    """What the trainer finds wrong at any scale; the common levels are tried at the one asked for."""
    found = [
        sentence
        for scale in SCALES
        for sentence in scale_mistakes(study, scale, levels=scale == asked)
    ]
    return list(dict.fromkeys(found))


def broken_mistakes(path: Path) -> list[str]:
    """What the trainer finds wrong in a file that is no whole study: its settings by themselves."""
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
    for way, body in bodies:
        if isinstance(body, dict):
            given = written(body, lambda key, way=way: file.place((*way, key)))
            given = beside(given, path.parent)
            found += _mistakes_in([*base, *given], {})
            base = base or given
    return found


def _mistakes_in(given: list[Setting], texts: dict[str, str]) -> list[str]:
    try:
        return mistakes_of(applied(default_settings(), given), given, texts)
    except StudyError as error:
        return list(error.sentences)


def mistakes_of(settings: dict[str, Any], given: list[Setting], texts: dict[str, str]) -> list[str]:
    # A field that no one set is a default that does not fit: the last setting is then to blame.
    sentences: list[str] = []
    for mistake in mistakes(settings, texts):
        source = origin(mistake.field, given) or (given[-1] if given else None)
        place = source.place if source and source.place else "the study"
        sentences.append(f"{place}: {mistake.field}: {mistake.text}")
    return sentences


def axes_of(study: Written, scale: ScaleName, *, with_data: bool) -> tuple[AnyAxis, ...]:
    """The axes as this scale varies them, with paths as they lead from here."""
    axes = study.study.axes_at(scale, with_data=with_data)
    return axes_beside(axes, study.file.path.parent)
