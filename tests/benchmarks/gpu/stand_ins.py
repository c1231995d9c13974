"""What a machine may lack of simclr_core's dependencies, as far as the trainer needs it.

jaxtyping's shapes are annotations, which only the tests check; psutil is asked for free memory.
"""

import importlib
import os
import sys
from types import ModuleType, SimpleNamespace
from typing import Any


class _Shape:
    """`Float[Tensor, "B D"]` is `Tensor`."""

    def __class_getitem__(cls, item: Any) -> Any:
        return item[0]


def _free() -> SimpleNamespace:
    pages = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return SimpleNamespace(available=pages, total=pages)


def put_in_place() -> list[str]:
    """The names of the packages that something now stands in for."""
    shapes = dict.fromkeys(("Bool", "Float", "Int", "Int64", "Shaped", "UInt8"), _Shape)
    names: dict[str, dict[str, Any]] = {"jaxtyping": shapes, "psutil": {"virtual_memory": _free}}
    missing: list[str] = []
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError:
            missing.append(name)
    for name in missing:
        sys.modules[name] = module = ModuleType(name)
        vars(module).update(names[name])
    return missing
