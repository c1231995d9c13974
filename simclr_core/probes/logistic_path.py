"""The softmax regressions of many penalties and labellings, along one path of falling penalties.

Shape suffixes: n images, L labellings of them, K fits of each, C classes, d features (E = d + 1 with
the bias as the last), P = C x E coefficients.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from simclr_core.probes.lbfgs import Inverse, Objective, State, minimise
from simclr_core.probes.softmax import Softmax

_PER_DECADE = 4
"""Points of the path; the paper's 45 values of l2 are among them."""

_MOST_EXACT = 4096
"""Coefficients up to which a Hessian is factorised: 128 MiB for each labelling."""


class Fitted(NamedTuple):
    """A solution, with what shows how good it is."""

    weights_CE: Tensor
    """float64; the last column is the bias."""

    converged: bool
    iterations: int
    """Steps from where it started."""

    gradient: float
    """The largest entry of the gradient, in the tolerance's unit."""

    hard: bool
    """Whether so many steps were needed along the path that a Hessian was factorised."""

    def scores(self, features_nd: Float[Tensor, "n d"]) -> Float[Tensor, "n C"]:
        """Logits; the class with the largest is the prediction."""
        return features_nd.double() @ self.weights_CE[:, :-1].T + self.weights_CE[:, -1]


class _Point(NamedTuple):
    """The fits of all labellings, each for one l2."""

    place: int
    """l2 is 10^(place / 4), if it is a point of the path."""
    l2_L: Sequence[float]
    u_LKCE: Tensor
    """K = 1."""


class Path:
    """From an l2 that depends on the features alone, where weights are near 0, down by 10^(1/4).

    The fit at a point starts from the parabola through the three above it; a fit between points
    starts from the one through its neighbours. So a solution depends on features, labels and its own
    l2, and on neither the other values of l2 nor the other labellings, but for the rounding of sums
    whose order depends on the sizes of matrices. On one machine it repeats to the bit.

    Steps are preconditioned by the Hessian at zero, which is diagonal in the coordinates of
    `Softmax`. Where a point takes many steps, the Hessian there is factorised for those below: they
    then take about five each instead of hundreds.
    """

    def __init__(self, problem: Softmax, tolerance: float, max_iterations: int) -> None:
        self._problem, self._tolerance, self._most = problem, tolerance, max_iterations
        self._top = math.ceil(_PER_DECADE * math.log10(max(float(problem.largest) / 2, 1e-300)))
        self._factors: dict[int, Tensor] = {}
        """Cholesky's factor of the Hessian with the penalty, of the labellings that needed one."""
        self._due: set[int] = set()
        """Labellings whose last point took more steps than a Hessian costs."""

    def solve(self, l2s: Sequence[Sequence[float]]) -> list[list[Fitted]]:
        """The fits of each labelling, for its values of l2, in their order."""
        found: list[dict[float, Fitted]] = [{} for _ in l2s]
        lowest = [min(map(self._place, one)) for one in l2s]
        points: list[_Point] = []
        for place in range(self._top, min(lowest) - 1, -1):
            rows = [i for i, low in enumerate(lowest) if low <= place]
            points = [*points[-2:], self._point(place, rows, points)]
            here = {i: [l2 for l2 in l2s[i] if self._place(l2) == place] for i in rows}
            for num in sorted({len(some) for some in here.values()} - {0}):
                some = {i: values for i, values in here.items() if len(values) == num}
                for i, fits in zip(some, self._near(points, some), strict=True):
                    found[i] |= dict(zip(some[i], fits, strict=True))
        return [[fits[l2] for l2 in one] for fits, one in zip(found, l2s, strict=True)]

    def refine(self, l2s: Sequence[float], near: Sequence[Fitted]) -> list[Fitted]:
        """The fit of each labelling for its l2, from a fit of almost the same problem."""
        start = self._problem.coordinates(torch.stack([one.weights_CE for one in near])[:, None])
        self._due = {i for i, one in enumerate(near) if one.hard}
        from_there = _Point(0, l2s, start)
        l2_LK = start.new_tensor(l2s)[:, None]
        fits = self._fits(list(range(len(l2s))), start, l2_LK, from_there)
        return [fitted for [fitted] in fits]

    def _place(self, l2: float) -> int:
        """Of the point at or below l2."""
        return min(self._top, math.floor(_PER_DECADE * math.log10(l2) + 1e-4))

    def _point(self, place: int, rows: list[int], above: list[_Point]) -> _Point:
        """The next point's fits, of these labellings; the others stay where they are."""
        if above:
            last = above[-1]
        else:
            u_LKCE = torch.zeros_like(self._problem.targets_LCE)[:, None]
            last = _Point(place, [math.inf] * len(u_LKCE), u_LKCE)
        l2 = 10 ** (place / _PER_DECADE)
        l2_LK = last.u_LKCE.new_full((len(rows), 1), l2)
        start = _parabola(above, rows, l2_LK) if above else last.u_LKCE[rows]
        state = self._minimise(rows, start, l2_LK, last)
        size = self._problem.num_coefficients
        for i, taken in zip(rows, state.steps_LK[:, 0].tolist(), strict=True):
            # About as many steps as a Hessian costs; fewer where one that has aged is in use.
            if taken > (max(6, size / 100) if self._hard(i) else size / 40):
                self._due.add(i)
        u_LKCE = last.u_LKCE.clone()
        u_LKCE[rows] = state.u_LKCE
        return _Point(place, [l2] * len(u_LKCE), u_LKCE)

    def _near(self, points: list[_Point], here: dict[int, list[float]]) -> list[list[Fitted]]:
        """The fits of some labellings at or above the last point, equally many of each."""
        rows, last = list(here), points[-1]
        l2_LK = last.u_LKCE.new_tensor(list(here.values()))
        if last.place == self._top:  # from here up weights fall as 1 / l2
            start = last.u_LKCE[rows].repeat(1, l2_LK.shape[1], 1, 1)
            start[..., :-1] *= (10 ** (self._top / _PER_DECADE) / l2_LK)[..., None, None]
        else:
            start = _parabola(points, rows, l2_LK)
        return self._fits(rows, start, l2_LK, last, far=last.place == self._top)

    def _fits(
        self, rows: list[int], start: Tensor, l2_LK: Tensor, near: _Point, *, far: bool = False
    ) -> list[list[Fitted]]:
        state = self._minimise(rows, start, l2_LK, near, far=far)
        weights_LKCE = self._problem.weights(state.u_LKCE)
        sizes_LK, taken_LK = state.size_LK.tolist(), state.steps_LK.tolist()
        return [
            [
                Fitted(
                    weights_LKCE[at, k], size <= self._tolerance, taken, size, i in self._factors
                )
                for k, (size, taken) in enumerate(zip(sizes_LK[at], taken_LK[at], strict=True))
            ]
            for at, i in enumerate(rows)
        ]

    def _hard(self, labelling: int) -> bool:
        return labelling in self._factors or labelling in self._due

    def _minimise(
        self, rows: list[int], start: Tensor, l2_LK: Tensor, near: _Point, *, far: bool = False
    ) -> State:
        objective = Objective.of(self._problem, rows, l2_LK)

        def inverse() -> Inverse:
            return self._inverse(rows, l2_LK, near, far=far)

        return minimise(objective, start, inverse, tolerance=self._tolerance, most=self._most)

    def _inverse(self, rows: list[int], l2_LK: Tensor, near: _Point, *, far: bool) -> Inverse:
        """The preconditioner of fits close to those at `near`.

        Nothing of the fits themselves enters a factor, else it would depend on what is requested.
        """
        problem = self._problem
        at_zero = problem.num_images / problem.num_classes
        diagonal_LKCE = at_zero + l2_LK[..., None, None] * problem.stretch_E
        if far:  # a factor has another penalty, and here the penalty rules
            return lambda gradient_LKCE: gradient_LKCE / diagonal_LKCE
        for i in rows:
            if i in self._due and problem.num_coefficients <= _MOST_EXACT:
                penalty_P = (near.l2_L[i] * problem.stretch_E).repeat(problem.num_classes)
                h_PP = problem.curvature(near.u_LKCE[i, 0])
                self._factors[i] = _factor(h_PP + penalty_P.diag(), problem.num_images)
        self._due -= set(rows)
        exact = [at for at, i in enumerate(rows) if i in self._factors]
        if not exact:
            return lambda gradient_LKCE: gradient_LKCE / diagonal_LKCE
        factors = [self._factors[rows[at]] for at in exact]
        factor_LPP = torch.stack(factors) if len(factors) > 1 else factors[0][None]

        def solved(gradient_LKCE: Tensor) -> Tensor:
            some = gradient_LKCE[exact] if len(exact) < len(rows) else gradient_LKCE
            found = torch.cholesky_solve(some.flatten(2).mT, factor_LPP).mT.reshape(some.shape)
            if len(exact) == len(rows):
                return found
            return (gradient_LKCE / diagonal_LKCE).index_copy(0, index, found)

        index = torch.tensor(exact, device=factor_LPP.device)
        return solved


def _factor(h_PP: Tensor, num_images: int) -> Tensor:
    """Cholesky's; where rounding made an eigenvalue negative, with more on the diagonal."""
    factor_PP, failed = torch.linalg.cholesky_ex(h_PP)
    for share in (1e-6, 1e-5, 1e-4, 1e-3, 1e-2):
        if not int(failed):
            break
        h_PP.diagonal().add_(share * num_images)
        factor_PP, failed = torch.linalg.cholesky_ex(h_PP)
    return factor_PP


def _parabola(points: list[_Point], rows: list[int], l2_LK: Tensor) -> Tensor:
    """Through the fits at up to three points, in the logarithm of l2, by Lagrange's formula."""
    x_LK = _PER_DECADE * l2_LK.log10()
    start = torch.zeros_like(points[-1].u_LKCE[rows])
    for one in points:
        weight_LK = torch.ones_like(x_LK)
        for other in points:
            if other is not one:
                weight_LK = weight_LK * (x_LK - other.place) / (one.place - other.place)
        start = start + weight_LK[..., None, None] * one.u_LKCE[rows]
    return start
