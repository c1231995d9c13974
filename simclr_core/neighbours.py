"""Weighted nearest neighbours on frozen features: a read-out that fits nothing."""

from pydantic import Field

from simclr_core.values import Frozen


class Neighbours(Frozen):
    """The k most similar training images vote, each with weight exp(cosine similarity / t).

    As in Wu et al. 2018; equal votes go to the smaller class number.
    """

    k: int = Field(default=200, ge=1)
    """Voters; all training images if there are fewer."""

    temperature: float = Field(default=0.1, gt=0, allow_inf_nan=False)
    """Divides the similarities before the exponential."""
