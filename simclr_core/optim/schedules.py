"""How the learning rate moves over the steps, as a share of its peak."""

import math
from typing import Annotated, Literal

from pydantic import Field

from simclr_core.base import Frozen
from simclr_core.plugins import FileSchedule


class WarmupCosine(Frozen):
    """Rises linearly from 0, then falls along half a cosine to 0, without restarts (paper, 2.3).

    As in the official code the first step has rate 0, and 0 at the end is reached one step after
    the last. Steps are those of whole batches in each epoch; the official code counts over all epochs
    together, remainders included: 31,279 steps and 3,127 of warm-up in place of 31,200 and 3,120 on
    ImageNet at a batch of 4096 for 100 epochs.
    """

    kind: Literal["warmup_cosine"] = "warmup_cosine"

    warmup_epochs: float = Field(default=10.0, ge=0, allow_inf_nan=False)
    """How long the rate rises; rounded to whole steps of the true batch."""

    def share(self, step: int, num_steps: int, steps_per_epoch: int) -> float:
        """The rate of step 0, 1, ... num_steps - 1 in units of the peak, 0 to 1."""
        warmup = self.warmup_steps(steps_per_epoch)
        if step < warmup:
            return step / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, num_steps - warmup)))

    def warmup_steps(self, steps_per_epoch: int) -> int:
        """Steps before the one that has the peak's rate."""
        return round(self.warmup_epochs * steps_per_epoch)


class Constant(Frozen):
    """The peak from the first step to the last."""

    kind: Literal["constant"] = "constant"

    def share(self, step: int, num_steps: int, steps_per_epoch: int) -> float:  # noqa: ARG002 -- the family's form
        """1 at every step."""
        return 1.0

    def warmup_steps(self, steps_per_epoch: int) -> int:  # noqa: ARG002 -- the family's form
        """None."""
        return 0


AnySchedule = Annotated[WarmupCosine | Constant | FileSchedule, Field(discriminator="kind")]
