"""The fields of all claims, and of those about one number for each seed."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, ClassVar, Self

from pydantic import Field, StringConstraints, model_validator

from sweeps.base import Frozen


class Claim(Frozen):
    """The fields of all claims."""

    name: str = Field(min_length=1, examples=["colour helps cropping"])
    """Short and unique within the study."""

    primary: bool = False
    """A primary claim is judged; any other is an estimate, marked exploratory."""

    statement: str = Field(default="", examples=["Cropping needs colour distortion."])
    """The claim in words."""

    source: Annotated[str, StringConstraints(strip_whitespace=True)] = Field(
        default="", examples=["section 3.1, figure 5"]
    )
    """The place where a publication makes the statement, such as "section 4.2, figure 8". If left
    out, the claim is the study's own, and is shown or not shown, unless a published table has a
    number for each of its cells and these numbers support it."""

    @model_validator(mode="after")
    def _states_what_it_cites(self) -> Self:
        if self.source and not self.statement.strip():
            raise ValueError(
                f"source: {self.source!r} needs statement:, the wording of the claim there; add "
                "it, or leave source: out"
            )
        return self


class Contrast(Claim):
    """A claim about one number for each seed: a weighted sum of its cells, tested against a margin.

    A new kind of claim is a subclass, named in `AnyClaim`; nothing else knows the kinds.
    """

    margin: float = Field(default=0.0, allow_inf_nan=False)
    """In the metric's unit; with 0, any larger value counts."""

    per_step: ClassVar[bool] = False
    """Whether the number is in the metric's unit per step instead of the metric's unit."""

    min_tau: ClassVar[float] = 0.0
    """Any distance from the margin is enough for a verdict."""

    @abstractmethod
    def weights(self, num_cells: int) -> list[float]:
        """The weight of each cell in the number of a seed."""

    def contrast(self, row: Sequence[float]) -> float:
        """The number of one seed, from the cells' values in the claim's order."""
        return math.fsum(w * value for w, value in zip(self.weights(len(row)), row, strict=True))

    def fault(self, num_cells: int) -> str:
        """Why this number of cells cannot be judged; empty if it can."""
        del num_cells
        return ""

    def quantity(self, cells: Sequence[str]) -> str:
        """The number of a seed in words."""
        weights = self.weights(len(cells))
        return " ".join(f"{w:+g} x {cell}" for w, cell in zip(weights, cells, strict=True))

    def supported_by(self, numbers: Sequence[float]) -> bool:
        """Whether the cells' published numbers say what the claim says."""
        return self.contrast(numbers) > self.margin
