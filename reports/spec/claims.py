"""Claims as data: statements of a study about its cells, which it names by role, before any measurement.

A role is a name in the study file for one cell, or for several in order. Claims about factorial
designs name levels of axes instead (`reports.spec.factorial_claims`). Claims are judged by
`reports.judging`; this module only defines them, so that a study file can be read without the
libraries that judge it.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from reports.spec.claim_base import Claim, Contrast
from reports.spec.factorial_claims import Interaction, Levels, MainEffect


class Beats(Contrast):
    """One cell is better than another, by more than a margin.

    Judged on one number for each seed: d = better - worse, both of the same seed. Two-sided Student-t
    of the differences against the margin: above it reproduced or shown; below it smaller than claimed,
    and contradicted or not shown where the interval is below 0 as well; else inconclusive. Above a
    margin below 0, with an interval that is not above 0, it is no worse than its margin.
    """

    kind: Literal["beats"] = "beats"

    better: str = Field(examples=["crop+colour"])
    """The role of the cell that should win."""

    worse: str = Field(examples=["crop"])
    """The role of the cell that should lose."""

    def roles(self) -> tuple[str, ...]:
        """The roles that the claim names, in its order."""
        return (self.better, self.worse)

    def weights(self, num_cells: int) -> list[float]:
        """A difference."""
        return [1.0, -1.0][:num_cells]

    def quantity(self, cells: Sequence[str]) -> str:
        """A difference in words."""
        return " minus ".join(cells)

    def fault(self, num_cells: int) -> str:
        """A difference needs exactly two cells."""
        return (
            ""
            if num_cells == 2
            else (f"the claim compares two cells, but its roles name {num_cells}")
        )


class Increases(Contrast):
    """The metric rises along cells in a stated order.

    Judged on one number for each seed: the least-squares slope over the positions 0, 1, 2, ... of the
    cells, in the metric's unit per step. Two-sided Student-t of the slopes against the margin, as
    for `beats`. A role may name several cells; they follow in the order of the study file.
    """

    kind: Literal["increases"] = "increases"

    along: tuple[str, ...] = Field(min_length=1, examples=[["1x", "2x", "4x"]])
    """Roles, from the lowest to the highest."""

    per_step: ClassVar[bool] = True

    def roles(self) -> tuple[str, ...]:
        """The roles that the claim names, in its order."""
        return self.along

    def weights(self, num_cells: int) -> list[float]:
        """Those of the least-squares slope over the positions 0, 1, 2, ..."""
        middle = (num_cells - 1) / 2
        square = sum((place - middle) ** 2 for place in range(num_cells))
        return [(place - middle) / square for place in range(num_cells)]

    def contrast(self, row: Sequence[float]) -> float:
        """The slope, in the metric's unit per step."""
        import numpy as np  # here: a study file is read without numpy

        x = np.arange(len(row)) - (len(row) - 1) / 2
        return float(x @ np.asarray(row) / (x @ x))

    def quantity(self, cells: Sequence[str]) -> str:
        """A slope in words."""
        return f"The least-squares slope along {', '.join(cells)}"

    def fault(self, num_cells: int) -> str:
        """A slope needs two cells."""
        return "a single cell has no slope" if num_cells < 2 else ""


class Equivalent(Contrast):
    """Cells differ by less than a margin, each two of them.

    Two one-sided Student-t tests (TOST; Schuirmann 1987) for each pair of cells, on one number for
    each seed: the difference of the two at that seed. If the interval of every pair lies within
    (-margin, +margin), reproduced or shown; if that of some pair lies outside, at a level divided by
    the number of pairs, contradicted or not shown; else inconclusive. No significant difference is
    no evidence of equivalence. The difference shown is that of the pair that decides: the nearest
    to an end of the margin, or the farthest beyond one, in standard errors.
    """

    kind: Literal["equivalent"] = "equivalent"

    among: tuple[str, ...] = Field(min_length=1, examples=[["mlp 32", "mlp 128", "mlp 2048"]])
    """Roles of the cells that are alike, two cells or more; a role may name several."""

    margin: float = Field(gt=0, allow_inf_nan=False, examples=[2.0])
    """The difference from which two cells count as different, in the metric's unit; above 0."""

    def roles(self) -> tuple[str, ...]:
        """The roles that the claim names, in its order."""
        return self.among

    def weights(self, num_cells: int) -> list[float]:
        """The difference of a pair."""
        return [1.0, -1.0][:num_cells]

    def fault(self, num_cells: int) -> str:
        """A comparison needs two cells."""
        return "a single cell has nothing to be compared with" if num_cells < 2 else ""

    def supported_by(self, numbers: Sequence[float]) -> bool:
        """Whether no two of the published numbers differ by the margin or more."""
        return max(numbers) - min(numbers) < self.margin


class RanksLike(Claim):
    """The cells agree in rank with the published table.

    Kendall's tau-b of the table of means with the published one, over all cells of the scale that
    have a published number and only once all are complete at the look. Judged by permuting whole
    levels (`reports.judging`): a table of ordered pairs by its operations, rows and columns together.
    Agreement of at least `min_tau` is reproduced, reversal of at least as much contradicted, else
    inconclusive. Seeds affect only the means. The unit of the test is the level, so more levels, not
    more seeds, decide the claim.
    """

    kind: Literal["ranks_like"] = "ranks_like"

    among: tuple[str, ...] | None = Field(default=None, examples=[["crop", "colour", "blur"]])
    """Roles of the cells to rank; None: every arm that has a published number."""

    min_tau: float = Field(default=0.5, ge=0, le=1)
    """The least |tau-b| of a verdict; 0.5 is three pairs in four in the published order."""

    margin: ClassVar[float] = 0.0
    """Of tau-b."""

    per_step: ClassVar[bool] = False

    def roles(self) -> tuple[str, ...]:
        """The roles that the claim names; none if it ranks every published arm."""
        return self.among or ()

    def supported_by(self, numbers: Sequence[float]) -> bool:
        """The published order is what the claim says."""
        del numbers
        return True


AnyClaim = Annotated[
    Beats | Increases | Equivalent | MainEffect | Interaction | RanksLike,
    Field(discriminator="kind"),
]


def cells_of(
    claim: AnyClaim, roles: Mapping[str, str | tuple[str, ...]], levels: Levels
) -> tuple[tuple[str, ...], str]:
    """The cells that a claim names, in its order, and why it names none at this scale.

    `levels` are those of every cell that the axes span, whether or not it runs.
    """
    if isinstance(claim, MainEffect | Interaction):
        return claim.cells(levels)
    filled = {role: roles.get(role, ()) for role in claim.roles()}
    lost = [role for role, cells in filled.items() if not cells]
    names = [cell for one in filled.values() for cell in ((one,) if isinstance(one, str) else one)]
    return tuple(names), f"this scale has no cell for {', '.join(map(repr, lost))}" if lost else ""
