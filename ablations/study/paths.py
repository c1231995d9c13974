"""A path in a study's file is relative to that file: images, and files of custom components.

This rule is implemented only here. A path to images becomes absolute, because each worker has its own
current folder; the files of custom components are sent to the workers as bytes and keep a short name.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ablations.study.assignments import Setting

_WITH_PARTS = ("views", "encoder", "head", "loss", "optimizer", "schedule", "evaluation")
"""The fields of a configuration that may contain a custom component."""


def resolve_paths(settings: Iterable[Setting], folder: Path) -> list[Setting]:
    """The settings of a file in this folder, or those of the command line in the current one."""
    return [one._replace(value=_placed(one.field, one.value, folder)) for one in settings]


def _placed(field: str, value: Any, folder: Path) -> Any:
    top, *inner = field.split(".")
    if top == "data":
        if inner == ["path"]:
            return _absolute(folder, value)
        whole = not inner and isinstance(value, dict) and "path" in value
        return {**value, "path": _absolute(folder, value["path"])} if whole else value
    if top not in _WITH_PARTS or "options" in inner:
        return value
    if inner[-1:] == ["path"]:
        return _joined(folder, value)
    return _parts_placed(value, folder)


def _parts_placed(value: Any, folder: Path) -> Any:
    if isinstance(value, list):
        return [_parts_placed(item, folder) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("kind") == "file":  # what lies deeper are its options, in which a path is a text
        return {**value, "path": _joined(folder, value["path"])} if "path" in value else value
    return {name: _parts_placed(inner, folder) for name, inner in value.items()}


def next_to(name: str, folder: Path) -> Path:
    """The file that a study in this folder names: a protocol, or a table of published numbers."""
    return folder / _home(name)


def _absolute(folder: Path, path: Any) -> Any:
    joined = _joined(folder, path)
    return str(Path(joined).absolute()) if isinstance(joined, str) and joined else joined


def _joined(folder: Path, path: Any) -> Any:
    return str(folder / _home(path)) if isinstance(path, str) and path else path


def _home(path: str) -> Path:
    """Expands `~` as a shell does; a file may be called `~x`."""
    return Path(path).expanduser() if path == "~" or path.startswith("~/") else Path(path)
