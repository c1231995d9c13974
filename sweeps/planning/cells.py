"""The cells of a plan: selected arms, and the controls and baselines added to them."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sweeps.errors import PlanError
from sweeps.planning.grid import AddedCell, Cell, Sweep, select
from sweeps.planning.keys import chain_keys, key_of
from sweeps.record import Stage
from sweeps.suggest import did_you_mean


@dataclass(frozen=True)
class Resolved:
    """A cell's complete configuration at one seed and the identities of its stages."""

    config: dict[str, Any]
    """Complete and JSON-able: all defaults filled in."""

    chain: tuple[tuple[str, dict[str, Any]], ...]
    """(stage, identity): everything that its result depends on besides the stages before it."""

    missing: str | None = None
    """Why it cannot run here, in one message, for example because its data are not available."""

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """The stages of its chain with their keys, which take most of the time of a plan."""
        return tuple(
            Stage.trusted({"name": name, "key": key}) for name, key in chain_keys(self.chain)
        )


Resolve = Callable[[Cell], Callable[[int], Resolved]]
"""Cell -> (seed -> Resolved): work that is the same for all seeds is done once."""


@dataclass(frozen=True, slots=True)
class _Group:
    """The cells of one control or baseline that share a key, merged into one, with their arms."""

    added: AddedCell
    cell: Cell
    arms: tuple[str, ...]


def sweep_cells(sweep: Sweep, resolve: Resolve) -> list[tuple[Cell, int]]:
    """The selected arms, then controls and baselines, each with its number of seeds.

    Raises:
        PlanError: a control or the selection names an unknown cell, or two cells share a name.
    """
    arms = sweep.arms()
    names = [arm.name for arm in arms]
    mistakes = [
        f"{added.role} {added.name!r} refers to a cell {name!r} that does not "
        f"exist{did_you_mean(name, names)}"
        for added in sweep.added
        if isinstance(added.cells, tuple)
        for name in added.cells
        if name not in names
    ]
    if mistakes:
        raise PlanError(*mistakes)
    groups = [group for added in sweep.added for group in _groups(added, arms, sweep, resolve)]
    names += [group.cell.name for group in groups]
    doubles = sorted(name for name, times in Counter(names).items() if times > 1)
    if doubles:
        rename = "rename a level or a control"
        raise PlanError(*(f"two cells have the name {name!r}; {rename}" for name in doubles))
    known = dict.fromkeys([*names, *(added.name for added in sweep.added)])
    chosen = select(sweep.only, [*known])
    of_floors = [group for group in groups if group.added.role == "floor"]
    floors = {arm: group.cell.name for group in of_floors for arm in group.arms}
    cells = [
        (arm.model_copy(update={"floor": floors.get(arm.name)}), len(sweep.seeds))
        for arm in arms
        if arm.name in chosen
    ]
    for group in groups:
        added = group.added
        if chosen & {group.cell.name, added.name, *group.arms}:
            floor = floors.get(group.arms[0]) if added.role == "control" else None
            cell = group.cell.model_copy(update={"floor": floor})
            cells.append((cell, added.num_seeds or len(sweep.seeds)))
    return cells


def _groups(
    added: AddedCell, arms: tuple[Cell, ...], sweep: Sweep, resolve: Resolve
) -> Iterator[_Group]:
    """The cells of a control or baseline, those with one key merged.

    The key at the first seed decides. All arms are included, selected or not, so that the name of a
    cell does not depend on `only`.
    """
    together: dict[str, list[tuple[Cell, str]]] = {}
    for arm in _arms_of(added, arms, sweep):
        cell = Cell(
            name=added.name,
            levels=arm.levels,
            settings={f: v for f, v in arm.settings.items() if f not in added.set} | added.set,
            role=added.role,
        )
        resolved = resolve(cell)(sweep.seeds[0])
        key = key_of([list(step) for step in resolved.chain] or resolved.config)
        together.setdefault(key, []).append((cell, arm.name))
    for merged in together.values():
        first, arm = merged[0]
        name = added.name if len(together) == 1 else f"{added.name} ({arm})"
        common = {
            axis: label
            for axis, label in first.levels.items()
            if all(cell.levels.get(axis) == label for cell, _ in merged)
        }
        cell = first.model_copy(update={"name": name, "levels": common})
        yield _Group(added, cell, tuple(arm for _, arm in merged))


def _arms_of(added: AddedCell, arms: tuple[Cell, ...], sweep: Sweep) -> tuple[Cell, ...]:
    """The arms to which it is added."""
    if added.cells == "each":
        return arms
    if added.cells == "first":
        selected = [arm for arm in arms if sweep.only is None or arm.name in sweep.only]
        return ((*selected, *arms)[0],)
    return tuple(arm for arm in arms if arm.name in added.cells)
