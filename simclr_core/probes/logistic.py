"""The linear probe: multinomial logistic regression on frozen features (paper, 2.3 and B.8.1).

Shape suffixes: n images, d features (E = d + 1 with the bias as the last), C classes. Classes come
first in what is computed at each step: over ten contiguous numbers a softmax takes three times as
long as across them.
"""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from simclr_core.probes.contract import Choice, PenalisedProbe

PAPER_GRID = tuple(float(f"{10 ** (-6 + i / 4):.6g}") for i in range(45))
_MEMORY = 10
"""Steps whose curvature L-BFGS remembers."""


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
    """The most steps of each fit; the record says if a fit did not converge."""

    def solver(
        self, features_nd: Float[Tensor, "n d"], labels_n: Int[Tensor, " n"], num_classes: int
    ) -> "Callable[[float, Fitted | None], Fitted]":
        problem = Problem(features_nd, labels_n, num_classes)

        def solve(l2: float, start: Fitted | None) -> Fitted:
            return problem.solve(l2, self.tolerance, self.max_iterations, start)

        return solve

    def _fit_facts(self, choice: Choice, fitted: "Fitted") -> dict[str, Any]:
        return {
            "probe_converged": fitted.converged,
            "probe_iterations": fitted.iterations,
            "candidates_not_converged": len(choice.unconverged),
        }


class Fitted(NamedTuple):
    """A solution, with what shows how good it is."""

    weights_CE: Tensor
    """float64; the last column is the bias."""
    converged: bool
    iterations: int
    gradient: float
    """The largest entry of the gradient, in the tolerance's unit."""

    def scores(self, features_nd: Float[Tensor, "n d"]) -> Float[Tensor, "n C"]:
        """Logits; the class with the largest is the prediction."""
        return features_nd.double() @ self.weights_CE[:, :-1].T + self.weights_CE[:, -1]


class _Pair(NamedTuple):
    step_CE: Tensor
    change_CE: Tensor
    """Of the cross-entropy's gradient along the step; the penalty's is known for any l2."""


class Problem:
    """The features and labels of a fit, prepared once for any number of l2 values."""

    def __init__(
        self, features_nd: Float[Tensor, "n d"], labels_n: Int[Tensor, " n"], num_classes: int
    ) -> None:
        num_images = len(labels_n)
        features = features_nd.double().cpu()
        self._x_nE = torch.cat([features, features.new_ones(num_images, 1)], dim=1)
        self._y_1n = labels_n.cpu()[None]
        targets_Cn = torch.zeros(num_classes, num_images, dtype=torch.float64)
        self._targets_CE = targets_Cn.scatter_(0, self._y_1n, 1.0) @ self._x_nE
        gram_EE = self._x_nE.T @ self._x_nE
        # Bohning's bound on the Hessian: half the Gram matrix for each class.
        self._curvature_E, self._basis_EE = torch.linalg.eigh(gram_EE / 2)
        mean_square = gram_EE.diagonal()[:-1].mean() / num_images
        root = float(mean_square.sqrt())
        self._unit = num_images * (root if root > 1e-12 else 1.0)  # dead features: the biases' unit

    def solve(
        self, l2: float, tolerance: float, max_iterations: int, start: Fitted | None = None
    ) -> Fitted:
        """L-BFGS (Nocedal and Wright, algorithm 7.4), preconditioned by Bohning's bound.

        With the bound in place of the identity a fit takes tens of steps, where the features'
        unequal scales would make it hundreds.
        """
        penalty_E = torch.full((len(self._basis_EE),), l2, dtype=torch.float64)
        penalty_E[-1] = 0.0
        inverse_E = 1 / (self._curvature_E.clamp_min(0) + l2)
        w = torch.zeros_like(self._targets_CE) if start is None else start.weights_CE
        pairs: list[_Pair] = []
        entropy, entropy_gradient = self._cross_entropy(w)
        iterations = 0
        while True:
            value = entropy + 0.5 * float((penalty_E * w.square()).sum())
            gradient = entropy_gradient + penalty_E * w
            size = float(gradient.abs().max()) / self._unit
            if size <= tolerance or iterations == max_iterations:
                break
            step = -self._newton(gradient, pairs, penalty_E, inverse_E)
            slope = float((step * gradient).sum())
            while True:
                new = w + step
                entropy, new_gradient = self._cross_entropy(new)
                new_value = entropy + 0.5 * float((penalty_E * new.square()).sum())
                # Near the solution a step gains less than the sum's rounding can show.
                if new_value <= value + 1e-4 * slope + 1e-13 * abs(value):
                    break
                step, slope = step / 2, slope / 2
            pairs = [*pairs[1 - _MEMORY :], _Pair(step, new_gradient - entropy_gradient)]
            w, entropy_gradient = new, new_gradient
            iterations += 1
        return Fitted(w, size <= tolerance, iterations, size)

    def _cross_entropy(self, w_CE: Tensor) -> tuple[float, Tensor]:
        """The sum over the images, in nats, and its gradient."""
        logits_Cn = w_CE @ self._x_nE.T
        value = -(w_CE * self._targets_CE).sum()
        highest_n = logits_Cn.amax(dim=0)
        p_Cn = logits_Cn.sub_(highest_n).exp_()
        sums_n = p_Cn.sum(dim=0)
        value += (sums_n.log() + highest_n).sum()
        return float(value), p_Cn.div_(sums_n) @ self._x_nE - self._targets_CE

    def _newton(
        self, gradient: Tensor, pairs: list[_Pair], penalty_E: Tensor, inverse_E: Tensor
    ) -> Tensor:
        """The estimate of the inverse Hessian, times the gradient."""

        def precondition(g_CE: Tensor) -> Tensor:
            return (g_CE @ self._basis_EE * inverse_E) @ self._basis_EE.T

        direction = gradient.clone()
        undo: list[tuple[Tensor, Tensor, float, float]] = []
        for step, change in reversed(pairs):
            change = change + penalty_E * step  # noqa: PLW2901
            curvature = float((step * change).sum())
            if curvature <= 0:  # rounding, at the end of a fit: the pair carries no information
                continue
            share = float((step * direction).sum()) / curvature
            direction -= share * change
            undo.append((step, change, curvature, share))
        scale = 1.0
        if undo:
            _, change, curvature, _ = undo[0]
            scale = curvature / float((change * precondition(change)).sum())
        direction = scale * precondition(direction)
        for step, change, curvature, share in reversed(undo):
            direction += (share - float((change * direction).sum()) / curvature) * step
        return direction
