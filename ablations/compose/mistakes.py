"""Every mistake in the settings of a study, at each scale, with the place where it was written."""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from ablations.compose.layering import Layers
from ablations.compose.levels import tried_levels
from ablations.errors import StudyError
from ablations.study import (
    SCALES,
    LoadedStudy,
    ScaleName,
    Setting,
    fields_of,
    origin,
    read_yaml,
    resolve_paths,
    settings_in,
)
from simclr_core.config import checked, mistakes
from sweeps.planning import overlap


def mistakes_of_files(
    study: LoadedStudy, requested: ScaleName, files: Iterable[tuple[ScaleName, Layers]]
) -> list[str]:
    """Mistakes that the trainer finds at any scale; levels that scales share are tested at one of them."""
    found: list[str] = []
    for scale, layers in files:
        own_axes = len(study.study.layers(scale)) > 1
        found += _mistakes_at(study, scale, layers, levels=scale == requested or own_axes)
    return list(dict.fromkeys(found))


def mistakes_of_request(study: LoadedStudy, scale: ScaleName, layers: Layers) -> list[str]:
    """Mistakes of `--set` and `--data`: fields that axes vary, and values that do not fit."""
    varied = {field: a.name for a in study.study.axes_at(scale) for field in fields_of(a)}
    refused = [
        f"--set: {one.field}: axis {name!r} varies this field; choose cells with --only"
        for one in layers.requested
        for field, name in varied.items()
        if overlap(one.field, field)
    ]
    return refused or _mistakes_at(study, scale, layers, levels=True)


def mistakes_in(layers: Layers, texts: dict[str, str]) -> list[str]:
    """Mistakes that the trainer finds in the settings of layers, each with its place."""
    config = layers.merged()
    with contextlib.suppress(ValueError):
        checked(config, texts)
        return []
    found: list[str] = []
    for mistake in mistakes(config, texts):
        # A field that nothing sets is a default that does not fit: the last setting is at fault.
        source = origin(mistake.field, layers.settings) or (layers.settings or [None])[-1]
        place = source.place_of(mistake.field) if source else "the study"
        found.append(f"{place}: {mistake.field}: {mistake.text}")
    return found


def mistakes_of_broken_file(path: Path) -> list[str]:
    """Mistakes that the trainer finds in the settings of a file that is not a valid study."""
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
            given = resolve_paths(settings_in(body, file, at), path.parent)
            found += mistakes_in(Layers([*base, *given], {}), {})
            base = base or given
    return found


def _mistakes_at(
    study: LoadedStudy, scale: ScaleName, layers: Layers, *, levels: bool
) -> list[str]:
    """Mistakes in the settings that all cells share, and in each single level."""
    found = [*_unknown_operations(layers), *mistakes_in(layers, study.texts)]
    for tried in tried_levels(study, scale, layers) if levels else ():
        found += mistakes_in(tried, study.texts)
    return list(dict.fromkeys(found))


def _unknown_operations(layers: Layers) -> Iterator[str]:
    for kind, defaults in layers.defaults.items():
        place = defaults[0].place if defaults else "the protocol"
        for mistake in mistakes({"views": {"kind": "symmetric", "operations": [{"kind": kind}]}}):
            if mistake.field.endswith(".kind"):
                yield f"{place}: operations.{kind}: {mistake.text}"
