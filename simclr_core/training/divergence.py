"""Divergence: losses and weights that are no longer numbers, and the step where it began."""

import math
from collections.abc import Callable

from torch import Tensor, nn

from simclr_core.errors import Diverged
from simclr_core.training.trace import Trace

_WAY_OUT = "lower optimizer.learning_rate or warm up longer"


class DivergenceWatch:
    """Looks at the losses of all steps since it last looked; none goes unseen."""

    def __init__(self, num_steps: int, rate: Callable[[int], float]) -> None:
        """`rate` is the learning rate of step 0, 1, ..."""
        self._num_steps, self._rate = num_steps, rate
        self._seen = 0

    def begin(self, done: int) -> None:
        """Goes on after `done` steps."""
        self._seen = done

    def unseen(self, done: int, trace: Trace) -> Tensor:
        """The losses of the steps since it last looked, `done` the last: a copy on the device."""
        return trace.losses(self._seen, done)

    def check(self, losses: Tensor) -> None:
        """Looks at what was `unseen`.

        Raises:
            Diverged: a loss is not a number or infinite; the text names the first such step.
        """
        for step, loss in enumerate(losses.tolist(), start=self._seen + 1):
            if not math.isfinite(loss):
                raise Diverged(
                    f"the loss is {loss} at step {step} of {self._num_steps}, with learning rate "
                    f"{self._rate(step - 1):.3g}; {_WAY_OUT}"
                )
        self._seen += len(losses)

    def check_weights(self, encoder: nn.Module) -> None:
        """Looks at a finished encoder: after the last update no loss would show what that did.

        Raises:
            Diverged: a weight or a statistic of batch norm is not finite; the text names it.
        """
        for name, one in encoder.state_dict().items():
            if not one.isfinite().all():
                raise Diverged(
                    f"{name} is no longer finite after step {self._num_steps} of "
                    f"{self._num_steps}; {_WAY_OUT}"
                )
