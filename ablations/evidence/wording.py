"""Parts of a configuration in words, for readers of a report."""

from pathlib import PurePath
from typing import Any


def data_name(data: dict[str, Any]) -> str:
    """The name of the images for readers."""
    match data:
        case {"kind": "textures", **more}:
            num = more.get("num_images")
            return f"textures (synthetic, {num} images)" if num else "textures (synthetic)"
        case {"kind": kind, **more}:
            own = PurePath(str(more.get("path") or "")).name  # of a folder or an archive
            name = str(more.get("name") or {"cifar10": "CIFAR-10"}.get(kind, own or kind))
            num = more.get("num_images")
            return f"{name} ({num} images)" if num else name
        case _:
            return "unknown"


def method_text(value: Any) -> str:
    """A part of a configuration in words."""
    from ablations.compose import part_text
    from ablations.evidence.deviations import value_text

    if isinstance(value, list) and len(value) > 8 and not isinstance(value[0], (dict, list)):
        return f"{len(value)} values from {value_text(value[0])} to {value_text(value[-1])}"
    if not isinstance(value, dict):
        return value_text(value)
    kind = str(value.get("kind", "")).replace("_", " ")
    if kind == "file":
        kind = part_text(value)
        value = {name: inner for name, inner in value.items() if name not in ("name", "sha256")}
    rest = [
        f"{name.replace('_', ' ')} "
        f"{method_text(inner) if isinstance(inner, (dict, list)) else value_text(inner)}"
        for name, inner in value.items()
        if name not in ("kind", "path") and inner not in (None, {})
    ]
    return ", ".join([*([kind] if kind else []), *rest])
