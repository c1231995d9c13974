"""When claims are judged: seed counts fixed before the first run, each with its share of error."""

from typing import Self

from pydantic import Field, model_validator

from sweeps.base import Frozen

ERROR_RATE = 0.05
"""The probability of any verdict if no effect exists, over all looks and primary claims together, if
paired differences are roughly normal, and given the training subset, validation split and test
images that all seeds share."""

MAX_PRIMARY = 3
"""A study may have at most this many primary claims: each costs the others power."""


class Looks(Frozen):
    """The seed counts at which claims are judged, and each look's share of the error rate.

    A look at n uses seeds 0 to n-1 and no others. Between looks, more seeds change estimates, but never
    a verdict.
    """

    seeds: tuple[int, ...] = Field(default=(5, 10), min_length=1)
    """Increasing seed counts, at least 2, since one seed says nothing about spread."""

    shares: tuple[float, ...] = Field(default=(0.5, 0.5), min_length=1)
    """Each look's share of the 5 %; together at most 1."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.seeds) != len(self.shares):
            raise ValueError(
                f"each look needs one share: {len(self.seeds)} seed counts {list(self.seeds)}, "
                f"{len(self.shares)} shares {list(self.shares)}"
            )
        if self.seeds[0] < 2 or any(
            b <= a for a, b in zip(self.seeds, self.seeds[1:], strict=False)
        ):
            raise ValueError(
                f"looks must be at least 2 seeds and increasing, got {list(self.seeds)}"
            )
        # Written so that NaN is refused.
        if not (min(self.shares) > 0 and sum(self.shares) <= 1 + 1e-9):
            raise ValueError(
                f"shares must be above 0 and sum to at most 1, got {list(self.shares)}"
            )
        return self
