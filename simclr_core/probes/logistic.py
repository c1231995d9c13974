"""The linear probe: multinomial logistic regression on frozen features (paper, 2.3 and B.8.1).

Shape suffixes: n images, d features, L labellings of them.
"""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from simclr_core.probes.contract import Choice, PenalisedProbe
from simclr_core.probes.logistic_path import Fitted, Path
from simclr_core.probes.softmax import Softmax

PAPER_GRID = tuple(float(f"{10 ** (-6 + i / 4):.6g}") for i in range(45))


class LogisticProbe(PenalisedProbe):
    """Logistic regression by L-BFGS in float64; its l2 is chosen on the validation split.

    It minimises the sum over the images of the cross-entropy in nats, plus l2 / 2 |W|^2 (C = 1 / l2
    in scikit-learn). The bias is not penalised, and features enter as they are.
    """

    kind: Literal["logistic"] = "logistic"

    summary: ClassVar[str] = (
        "L-BFGS on features of the centre square, l2 chosen on a validation split (B.8.1)"
    )

    l2: tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...] = Field(
        default=PAPER_GRID, min_length=1
    )
    """The candidates; the paper's are 45 values from 1e-6 to 1e5, even in the logarithm."""

    tolerance: float = Field(default=1e-5, gt=0, allow_inf_nan=False)
    """The fit has converged if no entry of the mean cross-entropy's gradient is larger, including
    the penalty, with features scaled to a root mean square of 1."""

    max_iterations: int = Field(default=1000, ge=1)
    """The most steps of each fit, which starts from that of a larger l2; the record says if a fit did
    not converge."""

    labellings_at_once: ClassVar[int] = 8

    def solutions(
        self,
        features_nd: Float[Tensor, "n d"],
        labels_Ln: Int[Tensor, "L n"],
        num_classes: int,
        l2s: Sequence[Sequence[float]],
    ) -> list[list[Fitted]]:
        return self._path(features_nd, labels_Ln, num_classes).solve(l2s)

    def fit_each(
        self,
        features_nd: Float[Tensor, "n d"],
        labels_Ln: Int[Tensor, "L n"],
        num_classes: int,
        l2s: Sequence[float],
        near: Sequence[Any] | None = None,
    ) -> list[Fitted]:
        if near is None:
            return super().fit_each(features_nd, labels_Ln, num_classes, l2s)
        return self._path(features_nd, labels_Ln, num_classes).refine(l2s, near)

    def _path(self, features_nd: Tensor, labels_Ln: Tensor, num_classes: int) -> Path:
        problem = Softmax(features_nd, labels_Ln, num_classes)
        return Path(problem, self.tolerance, self.max_iterations)

    def _fit_facts(self, choice: Choice, fitted: Fitted) -> dict[str, Any]:
        return {
            "probe_converged": fitted.converged,
            "probe_iterations": fitted.iterations,
            "candidates_not_converged": len(choice.unconverged),
        }
