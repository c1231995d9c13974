"""Collapsed trials behind a claim, and their effect on its verdict.

Student's t assumes roughly normal differences. A cell that collapses in only some seeds of a look mixes
two kinds of runs, so the level of the test does not hold. A cell that collapsed in all seeds is a
finding, and is reported as one.
"""

from collections.abc import Sequence

from reports.judging.trial_outcomes import Outcome


def collapsed_cells(
    cells: Sequence[str], num_seeds: int, found: Sequence[Outcome]
) -> tuple[str, str]:
    """Which cells collapsed in some of the seeds 0 to num_seeds - 1 only, and which in each.

    Empty where none did.
    """
    marked = {(o.cell.name, o.trial.seed) for o in found if o.mark and o.trial.seed < num_seeds}
    mixed, whole = list[str](), list[str]()
    for cell in cells:
        seeds = sorted(seed for name, seed in marked if name == cell)
        if len(seeds) == num_seeds:
            whole.append(cell)
        elif seeds:
            many = "" if len(seeds) == 1 else "s"
            mixed.append(f"{cell} in seed{many} {', '.join(map(str, seeds))}")
    return "; ".join(mixed), ", ".join(whole)
