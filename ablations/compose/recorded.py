"""A study's trials on record that count for what it asks today."""

from collections.abc import Iterable

from ablations.compose.resolved_study import ResolvedStudy
from reports.spec import AnyClaim, RanksLike, cells_of
from sweeps.planning import Plan, by_key
from sweeps.record import Summary


def as_configured(
    composed: ResolvedStudy, the_plan: Plan, summaries: Iterable[Summary]
) -> list[Summary]:
    """The attempts that count for planned trials, and for other seeds and cells of the claims.

    The rule is that of reports: a record counts where its key is that of a cell at a seed, so that a
    change of data or of the trainer's version counts like one of the configuration. Each has the cell and
    the seed for which it counts.
    """
    summaries = list(summaries)
    attempts = by_key(summaries)
    keys = {(trial.cell, trial.seed): trial.key for trial in the_plan.trials}
    seeds = sorted({one.seed for one in summaries if one.label == the_plan.label})
    arms = composed.sweep(everything=True).arms() if summaries else ()
    cells = {cell.name: cell for cell in (*arms, *the_plan.cells)}
    claimed = (cell for _, names in claimed_cells(composed) for cell in names if cell in cells)
    # Keys take time, and of ten thousand records those of the claims are few.
    for cell in dict.fromkeys(claimed):
        if more := [seed for seed in seeds if (cell, seed) not in keys]:
            resolved = composed.resolve(cells[cell])
            keys |= {(cell, seed): resolved(seed).stages[-1].key for seed in more}
    return [
        one if (one.cell, one.seed) == place else _at(one, *place)
        for place, key in keys.items()
        for one in attempts.get(key, ())
    ]


def claimed_cells(composed: ResolvedStudy) -> list[tuple[AnyClaim, tuple[str, ...]]]:
    """Each claim with the cells that it needs at this scale; a ranking of all cells needs every arm."""
    sweep = composed.sweep(everything=True)
    roles, levels = composed.study.roles_at(composed.scale), sweep.levels()
    arms = tuple(arm.name for arm in sweep.arms())
    return [
        (claim, arms)
        if isinstance(claim, RanksLike) and claim.among is None
        else (claim, cells_of(claim, roles, levels)[0])
        for claim in composed.study.claims
    ]


def _at(one: Summary, cell: str, seed: int) -> Summary:
    return one.model_copy(update={"cell": cell, "seed": seed})
