"""From a study's layers to the settings of a scale: protocol, base, scale, `--data`, `--set`.

Each step is pure: settings go in, settings come out, each with its place; later settings win.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ablations.errors import UsageError
from ablations.study import (
    INHERITED,
    SCALES,
    LoadedStudy,
    Preset,
    Request,
    ScaleName,
    Setting,
    YamlFile,
    origin,
    resolve_paths,
    settings_in,
)
from simclr_core.config import default_settings, overridden, value_at
from simclr_core.data import data_at
from simclr_core.errors import DataError

DEFAULT = "default"
"""The place of a value that no file and no option sets."""

ANY_IMAGES = Path()
"""A placeholder for the folder of `--data` when a protocol is checked without images."""

OperationDefaults = dict[str, list[Setting]]
"""Kind of an operation -> settings of its fields, named relative to the operation."""


class Layers(NamedTuple):
    """The settings that all cells of a scale share."""

    settings: list[Setting]
    """In order: later ones win."""
    defaults: OperationDefaults
    requested: Sequence[Setting] = ()
    """Those of `--set` as given; they are also among the settings."""
    files: Sequence[Setting] = ()
    """The settings without those of `--set`."""

    def merged(self) -> dict[str, Any]:
        """The settings over the trainer's defaults, nested."""
        return merged(default_settings(), self.settings)

    def with_more(self, settings: Sequence[Setting]) -> "Layers":
        """These layers with further settings over them."""
        more = completed(settings, self.defaults, self.settings)
        return self._replace(settings=[*self.settings, *more])


def merged(base: dict[str, Any], settings: Iterable[Setting]) -> dict[str, Any]:
    """Settings over nested ones, in order."""
    return overridden(base, ((one.field, one.value) for one in settings))


def of_files(study: LoadedStudy) -> list[tuple[ScaleName, Layers]]:
    """The layers of every scale; of a protocol with values for the user's images, those with them."""
    found: list[tuple[ScaleName, Layers]] = []
    for scale in SCALES:
        found.append((scale, of_scale(study, scale)))
        loaded = study.protocols.get(scale)
        if loaded is not None and loaded.protocol.with_data != Preset():
            found.append((scale, of_scale(study, scale, ANY_IMAGES)))
    return found


def requested(study: LoadedStudy, request: Request) -> Layers:
    """The layers of the requested scale, with `--data` and `--set`.

    Raises:
        UsageError: there are no usable images at `--data`.
    """
    files = of_scale(study, request.scale, request.data)
    given = resolve_paths(request.set, Path())
    parts = [part for one in given for part in one.parts()]
    return files.with_more(parts)._replace(requested=given, files=files.settings)


def of_scale(study: LoadedStudy, scale: ScaleName, data: Path | None = None) -> Layers:
    """The layers of a study's files at a scale: its protocol, its base, the scale's own values.

    Raises:
        UsageError: there are no usable images at `data`.
    """
    settings: list[Setting] = []
    defaults: OperationDefaults = {}
    refinements: list[Setting] = []
    own, file = study.study.scale(scale), study.file
    if (loaded := study.protocols.get(scale)) is not None:
        protocol, where = loaded
        settings += _preset(protocol, where, (), defaults)
        if data is not None:
            more = _preset(protocol.with_data, where, ("with_data",), defaults)
            refinements = [one for one in more if one.field.startswith("data.")]
            settings += [one for one in more if one not in refinements]
    settings += resolve_paths(settings_in(study.study.base, file, ("base",)), file.path.parent)
    settings += _preset(own, file, ("scales", scale), defaults)
    if data is not None:
        settings += [_images(data, settings), *refinements]
    first = [Setting("views", default_settings()["views"], DEFAULT)] if defaults else []
    return Layers(completed([*first, *settings], defaults), defaults)


def completed(
    settings: Sequence[Setting], defaults: OperationDefaults, before: Sequence[Setting] = ()
) -> list[Setting]:
    """Settings that follow others, with inherited operations written out and defaults added."""
    found = list(before)
    for setting in settings:
        whole = _with_inherited(setting, tuple(found))
        found += [whole, *_defaults_of(whole, defaults)]
    return found[len(before) :]


def _preset(
    preset: Preset, file: YamlFile, at: tuple[str, ...], defaults: OperationDefaults
) -> list[Setting]:
    for kind, fields in preset.operations.items():
        more = settings_in(fields, file, (*at, "operations", kind))
        known = {one.field: one for one in defaults.get(kind, ())}
        defaults[kind] = list((known | {one.field: one for one in more}).values())
    return resolve_paths(settings_in(preset.set, file, (*at, "set")), file.path.parent)


def _images(data: Path, before: list[Setting]) -> Setting:
    """The images of `--data`, with the study's settings for data of the same kind, such as the size."""
    if data == ANY_IMAGES:
        return Setting("data", {"kind": "folder", "path": "."}, "--data")
    try:
        images = data_at(data)
    except DataError as error:
        raise UsageError(f"--data: {error}") from error
    there = merged(default_settings(), before)["data"]
    same = isinstance(there, dict) and there.get("kind") == images["kind"]
    return Setting("data", {**(there if same else {}), **images}, "--data")


def _with_inherited(setting: Setting, before: tuple[Setting, ...]) -> Setting:
    """The setting with `{kind: protocol}` replaced by the operations that the list has before it."""
    if not isinstance(setting.value, list) or INHERITED not in setting.value:
        return setting
    below = value_at(merged(default_settings(), before), setting.field)
    if not isinstance(below, list):
        return setting
    items: list[Any] = []
    sources: list[tuple[Sequence[Setting], str]] = []
    for index, item in enumerate(setting.value):
        inherited = item == INHERITED
        items += below if inherited else [item]
        named = [str(i) for i in range(len(below))] if inherited else [str(index)]
        sources += [(before if inherited else [setting], name) for name in named]

    def lines(inner: tuple[str, ...]) -> str:
        settings, name = sources[int(inner[0])]
        field = ".".join((setting.field, name, *inner[1:]))
        source = origin(field, settings)
        return DEFAULT if source is None else source.place_of(field)

    return setting._replace(value=items, lines=lines)


def _defaults_of(setting: Setting, defaults: OperationDefaults) -> Iterator[Setting]:
    """The defaults of operations for the fields that a setting of views leaves out."""
    if not defaults or setting.field.partition(".")[0] != "views":
        return
    value = setting.value
    if setting.field == "views" and isinstance(value, dict) and "operations" not in value:
        operations = value_at({"views": value}, "views.operations")
        if operations is not None:
            value = {**value, "operations": operations}
            yield Setting("views.operations", operations, DEFAULT)
    yield from _defaults_inside(value, setting.field, defaults)


def _defaults_inside(value: Any, path: str, defaults: OperationDefaults) -> Iterator[Setting]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _defaults_inside(item, f"{path}.{index}", defaults)
    elif isinstance(value, dict):
        for default in defaults.get(str(value.get("kind")), ()):
            if default.field.partition(".")[0] not in value:
                yield default._replace(field=f"{path}.{default.field}")
        for name, inner in value.items():
            yield from _defaults_inside(inner, f"{path}.{name}", defaults)
