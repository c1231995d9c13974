"""One optimiser step as a function of device tensors, after algorithm 1 of the paper.

All that a step depends on is on its device: how many steps were done, the epoch's order of images,
learning rates, weights and the optimiser's state. The host reads none of it. A GPU therefore never
waits for the host within a step, and can replay it as one graph (`capture.py`).

Shape suffixes: B images per step, E steps per epoch, V views, M = V B, D embedding.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from simclr_core.augment import draw_views
from simclr_core.chance import Chance, may_queue_copies
from simclr_core.config import Config
from simclr_core.data import Images
from simclr_core.networks import cached
from simclr_core.runtime import Execution, autocast
from simclr_core.training.batch_loss import BatchLoss
from simclr_core.training.trace import Trace


class Networks(NamedTuple):
    """Encoder and head, on the device."""

    encoder: nn.Module
    head: nn.Module

    @property
    def both(self) -> nn.ModuleList:
        """All weights that are trained."""
        return nn.ModuleList(self)


class StepResult(NamedTuple):
    """What a step leaves; where it is captured, the next step overwrites it."""

    loss: Float[Tensor, ""]
    """In nats, detached."""

    z_MD: Float[Tensor, "M D"]
    """The embeddings, detached."""


class Step:
    """The step of one training run: called once for each optimiser step."""

    def __init__(
        self,
        config: Config,
        execution: Execution,
        networks: Networks,
        images: Images,
        size: int,
        loss: BatchLoss,
        optimizer: torch.optim.Optimizer,
        rates: Sequence[float],
        trace: Trace,
    ) -> None:
        """`images` and the networks are on the device; `rates` are the learning rates of all steps."""
        self._config, self._execution = config, execution
        self._networks, self._images, self._size = networks, images, size
        self._loss, self._optimizer, self._trace = loss, optimizer, trace
        self._device = torch.device(execution.resolved_device)
        # In what the device's optimisers compute with.
        wide = torch.float64 if self._device.type == "cpu" else torch.float32
        self._rates = torch.tensor(rates, dtype=wide).to(self._device)
        self._rates_of_host, self._ran = rates, 0
        self._batch, self._steps_per_epoch = config.batch_size, len(images) // config.batch_size
        self._seed = config.seed_of("views")
        shape = self._steps_per_epoch, self._batch
        self._done = torch.zeros((), dtype=torch.int64, device=self._device)
        self._order_EB = torch.zeros(shape, dtype=torch.int64, device=self._device)
        self._partners_EVB: Tensor | None = None

    def begin(self, done: int) -> None:
        """Goes on after `done` steps; called before the first one, and where a state was loaded."""
        self._done.fill_(done)
        self._ran = done
        if self._device.type != "cpu" and self._config.optimizer.rate_on_device:
            # The groups of a loaded state hold the rate in the host's memory.
            keep_rate_on_device(self._optimizer, self._device)

    def allow_capture(self) -> None:
        """Lets the optimiser's next step be captured; afterwards AdamW warns of one that is not."""
        for group in self._optimizer.param_groups:
            if "capturable" in group:
                group["capturable"] = True

    def begin_epoch(self, order_EB: Int64[Tensor, "E B"], epoch: int) -> None:
        """Takes the epoch's order of images to the device, and the control's wrong partners."""
        queued = may_queue_copies(self._device)
        self._order_EB.copy_(order_EB, non_blocking=queued)
        first = epoch * self._steps_per_epoch
        num_views = self._config.views.num_views
        partners = [
            self._loss.partners(self._batch, num_views, first + step)
            for step in range(self._steps_per_epoch)
        ]
        found = [each for each in partners if each is not None]
        if found:
            if self._partners_EVB is None:
                shape = len(found), *found[0].shape
                self._partners_EVB = self._order_EB.new_empty(shape)
            self._partners_EVB.copy_(torch.stack(found), non_blocking=queued)

    def __call__(self) -> StepResult:
        """One update of weights, statistics and optimiser; the step's loss and embeddings."""
        epoch = self._done // self._steps_per_epoch
        at = (self._done - epoch * self._steps_per_epoch)[None]
        index_B = self._order_EB.index_select(0, at)[0]
        partners_VB = None
        if self._partners_EVB is not None:
            partners_VB = self._partners_EVB.index_select(0, at)[0]
        chance = Chance.of(self._seed, epoch, index_B)
        images, shapes = self._images.batch(index_B)
        views = draw_views(self._config.views, images, shapes, chance, self._size)
        x_M = torch.cat(views).contiguous(memory_format=self._execution.layout)
        self._set_rate()
        self._optimizer.zero_grad()
        result = self._backward(x_M, index_B, partners_VB)
        self._optimizer.step()
        self._trace.record(self._done, *result)
        self._done.add_(1)
        return result

    def _backward(self, x_M: Tensor, index_B: Tensor, partners_VB: Tensor | None) -> StepResult:
        """Adds the gradients of the views' loss."""
        config, (encoder, head) = self._config, self._networks
        chunk = config.gradient_cache
        if chunk is not None:
            loss, z_MD = cached(
                lambda x: head(encoder(x)),
                self._networks.both,
                x_M,
                lambda z: self._loss(z, index_B, partners_VB),
                len(index_B),
                chunk,
                lambda: autocast(config.precision, self._device),
            )
            return StepResult(loss, z_MD)
        with autocast(config.precision, self._device):
            z_MD = head(encoder(x_M))
            loss = self._loss(z_MD, index_B, partners_VB)
        loss.backward()
        return StepResult(loss.detach(), z_MD.detach())

    def _set_rate(self) -> None:
        """Sets each group's rate: on the device, or a float where the step is never captured."""
        rate = self._rates.index_select(0, self._done[None])[0]
        for group in self._optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].copy_(rate)
            else:
                # A replay would not count, nor set it again.
                group["lr"] = self._rates_of_host[self._ran]
        self._ran += 1


def keep_rate_on_device(optimizer: torch.optim.Optimizer, device: torch.device) -> None:
    """Makes each group's learning rate a number on the device, which a captured step can read.

    One that is there stays where it is: a captured step goes on writing to its memory.
    """
    for group in optimizer.param_groups:
        rate = group["lr"]
        if not isinstance(rate, Tensor) or rate.device.type != device.type:
            group["lr"] = torch.zeros((), device=device)
