"""The plan: which trials a sweep consists of, which are on record, and what is left to do.

Planning is pure: the sweep, the records and the artifacts at hand go in, the trials come out in the
order in which they will run: seed by seed, so that an unfinished study is balanced over its cells.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sweeps.base import Frozen
from sweeps.errors import PlanError
from sweeps.history_label import label_of
from sweeps.planning.attempts import by_key, counting
from sweeps.planning.grid import Cell, Companion, Role, Sweep, flatten, select
from sweeps.planning.keys import chain_keys, key_of
from sweeps.record import Stage, Summary
from sweeps.suggest import did_you_mean


@dataclass(frozen=True, slots=True)
class Resolved:
    """A cell's complete configuration at one seed and the identities of its stages."""

    config: dict[str, Any]
    """Complete and JSON-able: all defaults filled in."""

    chain: tuple[tuple[str, dict[str, Any]], ...]
    """(stage, identity): all that its result depends on beyond the stages before it."""

    missing: str | None = None
    """Why it cannot run here, in one sentence (its data are not at hand)."""


MOST_TRIALS = 100_000
"""Trials of a plan; counted before any is made."""

Resolve = Callable[[Cell], Callable[[int], Resolved]]
"""Cell -> (seed -> Resolved): what is the same for all seeds is done once."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a store holds: a summary of each record, and the artifacts by stage."""

    summaries: Sequence[Summary] = ()
    """All attempts of all trials, of whatever study."""

    artifacts: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    """Stage -> the keys of the artifacts that are at hand."""


class Trial(Frozen):
    """One configuration with one seed."""

    key: str
    """The key of its last stage; of its configuration alone where data are missing."""

    cell: str
    role: Role
    seed: int
    levels: dict[str, str]

    config: dict[str, Any]
    """Complete, as resolved."""

    stages: tuple[Stage, ...]
    """Empty where data are missing."""

    reason: str
    """Why it is in the plan as it is: missing, finished, failed: ..., data missing: ..., ..."""

    todo: bool
    """Whether this launch runs it."""

    @property
    def rerun(self) -> bool:
        """It is on record and runs all the same: nothing of the earlier attempt is used."""
        return self.todo and self.reason == "finished"


class Plan(Frozen):
    """The trials of a sweep in the order in which they run."""

    study: str
    scale: str | None
    cells: tuple[Cell, ...]
    trials: tuple[Trial, ...]
    variation: str = ""

    command: str = ""
    """What a user types to run it, for people; the caller's."""

    @property
    def label(self) -> str:
        """As folders and runs are called; see `label_of`."""
        return label_of(self.study, self.scale, self.variation)

    @property
    def todo(self) -> tuple[Trial, ...]:
        """What this launch runs."""
        return tuple(trial for trial in self.trials if trial.todo)


def plan(
    sweep: Sweep, resolve: Resolve, known: Known, *, failed: bool = False, again: bool = False
) -> Plan:
    """The plan of a sweep, given what is on record.

    A finished trial runs only with `again`, one that ended by its own error only with `failed`; one
    whose process died left no record and is simply missing. Of two trials with one key the first in
    order runs, the other says whose it shares.
    """
    cells, resolvers = _cells(sweep, resolve)
    if (number := len(cells) * len(sweep.seeds)) > MOST_TRIALS:
        raise PlanError(
            f"{len(cells):,} cells with {len(sweep.seeds):,} seeds are {number:,} trials, and a plan"
            f" has at most {MOST_TRIALS:,}; take fewer seeds or cells"
        )
    planner = _TrialPlanner(sweep, known, failed=failed, again=again)
    num_seeds = {companion.name: companion.num_seeds for companion in sweep.companions}
    trials = [
        planner.trial(cell, seed, resolvers[cell.name](seed))
        for place, seed in enumerate(sweep.seeds)
        for cell, companion in cells
        if companion is None or place < (num_seeds[companion] or len(sweep.seeds))
    ]
    return Plan.model_construct(
        study=sweep.study,
        scale=sweep.scale,
        variation=sweep.variation,
        cells=tuple(cell for cell, _ in cells),
        trials=tuple(trials),
    )


def _cells(
    sweep: Sweep, resolve: Resolve
) -> tuple[list[tuple[Cell, str | None]], dict[str, Callable[[int], Resolved]]]:
    """Selected arms and companion cells (with their companion's name), and how each is resolved."""
    arms = sweep.arms()
    arm_names = [arm.name for arm in arms]
    wanted = _known_companion_cells(sweep.companions, arm_names)
    resolvers: dict[str, Callable[[int], Resolved]] = {}
    groups: list[tuple[Companion, list[Cell]]] = []
    members: list[list[str]] = []
    for companion in sweep.companions:
        for merged, of in _merge(companion, arms, wanted[companion.name], sweep, resolve):
            groups.append((companion, merged))
            members.append(of)
    named = [
        _companion_cell(companion, merged, of, alone=_alone(companion, groups))
        for (companion, merged), of in zip(groups, members, strict=True)
    ]
    names = [*arm_names, *(cell.name for cell in named)]
    doubles = sorted(name for name, times in Counter(names).items() if times > 1) if named else []
    if doubles:
        raise PlanError(
            *(f"cell {name!r} stands twice; rename the level or companion" for name in doubles)
        )
    chosen = select(sweep.only, [*dict.fromkeys([*names, *(c.name for c in sweep.companions)])])
    floors = {
        arm: cell.name
        for (companion, _), cell, of in zip(groups, named, members, strict=True)
        for arm in of
        if companion.role == "floor"
    }
    cells: list[tuple[Cell, str | None]] = [
        (arm.model_copy(update={"floor": floors.get(arm.name)}), None)
        for arm in arms
        if arm.name in chosen
    ]
    for (companion, _), cell, of in zip(groups, named, members, strict=True):
        if chosen & {cell.name, companion.name, *of}:
            floor = floors.get(of[0]) if companion.role == "control" else None
            cells.append((cell.model_copy(update={"floor": floor}), companion.name))
    for cell, _ in cells:
        resolvers[cell.name] = resolve(cell)
    return cells, resolvers


def _known_companion_cells(
    companions: tuple[Companion, ...], arm_names: list[str]
) -> dict[str, set[str] | None]:
    """Companion -> the arms it goes with; None means the first selected one."""
    wanted: dict[str, set[str] | None] = {}
    mistakes: list[str] = []
    for companion in companions:
        if companion.cells == "each":
            wanted[companion.name] = set(arm_names)
        elif companion.cells == "first":
            wanted[companion.name] = None
        else:
            wanted[companion.name] = set(companion.cells)
            mistakes += [
                f"companion {companion.name!r} goes with no cell {name!r}"
                f"{did_you_mean(name, arm_names)}"
                for name in companion.cells
                if name not in arm_names
            ]
    if mistakes:
        raise PlanError(*mistakes)
    return wanted


def _merge(
    companion: Companion,
    arms: tuple[Cell, ...],
    wanted: set[str] | None,
    sweep: Sweep,
    resolve: Resolve,
) -> list[tuple[list[Cell], list[str]]]:
    """The companion's cells, those with one key together, each with the arms that it goes with.

    The key at the first seed decides; all arms take part, selected or not, so that a companion's
    name does not depend on `only`.
    """
    if wanted is None:
        selected = [arm.name for arm in arms if sweep.only is None or arm.name in sweep.only]
        wanted = {*selected[:1]} or {arms[0].name}
    together: dict[str, tuple[list[Cell], list[str]]] = {}
    for arm in arms:
        if arm.name not in wanted:
            continue
        cell = Cell(
            name=companion.name,
            levels=arm.levels,
            settings={f: v for f, v in arm.settings.items() if f not in companion.set}
            | companion.set,
            role=companion.role,
        )
        resolved = resolve(cell)(sweep.seeds[0])
        key = key_of([list(step) for step in resolved.chain] or resolved.config)
        cells, of = together.setdefault(key, ([], []))
        cells.append(cell)
        of.append(arm.name)
    return list(together.values())


def _alone(companion: Companion, groups: list[tuple[Companion, list[Cell]]]) -> bool:
    return sum(other is companion for other, _ in groups) == 1


def _companion_cell(
    companion: Companion, merged: list[Cell], of: list[str], *, alone: bool
) -> Cell:
    first = merged[0]
    common = {
        axis: label
        for axis, label in first.levels.items()
        if all(cell.levels.get(axis) == label for cell in merged)
    }
    name = companion.name if alone else f"{companion.name} ({of[0]})"
    return first.model_copy(update={"name": name, "levels": common})


class _TrialPlanner:
    """Gives each trial its key and its reason."""

    def __init__(self, sweep: Sweep, known: Known, *, failed: bool, again: bool) -> None:
        self.failed, self.again = failed, again
        self.artifacts = known.artifacts
        self.by_key = {key: counting(attempts) for key, attempts in by_key(known.summaries).items()}
        self.by_place: dict[tuple[str, int], Summary] = {}
        self.planned: dict[str, str] = {}
        for summary in known.summaries:
            if summary.label == sweep.label:
                place = (summary.cell, summary.seed)
                latest = self.by_place.get(place)
                if latest is None or summary.started > latest.started:
                    self.by_place[place] = summary

    def trial(self, cell: Cell, seed: int, resolved: Resolved) -> Trial:
        if resolved.missing is not None:
            key, stages = key_of(resolved.config), ()
            reason, todo = f"data missing: {resolved.missing}", False
        else:
            if not resolved.chain:
                raise PlanError(f"cell {cell.name!r} has no stage; a trial needs at least one")
            stages = tuple(
                Stage.model_construct(name=name, key=stage_key)
                for name, stage_key in chain_keys(resolved.chain)
            )
            key = stages[-1].key
            reason, todo = self._reason(cell, seed, resolved.config, stages)
        if key in self.planned:
            reason, todo = f"the same trial as that of cell {self.planned[key]!r}", False
        else:
            self.planned[key] = cell.name
        # Built from checked parts ten thousand at a time: checking them again doubles the time.
        return Trial.model_construct(
            key=key,
            cell=cell.name,
            role=cell.role,
            seed=seed,
            levels=cell.levels,
            config=resolved.config,
            stages=stages,
            reason=reason,
            todo=todo,
        )

    def _reason(
        self, cell: Cell, seed: int, config: dict[str, Any], stages: tuple[Stage, ...]
    ) -> tuple[str, bool]:
        summary = self.by_key.get(stages[-1].key)
        if summary is not None and summary.state == "finished":
            return "finished", self.again
        if summary is not None:
            return f"failed: {summary.error}", self.failed
        for place in range(len(stages) - 2, -1, -1):
            if stages[place].key in self.artifacts.get(stages[place].name, ()):
                return f"{stages[place + 1].name} missing", True
        earlier = self.by_place.get((cell.name, seed))
        if earlier is not None:
            return f"configuration changed: {_changes(earlier, config, stages)}", True
        return "missing", True


def _changes(earlier: Summary, config: dict[str, Any], stages: tuple[Stage, ...]) -> str:
    """The fields in which a record's configuration differs, at most six of them."""
    before, now = flatten(earlier.config), flatten(config)
    fields = [
        name
        for name in dict.fromkeys([*now, *before])
        if name not in before or name not in now or before[name] != now[name]
    ]
    if fields:
        more = f" and {len(fields) - 6} more" if len(fields) > 6 else ""
        return f"{', '.join(fields[:6])}{more}"
    old = {stage.name: stage.key for stage in earlier.stages}
    changed = next((stage.name for stage in stages if old.get(stage.name) != stage.key), "chain")
    return f"no field, but the data or the version behind its {changed}"
