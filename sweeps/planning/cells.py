"""The cells of a plan: selected arms, and the companions that go with them."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sweeps.errors import PlanError
from sweeps.planning.grid import Cell, Companion, Sweep, select
from sweeps.planning.keys import key_of
from sweeps.suggest import did_you_mean


@dataclass(frozen=True, slots=True)
class Resolved:
    """A cell's complete configuration at one seed and the identities of its stages."""

    config: dict[str, Any]
    """Complete and JSON-able: all defaults filled in."""

    chain: tuple[tuple[str, dict[str, Any]], ...]
    """(stage, identity): all that its result depends on beyond the stages before it."""

    missing: str | None = None
    """Why it cannot run here, in one message (its data are not available)."""


Resolve = Callable[[Cell], Callable[[int], Resolved]]
"""Cell -> (seed -> Resolved): what is the same for all seeds is done once."""


@dataclass(frozen=True, slots=True)
class _Group:
    """The cells of one companion that have one key and so are one cell, with their arms."""

    companion: Companion
    cell: Cell
    arms: tuple[str, ...]


def sweep_cells(sweep: Sweep, resolve: Resolve) -> list[tuple[Cell, int]]:
    """The selected arms and companions, in order, each with its number of seeds.

    Raises:
        PlanError: a companion or the selection names an unknown cell, or two cells share a name.
    """
    arms = sweep.arms()
    names = [arm.name for arm in arms]
    mistakes = [
        f"{companion.role} {companion.name!r} goes with no cell {name!r}{did_you_mean(name, names)}"
        for companion in sweep.companions
        if isinstance(companion.cells, tuple)
        for name in companion.cells
        if name not in names
    ]
    if mistakes:
        raise PlanError(*mistakes)
    groups = [
        group
        for companion in sweep.companions
        for group in _groups(companion, arms, sweep, resolve)
    ]
    names += [group.cell.name for group in groups]
    doubles = sorted(name for name, times in Counter(names).items() if times > 1) if groups else []
    if doubles:
        raise PlanError(
            *(f"two cells are named {name!r}; rename a level or a control" for name in doubles)
        )
    known = dict.fromkeys([*names, *(companion.name for companion in sweep.companions)])
    chosen = select(sweep.only, [*known])
    floors = {
        arm: group.cell.name
        for group in groups
        for arm in group.arms
        if group.companion.role == "floor"
    }
    cells = [
        (arm.model_copy(update={"floor": floors.get(arm.name)}), len(sweep.seeds))
        for arm in arms
        if arm.name in chosen
    ]
    for group in groups:
        companion = group.companion
        if chosen & {group.cell.name, companion.name, *group.arms}:
            floor = floors.get(group.arms[0]) if companion.role == "control" else None
            cell = group.cell.model_copy(update={"floor": floor})
            cells.append((cell, companion.num_seeds or len(sweep.seeds)))
    return cells


def _groups(
    companion: Companion, arms: tuple[Cell, ...], sweep: Sweep, resolve: Resolve
) -> Iterator[_Group]:
    """The companion's cells, those with one key merged.

    The key at the first seed decides; all arms take part, selected or not, so that a companion's
    name does not depend on `only`.
    """
    together: dict[str, list[tuple[Cell, str]]] = {}
    for arm in _arms_of(companion, arms, sweep):
        cell = Cell(
            name=companion.name,
            levels=arm.levels,
            settings={f: v for f, v in arm.settings.items() if f not in companion.set}
            | companion.set,
            role=companion.role,
        )
        resolved = resolve(cell)(sweep.seeds[0])
        key = key_of([list(step) for step in resolved.chain] or resolved.config)
        together.setdefault(key, []).append((cell, arm.name))
    for merged in together.values():
        first, arm = merged[0]
        name = companion.name if len(together) == 1 else f"{companion.name} ({arm})"
        common = {
            axis: label
            for axis, label in first.levels.items()
            if all(cell.levels.get(axis) == label for cell, _ in merged)
        }
        cell = first.model_copy(update={"name": name, "levels": common})
        yield _Group(companion, cell, tuple(arm for _, arm in merged))


def _arms_of(companion: Companion, arms: tuple[Cell, ...], sweep: Sweep) -> tuple[Cell, ...]:
    """The arms with which a companion goes."""
    if companion.cells == "each":
        return arms
    if companion.cells == "first":
        selected = [arm for arm in arms if sweep.only is None or arm.name in sweep.only]
        return ((*selected, *arms)[0],)
    return tuple(arm for arm in arms if arm.name in companion.cells)
