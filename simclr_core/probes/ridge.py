"""A linear probe in closed form: least squares on one-hot labels with a penalty.

Shape suffixes: n images, d features, C classes, L labellings.
"""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from simclr_core.probes.contract import PenalisedProbe
from simclr_core.probes.logistic import PAPER_GRID


class RidgeProbe(PenalisedProbe):
    """Ridge regression on one-hot labels in float64; its l2 is chosen on the validation split.

    It minimises |X W + b - Y|^2 + l2 |W|^2 (alpha in scikit-learn); the bias is not penalised, and
    features enter as they are. One eigendecomposition of X^T X serves all candidates, so it costs
    seconds where the logistic probe takes minutes; it is no probability model, and the paper has
    none of it.
    """

    kind: Literal["ridge"] = "ridge"

    summary: ClassVar[str] = (
        "least squares on features of the centre square, l2 chosen on a validation split"
    )

    l2: tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...] = Field(
        default=PAPER_GRID, min_length=1
    )
    """The candidates: those of the paper's logistic probe, 45 values from 1e-6 to 1e5."""

    def solutions(
        self,
        features_nd: Float[Tensor, "n d"],
        labels_Ln: Int[Tensor, "L n"],
        num_classes: int,
        l2s: Sequence[Sequence[float]],
    ) -> "list[list[FittedRidge]]":
        return [
            [problem.solve(l2) for l2 in values]
            for values, labels_n in zip(l2s, labels_Ln, strict=True)
            for problem in [_Problem(features_nd, labels_n, num_classes)]
        ]


class FittedRidge(NamedTuple):
    """A solution."""

    weights_dC: Tensor
    """float64."""
    bias_C: Tensor
    converged: bool = True

    def scores(self, features_nd: Float[Tensor, "n d"]) -> Float[Tensor, "n C"]:
        """What stands for the one-hot label; the class with the largest is the prediction."""
        return features_nd.double() @ self.weights_dC + self.bias_C


class _Problem:
    """The features and labels of a fit, decomposed once for any number of l2 values.

    With both sides centred the bias drops out: W = V (L + l2)^-1 V^T X^T Y with X^T X = V L V^T.
    """

    def __init__(
        self, features_nd: Float[Tensor, "n d"], labels_n: Int[Tensor, " n"], num_classes: int
    ) -> None:
        x_nd = features_nd.double()
        y_nC = F.one_hot(labels_n.to(x_nd.device), num_classes).double()
        self._mean_d, self._mean_C = x_nd.mean(0), y_nC.mean(0)
        x_nd = x_nd - self._mean_d
        self._values_d, self._vectors_dd = torch.linalg.eigh(x_nd.T @ x_nd)
        self._projected_dC = self._vectors_dd.T @ (x_nd.T @ (y_nC - self._mean_C))

    def solve(self, l2: float) -> FittedRidge:
        # Eigenvalues that are 0 come out a rounding below it.
        inverse_d = 1 / (self._values_d.clamp_min(0) + l2)
        weights_dC = self._vectors_dd @ (inverse_d[:, None] * self._projected_dC)
        return FittedRidge(weights_dC, self._mean_C - self._mean_d @ weights_dC)
