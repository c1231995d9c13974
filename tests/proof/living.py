"""Mutants that may live: each with the reason why no test can, or need, tell it from the original."""

from typing import NamedTuple


class Living(NamedTuple):
    file: str
    old: str
    """The lines of the original that differ, joined by a blank."""
    new: str
    why: str


LIVING: tuple[Living, ...] = (
    Living(
        "optimizers.py",
        'assert closure is None, "LARS evaluates no closure"',
        'assert closure is None, "lars evaluates no closure"',
        "the words of an assertion of our own, which no user meets",
    ),
    Living(
        "optimizers.py",
        'scaling: Literal["none", "linear", "square_root"] = "none"',
        'scaling: Literal["none", "linear", "square_root"] = "XXnoneXX"',
        "the default of the common base, which each optimiser sets anew",
    ),
    Living(
        "optimizers.py",
        "learning_rate: float = Field(gt=0, allow_inf_nan=False)",
        "learning_rate: float = Field(gt=0, allow_inf_nan=None)",
        "a field of the common base, which each optimiser sets anew",
    ),
)
