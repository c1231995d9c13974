"""The learning rate over the steps, as a share of its peak."""

import math
from abc import abstractmethod
from numbers import Real
from typing import Annotated, Any, Literal

from pydantic import Field

from simclr_core.base import Frozen, disagreement
from simclr_core.plugins import FromFile


class Schedule(Frozen):
    """The contract of a schedule. A member overrides what differs from these defaults."""

    @abstractmethod
    def share(self, step: int, num_steps: int, steps_per_epoch: int) -> float:
        """The rate of step 0, 1, ... num_steps - 1 in units of the peak; at least 0."""

    def warmup_steps(self, steps_per_epoch: int) -> int:
        """The number of steps before the peak; collapse is checked after them."""
        del steps_per_epoch
        return 0

    def check_epochs(self, epochs: int) -> None:
        """Whether it fits into so many epochs, as a validator of pydantic."""


class WarmupCosine(Schedule):
    """Rises linearly from 0, then falls along half a cosine to 0, without restarts (paper, 2.3).

    As in the official code the first step has rate 0, and 0 at the end is reached one step after
    the last. Steps are those of whole batches in each epoch; the official code counts over all epochs
    together, remainders included: 31,279 steps and 3,127 of warm-up instead of 31,200 and 3,120 on
    ImageNet at a batch of 4096 for 100 epochs.
    """

    kind: Literal["warmup_cosine"] = "warmup_cosine"

    warmup_epochs: float = Field(default=10.0, ge=0, allow_inf_nan=False)
    """Epochs in which the rate rises; rounded to whole steps of the actual batch."""

    def share(self, step: int, num_steps: int, steps_per_epoch: int) -> float:
        warmup = self.warmup_steps(steps_per_epoch)
        if step < warmup:
            return step / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, num_steps - warmup)))

    def warmup_steps(self, steps_per_epoch: int) -> int:
        return round(self.warmup_epochs * steps_per_epoch)

    def check_epochs(self, epochs: int) -> None:
        if 0 < epochs < self.warmup_epochs:
            raise disagreement(
                "schedule.warmup_epochs must not exceed epochs, got {warmup} of {epochs}",
                *("schedule", "epochs"),
                warmup=self.warmup_epochs,
                epochs=epochs,
            )


class Constant(Schedule):
    """A constant rate from the first step to the last."""

    kind: Literal["constant"] = "constant"

    def share(self, step: int, num_steps: int, steps_per_epoch: int) -> float:
        del step, num_steps, steps_per_epoch
        return 1.0


class FileSchedule(FromFile, Schedule):
    """A custom schedule: ``share(step, num_steps, steps_per_epoch, **options) -> float``.

    The rate of step 0, 1, ... num_steps - 1 in units of the peak: finite, and not below 0.
    """

    def share(self, step: int, num_steps: int, steps_per_epoch: int) -> float:
        with self.blamed():
            share: Any = self.function(step, num_steps, steps_per_epoch)
        if not isinstance(share, Real) or not 0 <= float(share) < math.inf:
            raise self.refused(
                f"must return a finite number of at least 0, got {share!r} at step {step}"
            )
        return float(share)


AnySchedule = Annotated[WarmupCosine | Constant | FileSchedule, Field(discriminator="kind")]
