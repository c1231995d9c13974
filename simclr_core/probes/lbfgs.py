"""L-BFGS for many fits at once, each with its own penalty, memory and step.

Shape suffixes: L labellings, K fits of each, C classes, E coefficients of a class.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from simclr_core.probes.softmax import Softmax

_MEMORY = 10
"""Steps whose curvature is remembered."""

Inverse = Callable[[Tensor], Tensor]
"""A gradient [L, K, C, E] -> an estimate of the inverse Hessian, times it."""


class Objective(NamedTuple):
    """The sums of cross-entropies, each with its penalty l2 / 2 |W|^2, which spares the bias."""

    problem: Softmax
    targets_L1CE: Tensor
    penalty_LK1E: Tensor

    @classmethod
    def of(cls, problem: Softmax, rows: list[int], l2_LK: Tensor) -> "Objective":
        """Of the labellings `rows`, with these penalties."""
        return cls(
            problem,
            problem.targets_LCE[rows][:, None],
            l2_LK[:, :, None, None] * problem.stretch_E,
        )

    def at(self, u_LKCE: Tensor) -> tuple[Tensor, Tensor]:
        """Values [L, K] and gradients."""
        sums = self.problem.cross_entropy(u_LKCE, self.targets_L1CE)
        penalty_LK = 0.5 * (self.penalty_LK1E * u_LKCE.square()).sum(dim=(2, 3))
        return sums.value_LK + penalty_LK, sums.gradient_LKCE + self.penalty_LK1E * u_LKCE


class State(NamedTuple):
    """Where the fits are, and where they go next. All of it is on the device."""

    u_LKCE: Tensor
    value_LK: Tensor
    gradient_LKCE: Tensor
    size_LK: Tensor
    direction_LKCE: Tensor
    length_LK: Tensor
    steps_LK: Tensor
    """Taken so far; a step that was too long and is halved counts again."""
    pairs: "tuple[Pair, ...]" = ()


class Pair(NamedTuple):
    """A step, and how the gradient changed along it."""

    step: Tensor
    change: Tensor
    reciprocal: Tensor
    """Of the curvature along the step. 0 where there is none, of a fit that did not move or of
    rounding: the pair then carries no information."""


def begin(objective: Objective, u_LKCE: Tensor) -> State:
    """Fits before their first step, without a direction yet."""
    value_LK, gradient = objective.at(u_LKCE)
    size_LK = objective.problem.size(gradient)
    length_LK, steps_LK = torch.ones_like(value_LK), torch.zeros_like(value_LK, dtype=torch.int64)
    return State(u_LKCE, value_LK, gradient, size_LK, gradient, length_LK, steps_LK)


def advance(objective: Objective, state: State, moves_LK: Tensor, inverse: Inverse) -> State:
    """One step of the fits that move: Nocedal and Wright, algorithm 7.4, with halved steps.

    No number leaves the device, and no fit depends on another.
    """
    u = state.u_LKCE + state.length_LK[..., None, None] * state.direction_LKCE
    value, gradient = objective.at(u)
    slope = (state.direction_LKCE * state.gradient_LKCE).sum(dim=(2, 3)) * state.length_LK
    # Near the solution a step gains less than the sum's rounding can show.
    enough = value <= state.value_LK + 1e-4 * slope + 1e-13 * state.value_LK.abs()
    taken_LK = enough & moves_LK
    taken = taken_LK[..., None, None]
    step = torch.where(taken, u - state.u_LKCE, 0.0)
    change = torch.where(taken, gradient - state.gradient_LKCE, 0.0)
    curvature = _dot(step, change)
    reciprocal = torch.where(curvature > 0, 1 / curvature, 0.0)
    pairs = (*state.pairs[1 - _MEMORY :], Pair(step, change, reciprocal))
    gradient = torch.where(taken, gradient, state.gradient_LKCE)
    return State(
        torch.where(taken, u, state.u_LKCE),
        torch.where(taken_LK, value, state.value_LK),
        gradient,
        torch.where(taken_LK, objective.problem.size(gradient), state.size_LK),
        torch.where(taken, -_newton(gradient, pairs, inverse), state.direction_LKCE),
        torch.where(taken_LK, 1.0, state.length_LK / 2),
        state.steps_LK + moves_LK,
        pairs,
    )


def minimise(
    objective: Objective,
    u_LKCE: Tensor,
    inverse: Callable[[], Inverse],
    *,
    tolerance: float,
    most: int,
) -> State:
    """Steps until each fit's gradient is at most `tolerance`, or it has taken `most` steps.

    One number a step leaves the device: whether any fit still moves. One that is done stays as it
    is, and `inverse` is only called if there is a step to take.
    """
    state = begin(objective, u_LKCE)
    known: Inverse | None = None
    while True:
        moves_LK = (state.size_LK > tolerance) & (state.steps_LK < most)
        if not bool(moves_LK.any()):
            return state
        if known is None:
            known = inverse()
            state = state._replace(direction_LKCE=-known(state.gradient_LKCE))
        state = advance(objective, state, moves_LK, known)


def _newton(gradient: Tensor, pairs: tuple[Pair, ...], inverse: Inverse) -> Tensor:
    """The estimate of the inverse Hessian, times the gradient."""
    direction = gradient
    shares: list[Tensor] = []
    for pair in reversed(pairs):
        share = pair.reciprocal * _dot(pair.step, direction)
        direction = direction - share * pair.change
        shares.append(share)
    direction = inverse(direction)
    for pair in pairs:
        correction = shares.pop() - pair.reciprocal * _dot(pair.change, direction)
        direction = direction + correction * pair.step
    return direction


def _dot(one: Tensor, other: Tensor) -> Tensor:
    return (one * other).sum(dim=(2, 3), keepdim=True)
