"""The linear probe: multinomial logistic regression on frozen features (paper, 2.3 and B.8.1).

Shape suffixes: n images, d features (the last of d + 1 is the bias), C classes.
"""

from typing import Annotated, Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from simclr_core.values import Frozen

_PAPER_GRID = tuple(10 ** (-6 + 11 * i / 44) for i in range(45))


class LogisticProbe(Frozen):
    """Logistic regression by L-BFGS in float64; its l2 is chosen on the validation part.

    It minimises the sum over the images of the cross-entropy in nats, plus l2 / 2 |W|^2 (C = 1 / l2
    in scikit-learn). The bias is not penalised, and features enter as they are.
    """

    kind: Literal["logistic"] = "logistic"

    l2: tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...] = Field(
        _PAPER_GRID, min_length=1
    )
    """The candidates; the paper's are 45 values from 1e-6 to 1e5, even in their logarithm."""

    tolerance: float = Field(1e-6, gt=0, allow_inf_nan=False)
    """Converged once no entry of the gradient, divided by n and by the feature's root mean square,
    is larger."""

    max_iterations: int = Field(500, ge=1)
    """Steps for each fit; one that needs more says in the record that it did not converge."""
