"""Collapse: the embeddings shrink to a point, and the loss stays at the corresponding value.

Shape suffixes: R last embeddings that are looked at, D embedding.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from simclr_core.probes import effective_rank
from simclr_core.training.trace import Trace

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


def rank_of_directions(z_RD: Float[Tensor, "R D"]) -> float:
    """The effective rank of normalised rows, from 1 for equal rows to D for all directions alike.

    Of zeros alone, for which it is not defined, 1: they are one point, too.
    """
    rank = effective_rank(F.normalize(z_RD.detach().cpu().double(), dim=1))
    return 1.0 if math.isnan(rank) else rank


class _EndOfEpoch(NamedTuple):
    """What was on the device at the end of an epoch."""

    done: int
    value: float
    farthest: Tensor
    """How far from the collapsed value a loss of the epoch was, at most."""
    loss: Tensor
    last_RD: Tensor


class CollapseWatch:
    """At the end of each epoch after warm-up it says whether the training has collapsed.

    It has where, in every step of a whole epoch, the loss was within `NEAR` nats of its collapsed
    value, and the last embeddings of the trace have an effective rank under `FEWEST`. A loss alone
    does not tell: at a high temperature all embeddings pay about the same. An epoch's end costs a
    copy on the device; the host looks when it is asked to judge, and computes the rank only where
    the loss was near.
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
        self._resumed_at, self._earlier = 0, None
        self._unjudged: list[_EndOfEpoch] = []
        self._judged = False

    def end_step(self, done: int, trace: Trace) -> None:
        """After step number `done`, counted from 1, which the trace has recorded."""
        whole = done % self._steps_per_epoch == 0
        if self.found is not None or not whole or done - self._steps_per_epoch < self._warmup:
            return
        value = self._collapsed_value(trace.num_views)
        self._judged |= not math.isnan(value)
        farthest, last = self._farthest(done, trace), trace.last_embeddings(done)
        assert farthest is not None
        assert last is not None
        [loss] = trace.losses(done - 1, done)
        self._unjudged.append(_EndOfEpoch(done, value, farthest, loss, last))

    def judge(self) -> None:
        """Looks at the epochs that ended since it last did."""
        for epoch in self._unjudged:
            # Not a number is not near.
            if self.found is None and float(epoch.farthest) <= self._near_enough:
                rank = rank_of_directions(epoch.last_RD)
                if rank < FEWEST:
                    self.found = Collapse(epoch.done, rank, float(epoch.loss), epoch.value)
        self._unjudged.clear()

    def facts(self) -> dict[str, Any]:
        """`collapsed`, and `collapse` with the step and its values where it is true.

        Nothing where nothing could be judged: a loss without a known collapsed value, or a training
        that ended before a whole epoch after warm-up.
        """
        self.judge()
        if self.found is None:
            return {"collapsed": False} if self._judged else {}
        return {"collapsed": True, "collapse": self.found._asdict()}

    def state(self, done: int, trace: Trace) -> dict[str, Any]:
        """What a checkpoint holds of it and of the trace's embeddings."""
        self.judge()
        return {
            "found": None if self.found is None else list(self.found),
            "judged": self._judged,
            "farthest": self._farthest(done, trace),
            "last": trace.last_embeddings(done),
        }

    def restore(self, state: Mapping[str, Any], done: int, device: torch.device) -> None:
        """Goes on from a `state` after `done` steps."""
        found, farthest = state["found"], state["farthest"]
        self.found = None if found is None else Collapse(*found)
        self._judged, self._resumed_at = state["judged"], done
        self._earlier = None if farthest is None else farthest.to(device)

    def _farthest(self, done: int, trace: Trace) -> Tensor | None:
        """Of the epoch of step `done`, so far; a number on the device."""
        first = (done - 1) // self._steps_per_epoch * self._steps_per_epoch
        began = max(first, self._resumed_at)
        earlier = self._earlier if self._resumed_at > first else None
        if began == done:
            return earlier
        value = self._collapsed_value(trace.num_views)
        farthest = (trace.losses(began, done) - value).abs().max()
        return farthest if earlier is None else torch.maximum(earlier.to(farthest), farthest)
