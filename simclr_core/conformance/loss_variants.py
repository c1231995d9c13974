"""Equation 1 of the paper number by number, and what is taken for it elsewhere.

s is the matrix of similarities of 2N views of which i and i + N show one image, as lists.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

# The fields' types say what each lambda takes; the checker does not carry them over in a NamedTuple.
# pyright: reportUnknownLambdaType=false

Matrix = Sequence[Sequence[float]]


def cosines(rows: Matrix) -> list[list[float]]:
    """s_ij = u_i . u_j / (|u_i| |u_j|) of all pairs."""
    norms = [math.sqrt(sum(a * a for a in row)) for row in rows]
    return [
        [
            sum(a * b for a, b in zip(one, other, strict=True)) / (norms[i] * norms[j])
            for j, other in enumerate(rows)
        ]
        for i, one in enumerate(rows)
    ]


class Form(NamedTuple):
    """A loss of similarities: equation 1 unless a field differs."""

    says: str
    partner: Callable[[int, int], int] = lambda i, n: (i + n) % (2 * n)
    """(i, N) -> the view that i has to find."""

    counts: Callable[[int, int, int, int], float] = lambda i, k, p, n: k != i  # noqa: ARG005
    """(i, k, partner, N) -> how many times view k is in the denominator of i."""

    logit: Callable[[float, float], float] = lambda s, t: s / t
    """(s, t) -> what is exponentiated."""

    mean: Callable[[list[float]], float] = lambda costs: sum(costs) / len(costs)
    """The losses of the views, in nats -> the loss."""

    def value(self, s: Matrix, t: float) -> float:
        """The loss at temperature t."""
        num = len(s)
        costs: list[float] = []
        for i in range(num):
            p = self.partner(i, num // 2)
            logits = [self.logit(one, t) for one in s[i]]
            highest = max(logits)
            others = sum(
                self.counts(i, k, p, num // 2) * math.exp(logits[k] - highest) for k in range(num)
            )
            costs.append(highest + math.log(others) - logits[p])
        return self.mean(costs)


EQUATION_1 = Form("equation 1")


def _own_side(i: int, k: int, p: int, n: int) -> float:
    del p
    return (i < n) != (k < n)


def _minus_log_of_mean(costs: list[float]) -> float:
    least = min(costs)
    return least - math.log(sum(math.exp(least - cost) for cost in costs) / len(costs))


OTHERS = (
    Form(
        "the positives are paired as if views were interleaved (0 with 1, 2 with 3)",
        lambda i, _: i ^ 1,
    ),
    Form("the positives are one row off", lambda i, n: (i + n - 1) % (2 * n)),
    Form("the positives are one row off", lambda i, n: (i + n + 1) % (2 * n)),
    Form("each view is its own positive", lambda i, _: i),
    Form("negatives of the view's own side are missing", counts=_own_side),
    Form("each view is among its own negatives", counts=lambda *_: 1),
    Form(
        "the positive is left out of the denominator (the decoupled loss)",
        counts=lambda i, k, p, n: k not in (i, p) or n < 2,
    ),
    Form(
        "the positive is in the denominator twice",
        counts=lambda i, k, p, n: (k != i) + (k == p),  # noqa: ARG005
    ),
    Form("the temperature multiplies", logit=lambda s, t: s * t),
    Form("the temperature has no effect", logit=lambda s, _: s),
    Form("similarities below 0 are cut off", logit=lambda s, t: max(s, 0.0) / t),
    Form("it is minus the logarithm of the mean probability", mean=_minus_log_of_mean),
    Form(
        "only the first views look for their partner",
        mean=lambda costs: sum(costs[: len(costs) // 2]) * 2 / len(costs),
    ),
)
"""Forms that other code calls NT-Xent; a form that fits every case identifies a mistake."""
