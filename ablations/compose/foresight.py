"""Claims that a plan cannot decide, reported before anything runs."""

from collections import Counter
from collections.abc import Iterator, Sequence

from ablations.compose.resolved_study import ResolvedStudy
from ablations.study import cells_left_out
from reports.spec import RanksLike, cells_of
from sweeps.planning import Plan
from sweeps.record import Summary

MOST_NAMED = 12
"""Cells or seeds that a message names one by one."""


def foreseen(composed: ResolvedStudy, recorded: Sequence[Summary]) -> list[str]:
    """Why these seeds decide no claim, with the option to use instead; empty if a look is reached.

    A look at n judges seeds 0 to n - 1 and no others; seeds on record count with those that were
    requested; `recorded` as `as_configured` gives it.
    """
    study = composed.study
    if not any(claim.primary for claim in study.claims):
        return []
    seeds = {one.seed for one in recorded if one.role == "arm"} | set(composed.seeds)
    first = study.looks.seeds[0]
    missing = [seed for seed in range(first) if seed not in seeds]
    if not missing:
        return []
    if max(seeds) < first:
        number = "1 seed" if len(seeds) == 1 else f"{len(seeds)} seeds"
        why = f"{number}: no claim is judged before {first} seeds"
    else:
        why = (
            f"seeds {_some(sorted(seeds))}: no claim is judged, because the first look needs seeds "
            f"0 to {first - 1} and {_some(missing)} would be missing"
        )
    if composed.scale == "smoke":
        return [
            f"{why}; this scale only checks that everything runs; use --scale laptop for verdicts"
        ]
    return [f"{why}; --seeds {first}"]


def kernel_by_kernel(composed: ResolvedStudy, plan: Plan) -> list[str]:
    """The trials whose steps a GPU runs kernel by kernel, which is slower, and why; empty elsewhere."""
    if composed.device != "cuda":
        return []
    from simclr_core.config import Config
    from simclr_core.runtime import Execution
    from simclr_core.training import why_eager

    execution = Execution(recompute=composed.request.recompute)
    training = [trial for trial in plan.todo if trial.config["epochs"]]
    configs = [Config.model_validate(trial.config) for trial in training]
    # Whether images differ in shape is known once they are decoded.
    why = Counter(why_eager(config, execution, one_shape=True) for config in configs)
    return [
        f"{count} of {len(training)} trials run their steps kernel by kernel on the GPU, not as one "
        f"graph: {reason}"
        for reason, count in why.items()
        if reason is not None
    ]


def left_out(composed: ResolvedStudy, plan: Plan, recorded: Sequence[Summary]) -> list[str]:
    """The cells that the scale or the request leaves out, and the claims that then lack some.

    A cell counts as there if it is on record at every seed of the first look; `recorded` as
    `as_configured` gives it.
    """
    if composed.request.only is None:
        return [one.message for one in cells_left_out(composed.loaded, composed.scale)]
    run = {trial.cell for trial in plan.trials}
    hidden = [arm.name for arm in composed.sweep(everything=True).arms() if arm.name not in run]
    if not hidden:
        return []
    number = "1 cell" if len(hidden) == 1 else f"{len(hidden)} cells"
    return [
        f"--only leaves out {number} of this scale: {_some(hidden)}",
        *_unjudged(composed, recorded, hidden),
    ]


def _unjudged(
    composed: ResolvedStudy, recorded: Sequence[Summary], hidden: Sequence[str]
) -> Iterator[str]:
    """The claims that need a cell that is neither requested nor on record."""
    study, first = composed.study, set(range(composed.study.looks.seeds[0]))
    seeds: dict[str, set[int]] = {}
    for one in recorded:
        if one.state == "finished":
            seeds.setdefault(one.cell, set()).add(one.seed)
    away = [cell for cell in hidden if not first <= seeds.get(cell, set())]
    levels = composed.sweep(everything=True).levels()
    for claim in study.claims:
        cells, _ = cells_of(claim, study.roles_at(composed.scale), levels)
        whole = isinstance(claim, RanksLike) and claim.among is None
        if lacking := away if whole else [cell for cell in cells if cell in away]:
            what = "cannot be judged" if claim.primary else "has no estimate"
            yield f"claim {claim.name!r} {what} without {_some(lacking)}"


def _some(names: Sequence[object]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(map(str, names[:MOST_NAMED])) + more
