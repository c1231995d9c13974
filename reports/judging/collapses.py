"""Collapsed trials behind a claim, and what they mean for its verdict.

Student's t assumes roughly normal differences. A cell that collapses in only some seeds of a look mixes
two kinds of runs, so the level of the test does not hold. A cell that collapsed in all of them is a
finding, and is reported as one.
"""

from collections.abc import Sequence

from reports.judging.trial_outcomes import Outcome


def mixed_collapses(cells: Sequence[str], num_seeds: int, found: Sequence[Outcome]) -> str:
    """Which cells collapsed in some of the seeds 0 to num_seeds - 1 only; empty where none did."""
    each = _by_cell(cells, num_seeds, found)
    partly = [(cell, seeds) for cell, seeds in each if len(seeds) < num_seeds]
    return "; ".join(
        f"{cell} in seed{'' if len(seeds) == 1 else 's'} {', '.join(map(str, seeds))}"
        for cell, seeds in partly
    )


def whole_collapses(cells: Sequence[str], num_seeds: int, found: Sequence[Outcome]) -> str:
    """Which cells collapsed in each of the seeds 0 to num_seeds - 1; empty where none did."""
    found_cells = _by_cell(cells, num_seeds, found)
    return ", ".join(cell for cell, seeds in found_cells if len(seeds) == num_seeds)


def _by_cell(
    cells: Sequence[str], num_seeds: int, found: Sequence[Outcome]
) -> list[tuple[str, list[int]]]:
    marked = {(o.cell.name, o.trial.seed) for o in found if o.mark and o.trial.seed < num_seeds}
    each = [(cell, sorted(seed for name, seed in marked if name == cell)) for cell in cells]
    return [(cell, seeds) for cell, seeds in each if seeds]
