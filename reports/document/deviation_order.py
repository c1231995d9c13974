"""Deviations from the paper, the largest first."""

import math
from collections.abc import Iterable, Sequence
from itertools import zip_longest

from reports.spec import Deviation

PARTS = ("cell", "data", "epochs", "encoder", "batch_size", "evaluation", "loss", "views", "head")
"""Parts of the protocol in which a difference is expected to matter, most first; then all others."""


def largest(deviations: Iterable[Deviation]) -> list[Deviation]:
    """The largest deviation of each part of the protocol in the order of PARTS, then the second, ...

    Within a part, what differs in kind comes before numbers, and these by the ratio of the two.
    """
    parts: dict[str, list[Deviation]] = {name: [] for name in PARTS}
    for one in deviations:
        parts.setdefault(one.field.partition(".")[0], []).append(one)
    ranked = [sorted(each, key=_size, reverse=True) for each in parts.values()]
    rounds: Iterable[Sequence[Deviation | None]] = zip_longest(*ranked)
    return [one for each in rounds for one in each if one is not None]


def _size(deviation: Deviation) -> float:
    """The absolute logarithm of the ratio; infinite where the two are not both positive numbers."""
    try:
        here, paper = float(deviation.here), float(deviation.paper)
    except ValueError:
        return math.inf
    return abs(math.log(here / paper)) if here > 0 and paper > 0 else math.inf
