"""Claims about factorial designs: main effects and interactions, as contrasts of marginal means.

A marginal mean of a level is the mean over all cells with it, each combination of the other axes' levels
with the same weight. It is taken within a seed, so that a claim has one number for each seed.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, Self

from pydantic import Field, model_validator

from reports.spec.claim_base import Contrast
from sweeps.planning import Where, fits

Levels = Mapping[str, Mapping[str, str]]
"""Cell -> axis -> label."""


class Factorial(Contrast):
    """The fields of both kinds."""

    axis: str = Field(examples=["head"])
    """The axis whose levels are compared."""

    better: str = Field(examples=["non-linear"])
    """The level that should win."""

    worse: str = Field(examples=["linear"])
    """The level that should lose."""

    where: Where = Field(default_factory=dict, examples=[{"batch": ["256", "512"]}])
    """The levels of other axes that are averaged over: axis -> label or labels; of the axes that are
    left out, all levels."""

    @model_validator(mode="after")
    def _apart(self) -> Self:
        for a, b in self._compared():
            if getattr(self, a) == getattr(self, b):
                raise ValueError(f"{a} and {b} must differ, got {getattr(self, a)!r} for both")
        if fixed := [axis for axis in self.where if axis in self.axes()]:
            raise ValueError(
                f"where: {fixed[0]!r} is an axis whose levels the claim compares; leave it out"
            )
        return self

    def roles(self) -> tuple[str, ...]:
        """None: the claim names levels, not cells."""
        return ()

    def axes(self) -> tuple[str, ...]:
        """The axes whose levels are compared."""
        return (self.axis,)

    def corners(self) -> tuple[dict[str, str], ...]:
        """The levels of each marginal mean in the contrast: better and worse, in turn."""
        return ({self.axis: self.better}, {self.axis: self.worse})

    def cells(self, levels: Levels) -> tuple[tuple[str, ...], str]:
        """The cells of each marginal mean, and why there are none at this scale; else empty."""
        there = {cell: labels for cell, labels in levels.items() if fits(labels, self.where)}
        found = [
            [cell for cell, own in there.items() if corner.items() <= own.items()]
            for corner in self.corners()
        ]
        if lost := [
            " and ".join(corner.values())
            for corner, cells in zip(self.corners(), found, strict=True)
            if not cells
        ]:
            return (), f"this scale has no cell with {', '.join(map(repr, lost))}"
        if len({len(cells) for cells in found}) > 1:
            return (), "the axes do not span all combinations of these levels"
        return tuple(cell for cells in found for cell in cells), ""

    @abstractmethod
    def in_words(self) -> str:
        """What is compared."""

    def quantity(self, cells: Sequence[str]) -> str:
        """What is compared, in means over all cells of a level."""
        return f"{self.in_words()}: of means over {len(cells)} cells"

    def weights(self, num_cells: int) -> list[float]:
        """Those of the means over as many groups of cells of the same size as there are corners."""
        corners = len(self.corners())
        size = num_cells // corners
        signs = (1.0, -1.0, -1.0, 1.0)[:corners]
        return [sign / size for sign in signs for _ in range(size)]

    def _compared(self) -> Iterator[tuple[str, str]]:
        yield "better", "worse"


class MainEffect(Factorial):
    """One level of an axis is better than another, averaged over the levels of the other axes.

    Judged on one number for each seed: the marginal mean of `better` minus that of `worse`, both of the
    same seed. Null: the two marginal means differ by the margin. Two-sided Student-t of these
    differences against it, and the same words as for `beats`. The effect may be the opposite at
    some levels of the other axes; the verdict's note gives its range. Needs every cell of both levels.
    """

    kind: Literal["main_effect"] = "main_effect"

    def in_words(self) -> str:
        """What is compared."""
        return f"{self.axis}: {self.better} against {self.worse}{_where(self.where)}"


class Interaction(Factorial):
    """A difference is larger at one level of a second axis than at another.

    Judged on one number for each seed, the difference of differences: (`better` - `worse`) at
    `larger_at` minus (`better` - `worse`) at `smaller_at`, in marginal means over the levels of any
    further axes. Null: the two differences are equal, or differ by the margin. Two-sided Student-t of
    these numbers against it, and the same words as for `beats`. Needs every cell of the four
    combinations. It is about differences in the metric's unit: near its ends,
    such as 100 %, differences shrink.
    """

    kind: Literal["interaction"] = "interaction"

    by: str = Field(examples=["temperature"])
    """The second axis, on whose level the difference depends."""

    larger_at: str = Field(examples=["low"])
    """The level of the second axis at which the difference should be larger."""

    smaller_at: str = Field(examples=["high"])
    """The level of the second axis at which it should be smaller."""

    def axes(self) -> tuple[str, ...]:
        """Both axes."""
        return (self.axis, self.by)

    def corners(self) -> tuple[dict[str, str], ...]:
        """Better and worse at `larger_at`, then at `smaller_at`."""
        return tuple(
            {self.axis: one, self.by: at}
            for at in (self.larger_at, self.smaller_at)
            for one in (self.better, self.worse)
        )

    def in_words(self) -> str:
        """What is compared."""
        at = f"at {self.by} {self.larger_at} against {self.smaller_at}"
        return f"{self.axis}: {self.better} against {self.worse}, {at}{_where(self.where)}"

    def _compared(self) -> Iterator[tuple[str, str]]:
        yield from (("better", "worse"), ("larger_at", "smaller_at"), ("axis", "by"))


def _where(chosen: Mapping[str, tuple[str, ...]]) -> str:
    parts = [f"{axis} {' or '.join(labels)}" for axis, labels in chosen.items()]
    return f", where {' and '.join(parts)}" if parts else ""
