"""Claims that a plan cannot decide, reported before anything runs."""

from collections import Counter
from collections.abc import Iterator, Sequence

from ablations.compose.recorded import claimed_cells
from ablations.compose.resolved_study import ResolvedStudy
from ablations.study import cells_left_out
from sweeps.planning import Plan
from sweeps.record import Summary

MOST_NAMED = 12
"""Cells or seeds that a message names one by one."""


def foreseen(composed: ResolvedStudy, plan: Plan, recorded: Sequence[Summary]) -> list[str]:
    """Why these seeds decide no claim, or not all, with the option to use instead.

    A look at n judges a claim at the seeds 0 to n - 1 and no others, and needs all of them in each of
    its cells: planned, or finished and on record, `recorded` as `as_configured` gives it. Cells that are
    not planned are those of `left_out`.
    """
    first, asked = composed.study.looks.seeds[0], set(composed.seeds)
    seeds = {trial.cell: asked.copy() for trial in plan.trials if trial.role == "arm"}
    for one in recorded:
        if one.state == "finished" and one.cell in seeds:
            seeds[one.cell].add(one.seed)
    paired = {
        claim.name: set[int].intersection(*(seeds[cell] for cell in here))
        for claim, cells in claimed_cells(composed)
        if claim.primary and (here := [cell for cell in cells if cell in seeds])
    }
    short = {name: of for name, of in paired.items() if not of.issuperset(range(first))}
    if short and len(short) == len(paired):
        short = {"": set[int].intersection(*short.values())}
    notes: list[str] = []
    for name, of in short.items():
        why = _why_unjudged(f"claim {name!r} is not" if name else "no claim is", of, first)
        if composed.scale == "smoke":
            end = "this scale only checks that everything runs; use --scale laptop for verdicts"
        else:
            end = f"--seeds {first}"
        notes.append(f"{why}; {end}")
    return notes


def _why_unjudged(subject: str, seeds: set[int], first: int) -> str:
    """The seeds that are there, and those that the first look lacks."""
    if max(seeds) < first:
        number = "1 seed" if len(seeds) == 1 else f"{len(seeds)} seeds"
        return f"{number}: {subject} judged before {first} seeds"
    missing = [seed for seed in range(first) if seed not in seeds]
    return (
        f"seeds {_some(sorted(seeds))}: {subject} judged, because the first look needs seeds "
        f"0 to {first - 1} and {_some(missing)} would be missing"
    )


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
    first = set(range(composed.study.looks.seeds[0]))
    seeds: dict[str, set[int]] = {}
    for one in recorded:
        if one.state == "finished":
            seeds.setdefault(one.cell, set()).add(one.seed)
    away = [cell for cell in hidden if not first <= seeds.get(cell, set())]
    for claim, cells in claimed_cells(composed):
        if lacking := [cell for cell in cells if cell in away]:
            what = "cannot be judged" if claim.primary else "has no estimate"
            yield f"claim {claim.name!r} {what} without {_some(lacking)}"


def _some(names: Sequence[object]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(map(str, names[:MOST_NAMED])) + more
