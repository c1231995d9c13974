"""Where each value of a cell's complete configuration comes from."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from ablations.compose.layering import DEFAULT
from ablations.compose.resolved_study import ResolvedStudy
from ablations.study import Setting
from sweeps.planning import Cell


class Origin(NamedTuple):
    """One value of a configuration."""

    field: str
    """Dotted; a number indexes a list of components."""
    value: Any
    place: str
    """`file:line`, `--set`, `--data`, the control or baseline that sets it, or `default`."""


def origins_of(composed: ResolvedStudy, cell: Cell) -> list[Origin]:
    """Every value of a cell's resolved configuration, in the configuration's order.

    The trial's seed is left out: it differs between the trials of a cell.

    Raises:
        StudyError: the cell's configuration breaks rules.
    """
    places = _places([*composed.layers.settings, *composed.settings_of(cell)])
    config = composed.resolve(cell)(0).config
    return [
        Origin(field, value, places.get(field, DEFAULT))
        for field, value in _leaves(config, "")
        if field.partition(".")[0] not in ("seed", "seeds") or field in places
    ]


def _places(settings: Iterable[Setting]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in settings:
        refines = isinstance(one.value, dict) and "kind" not in one.value
        if not refines:  # a value replaces all that was set inside its field
            inside = f"{one.field}."
            found = {field: at for field, at in found.items() if not field.startswith(inside)}
        found |= {field: one.place_of(field) for field, _ in _leaves(one.value, one.field)}
    return found


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    members: Iterable[tuple[Any, Any]]
    if isinstance(value, dict) and value:
        members = value.items()
    elif isinstance(value, list | tuple) and any(isinstance(item, dict) for item in value):
        members = enumerate(value)
    else:
        yield path, list(value) if isinstance(value, tuple) else value
        return
    for name, inner in members:
        yield from _leaves(inner, f"{path}.{name}" if path else str(name))
