"""Collapse: the embeddings shrink to a point, and the loss stays where that leaves it.

Shape suffixes: M views of a step, V views that are looked at, D embedding.
"""

import math
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from simclr_core.probes import effective_rank

VIEWS = 1024
"""The last so many views are looked at."""

FEWEST = 2.0
"""Below this effective rank the embeddings count as one point: 1 is a point or a line through 0."""

NEAR = 0.02
"""Nats between loss and collapsed value within which the loss counts as collapsed."""


class Collapse(NamedTuple):
    """When embeddings were found collapsed, and the numbers that say so."""

    step: int
    """Optimiser steps done: the end of the first epoch of which it was true."""

    effective_rank: float
    loss: float
    """Of the epoch's last step, in nats."""

    collapsed_value: float
    """What the loss pays where all embeddings are one, in nats."""


def rank_of_directions(z_VD: Float[Tensor, "V D"]) -> float:
    """The effective rank of normalised rows, from 1 for equal rows to D for all directions alike.

    Of zeros alone, for which it is not defined, 1: they are one point, too.
    """
    rank = effective_rank(F.normalize(z_VD.detach().cpu().double(), dim=1))
    return 1.0 if math.isnan(rank) else rank


class CollapseWatch:
    """Looks at each step, and at the end of each epoch after warm-up says whether it collapsed.

    It has where, in every step of a whole epoch, the loss was within `NEAR` nats of its collapsed
    value, and the last `VIEWS` embeddings have an effective rank under `FEWEST`. A loss alone does
    not tell: at a high temperature all embeddings pay about the same. A step costs no transfer
    from the device, and the rank is only computed where the loss has been near.
    """

    def __init__(
        self,
        collapsed_value: Callable[[int], float],
        steps_per_epoch: int,
        warmup_steps: int,
        multiple: float = 1,
    ) -> None:
        """`multiple` is how many means the loss adds up: as often `NEAR` counts."""
        self.found: Collapse | None = None
        """The first time; what comes later does not unmark it."""
        self._collapsed_value = collapsed_value
        self._steps_per_epoch, self._warmup = steps_per_epoch, warmup_steps
        self._near_enough = multiple * NEAR
        self._farthest: Tensor | None = None
        self._last = deque[Tensor]()
        self._judged = False

    def see(self, done: int, loss: Float[Tensor, ""], z_MD: Float[Tensor, "M D"]) -> None:
        """The loss and the embeddings of step number `done`, counted from 1; both detached."""
        if self.found is not None:
            return
        value = self._collapsed_value(len(z_MD))
        away = (loss - value).abs()
        if self._farthest is None or (done - 1) % self._steps_per_epoch == 0:
            self._farthest = away
        else:
            self._farthest = torch.maximum(self._farthest, away)
        self._last.append(z_MD[-VIEWS:])
        while sum(map(len, self._last)) - len(self._last[0]) >= VIEWS:
            self._last.popleft()
        whole = done % self._steps_per_epoch == 0
        after_warmup = whole and done - self._steps_per_epoch >= self._warmup
        self._judged |= after_warmup and not math.isnan(value)
        if after_warmup and self._near():
            rank = rank_of_directions(torch.cat(list(self._last))[-VIEWS:])
            if rank < FEWEST:
                self.found = Collapse(done, rank, float(loss), value)

    def _near(self) -> bool:
        # Not a number is not near.
        return self._farthest is not None and float(self._farthest) <= self._near_enough

    def facts(self) -> dict[str, Any]:
        """`collapsed`, and `collapse` with the step and its values where it is true.

        Nothing where nothing could be judged: a loss without a known collapsed value, or a training
        that ended before a whole epoch after warm-up.
        """
        if self.found is None:
            return {"collapsed": False} if self._judged else {}
        return {"collapsed": True, "collapse": self.found._asdict()}

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds of it."""
        return {
            "found": None if self.found is None else list(self.found),
            "judged": self._judged,
            "farthest": None if self._farthest is None else self._farthest.clone(),
            "last": torch.cat(list(self._last))[-VIEWS:].clone() if self._last else None,
        }

    def restore(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Goes on from a `state`."""
        found, farthest, last = state["found"], state["farthest"], state["last"]
        self.found = None if found is None else Collapse(*found)
        self._judged = state["judged"]
        self._farthest = None if farthest is None else farthest.to(device)
        self._last = deque() if last is None else deque([last.to(device)])
