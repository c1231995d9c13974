"""Divergence: losses and weights that are no longer numbers, and the step where it began."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from simclr_core.errors import Diverged

_WAY_OUT = "lower optimizer.learning_rate or warm up longer"


class DivergenceWatch:
    """Holds the losses of the steps since it last looked; no step in between goes unseen.

    They stay on the device until then: asked at each step, a GPU would wait for its driver.
    """

    def __init__(self, num_steps: int, rate: Callable[[int], float]) -> None:
        """`rate` is the learning rate of step 0, 1, ..."""
        self._num_steps, self._rate = num_steps, rate
        self._unseen: list[Tensor] = []

    def see(self, loss: Tensor) -> None:
        """The loss of the next step, detached."""
        self._unseen.append(loss)

    def numbers(self) -> bool:
        """Whether all losses that it holds are numbers."""
        return not self._unseen or bool(torch.stack(self._unseen).isfinite().all())

    def check(self, done: int) -> None:
        """Looks at all it holds, the last being that of step `done`, counted from 1.

        Raises:
            Diverged: a loss is not a number or infinite; the text names the first such step.
        """
        losses = torch.stack(self._unseen).tolist()
        self._unseen.clear()
        for step, loss in enumerate(losses, start=done - len(losses) + 1):
            if not math.isfinite(loss):
                raise Diverged(
                    f"the loss is {loss} at step {step} of {self._num_steps}, with learning rate "
                    f"{self._rate(step - 1):.3g}; {_WAY_OUT}"
                )

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
