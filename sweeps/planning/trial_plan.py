"""The plan: which trials a sweep consists of, which are on record, and what is left to do.

Planning is pure: the sweep, the records and the available artifacts determine the trials and their
order. Trials run seed by seed, so that an unfinished study is balanced over its cells.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sweeps.base import Frozen
from sweeps.errors import PlanError
from sweeps.history_label import label_of
from sweeps.planning.attempts import by_key, counting
from sweeps.planning.cells import Resolve, Resolved, sweep_cells
from sweeps.planning.grid import Cell, Role, Sweep, flatten
from sweeps.planning.keys import key_of
from sweeps.record import Stage, Summary

MOST_TRIALS = 100_000
"""The most trials of a plan; counted before any is created."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a store holds: a summary of each record, and the artifacts by stage."""

    summaries: Sequence[Summary] = ()
    """All attempts of all trials, of any study."""

    artifacts: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    """Stage -> the keys of the available artifacts."""


class Trial(Frozen):
    """One configuration with one seed."""

    key: str
    """The key of its last stage; if data are missing, the key of its configuration alone."""

    cell: str
    role: Role
    seed: int
    levels: dict[str, str]

    config: dict[str, Any]
    """Complete, as resolved."""

    stages: tuple[Stage, ...]
    """Empty where data are missing."""

    reason: str
    """Its state: missing, finished, failed: ..., data missing: ..., ..."""

    todo: bool
    """Whether this launch runs it."""

    @property
    def rerun(self) -> bool:
        """It is on record but runs again, without using anything from the earlier attempt."""
        return self.todo and self.reason == "finished"


class Plan(Frozen):
    """The trials of a sweep in the order in which they run."""

    study: str
    scale: str | None
    cells: tuple[Cell, ...]
    trials: tuple[Trial, ...]
    variation: str = ""

    command: str = ""
    """The caller's command to run it, for people."""

    @property
    def label(self) -> str:
        """The name of its folder and runs; see `label_of`."""
        return label_of(self.study, self.scale, self.variation)

    @property
    def todo(self) -> tuple[Trial, ...]:
        """The trials that this launch runs."""
        return tuple(trial for trial in self.trials if trial.todo)


def plan(
    sweep: Sweep, resolve: Resolve, known: Known, *, failed: bool = False, again: bool = False
) -> Plan:
    """The plan of a sweep, given the records of a store.

    A finished trial runs only with `again`, and a failed one only with `failed`. A trial whose process
    died has no record and counts as missing. If two trials have the same key, the first in order runs,
    and the other one names its cell.

    Raises:
        PlanError: the sweep cannot be planned as written, or has more than `MOST_TRIALS` trials.
    """
    cells = sweep_cells(sweep, resolve)
    if (number := len(cells) * len(sweep.seeds)) > MOST_TRIALS:
        raise PlanError(
            f"{len(cells):,} cells with {len(sweep.seeds):,} seeds make {number:,} trials, but a"
            f" plan may have at most {MOST_TRIALS:,}; use fewer seeds or cells"
        )
    resolvers = {cell.name: resolve(cell) for cell, _ in cells}
    planner = _TrialPlanner(sweep, known, failed=failed, again=again)
    trials = [
        planner.trial(cell, seed, resolvers[cell.name](seed))
        for place, seed in enumerate(sweep.seeds)
        for cell, num_seeds in cells
        if place < num_seeds
    ]
    return Plan.model_construct(
        study=sweep.study,
        scale=sweep.scale,
        variation=sweep.variation,
        cells=tuple(cell for cell, _ in cells),
        trials=tuple(trials),
    )


class _TrialPlanner:
    """Gives each trial its key and reason."""

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
            stages = resolved.stages
            key = stages[-1].key
            reason, todo = self._reason(cell, seed, resolved.config, stages)
        if key in self.planned:
            reason, todo = f"the same trial as in cell {self.planned[key]!r}", False
        else:
            self.planned[key] = cell.name
        # Built from validated parts, ten thousand at a time: validating again doubles the time.
        return Trial.trusted(
            {
                "key": key,
                "cell": cell.name,
                "role": cell.role,
                "seed": seed,
                "levels": cell.levels,
                "config": resolved.config,
                "stages": stages,
                "reason": reason,
                "todo": todo,
            }
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
