"""Pre-training: algorithm 1 of the paper, and the random encoder that is its floor.

Shape suffixes: B images a step, M views of them, 2B or more (i, i + B, i + 2B, ... show one image).
"""

import time
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from simclr_core.augment import draw_views
from simclr_core.callbacks import Curve, Observer
from simclr_core.chance import Chance
from simclr_core.config import Config
from simclr_core.data import Dataset
from simclr_core.errors import ConfigurationError
from simclr_core.evaluation import estimate_statistics
from simclr_core.networks import cached, recompute_blocks
from simclr_core.plugins import files_of
from simclr_core.runtime import Execution, autocast
from simclr_core.seeds import generator, global_chance
from simclr_core.training.batch_loss import BatchLoss
from simclr_core.training.checkpoint import CheckpointManager, Checkpoints, identity
from simclr_core.training.monitor import Monitor


class Pretrained(NamedTuple):
    """A finished encoder."""

    state: dict[str, Tensor]
    """Weights and batch norm statistics of f, on the CPU."""

    head: dict[str, Tensor] | None
    """Those of g, to evaluate its layers; None where nothing was trained."""

    steps: int
    """Optimiser steps behind it."""

    seconds: float
    """Of pre-training, over all processes that the run was resumed in, up to their checkpoints."""

    num_parameters: int
    """Of f."""

    facts: dict[str, Any]


def pretrain(
    config: Config,
    dataset: Dataset,
    execution: Execution | None = None,
    observer: Observer | None = None,
    checkpoints: Checkpoints | None = None,
) -> Pretrained:
    """The encoder of a configuration, fitted to the training images without their labels.

    A supervised loss is the exception: it is given the labels of the fit split and sees the images of
    that part alone, so that choices on the validation split stay honest. Without labels in the data
    set no k-NN accuracy is logged; nothing else differs.

    With 0 epochs it is the random encoder: the initialisation of pre-training with batch norm
    statistics of the training images. An encoder that the observer stopped is returned as it is.

    With `checkpoints` the run resumes from the last one and saves others, one more where the observer
    stops it. A resumed run is bit-identical to an uninterrupted one, the logged curve included (on a
    CPU; `pairs_per_second` is wall time). With a custom component, whose memory no checkpoint holds,
    it starts from scratch.

    Raises:
        ConfigurationError: the batch is larger than the data set, or there is no such device.
        Diverged: the loss or a weight is not finite.
    """
    execution = execution or Execution()
    observer = Curve() if observer is None else observer
    config = config.resolved(execution.resolved_device)
    tests_read = dataset.reads["test"]
    seed = config.seed_of("initialisation")
    with execution.in_force(), global_chance(seed, "pre-training"):
        began, earlier = time.perf_counter(), 0.0
        encoder = execution.place(config.encoder.build(seed, dataset.size))
        steps, left_out, facts, head = 0, 0, {}, None
        if config.epochs == 0:
            images = dataset.pretraining_images()
            estimate_statistics(config, encoder, images, dataset.size, execution)
            observer.progress(1, 1)
        else:
            training = _Training(config, dataset, encoder, execution, observer, checkpoints)
            steps, left_out = training.run(), training.num_images % config.batch_size
            earlier, facts, head = training.earlier_seconds, training.facts(), training.head
        seconds = time.perf_counter() - began + earlier
    facts = {
        "device": execution.resolved_device,
        "precision": config.precision,
        "images_left_out_of_each_epoch": left_out,
        "labels_seen": "train" if config.loss.sees_labels and config.epochs else "none",
        "test_reads_in_pretraining": dataset.reads["test"] - tests_read,
        **facts,
    }
    num_parameters = sum(p.numel() for p in encoder.parameters())
    head_state = None if head is None else _state(head)
    return Pretrained(_state(encoder), head_state, steps, seconds, num_parameters, facts)


def _state(network: nn.Module) -> dict[str, Tensor]:
    return {name: one.detach().cpu().clone() for name, one in network.state_dict().items()}


class _Training:
    """One pre-training run."""

    def __init__(
        self,
        config: Config,
        dataset: Dataset,
        encoder: nn.Module,
        execution: Execution,
        observer: Observer,
        checkpoints: Checkpoints | None,
    ) -> None:
        self._began = time.perf_counter()
        self._config, self._encoder, self._size = config, encoder, dataset.size
        self._execution, self._observer = execution, observer
        self._device = torch.device(execution.resolved_device)
        self._loss = BatchLoss(config, dataset, self._device)
        self._images = self._loss.images.to(self._device)
        self.num_images = len(self._images)
        self._steps_per_epoch = self.num_images // config.batch_size
        if not self._steps_per_epoch:
            raise ConfigurationError(
                f"batch_size: must be at most the number of training images, got"
                f" {config.batch_size} of {self.num_images}; lower batch_size or take more images"
            )
        self._steps = config.epochs * self._steps_per_epoch
        if execution.recompute and not recompute_blocks(encoder):
            raise ConfigurationError(
                f"recompute: encoder {config.encoder.kind} has no blocks to recompute; leave it out,"
                " or set gradient_cache"
            )
        head = config.head.build(config.encoder.num_features, config.seed_of("initialisation"))
        self.head = execution.place(head)
        self._optimizer = config.optimizer.build(nn.ModuleList([encoder, head]))
        self._peak = config.optimizer.peak(config.batch_size)
        steps = self._steps, self._steps_per_epoch
        self._monitor = Monitor(config, dataset, execution, observer, steps, self._rate)
        self._resumed_at: list[int] = []
        self.earlier_seconds = 0.0
        """Of earlier processes, up to the checkpoints that were resumed."""
        # What a custom component remembers of a run is in no state of ours.
        custom = any(True for _ in files_of(config.model_dump(mode="json")))
        self._checkpoints = CheckpointManager(
            None if custom else checkpoints,
            identity(config, dataset.fingerprint, execution),
            execution.checkpoint_seconds,
        )

    def run(self) -> int:
        """The optimiser steps done; fewer than planned where the observer stopped it."""
        self._encoder.train()
        self.head.train()
        done = self._resume()
        for epoch in range(done // self._steps_per_epoch, self._config.epochs):
            for index in self._order(epoch)[done - epoch * self._steps_per_epoch :]:
                self._monitor.begin_step()
                loss, z = self._step(done, epoch, index)
                done += 1
                self._monitor.end_step(done, loss, z, self._encoder)
                self._observer.progress(done, self._steps)
                stop = self._observer.should_stop()
                self._checkpoints.save(lambda at=done: self._state(at), at_once=stop)
                if stop:
                    return done
        self._monitor.finish(self._encoder)
        return done

    def facts(self) -> dict[str, Any]:
        """Whether it collapsed, and the steps at which it was resumed."""
        resumed = {"resumed_at_step": self._resumed_at} if self._resumed_at else {}
        return {**self._monitor.facts(), **resumed}

    def _state(self, done: int) -> dict[str, Any] | None:
        """All that the rest of the run depends on; None where the run has already diverged.

        Chance has no state: it depends on seeds, epoch and image alone.
        """
        if not self._monitor.finite():
            return None
        return {
            "step": done,
            "resumed_at": self._resumed_at,
            "seconds": self.earlier_seconds + time.perf_counter() - self._began,
            "encoder": self._encoder.state_dict(),
            "head": self.head.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            **self._monitor.state(),
        }

    def _resume(self) -> int:
        """The step of the checkpoint that was restored, 0 where there is none."""
        state = self._checkpoints.restore()
        if state is None:
            return 0
        done: int = state["step"]
        self._encoder.load_state_dict(state["encoder"])
        self.head.load_state_dict(state["head"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._resumed_at = [*state["resumed_at"], done]
        self.earlier_seconds = state["seconds"]
        self._monitor.restore(state, done, self._device)
        self._observer.progress(done, self._steps)
        return done

    def _order(self, epoch: int) -> list[Tensor]:
        """The epoch's batches: all images in an order of its own, the rest below B left out."""
        rng = generator(self._config.seed_of("order"), "order", epoch)
        order = torch.randperm(self.num_images, generator=rng)
        return list(order.split(self._config.batch_size))[: self._steps_per_epoch]

    def _step(self, step: int, epoch: int, index: Tensor) -> tuple[Tensor, Tensor]:
        """One update on the images at `index`; the loss in nats and the embeddings z [M, D]."""
        chance = Chance.of(self._config.seed_of("views"), epoch, index)
        images, shapes = self._images.batch(index)
        views = draw_views(self._config.views, images, shapes, chance, self._size)
        x_M = torch.cat(views).contiguous(memory_format=self._execution.layout)
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate(step)
        self._optimizer.zero_grad()
        loss, z_MD = self._backward(x_M, index, step)
        self._optimizer.step()
        return loss, z_MD

    def _backward(self, x_M: Tensor, index: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """Adds the gradients of the views' loss; the loss and the embeddings z [M, D]."""
        chunk = self._config.gradient_cache
        if chunk is not None:
            return cached(
                lambda x: self.head(self._encoder(x)),
                nn.ModuleList([self._encoder, self.head]),
                x_M,
                lambda z: self._loss(z, index, step),
                len(index),
                chunk,
                lambda: autocast(self._config.precision, self._device),
            )
        with autocast(self._config.precision, self._device):
            z_MD = self.head(self._encoder(x_M))
            loss = self._loss(z_MD, index, step)
        loss.backward()
        return loss.detach(), z_MD.detach()

    def _rate(self, step: int) -> float:
        share = self._config.schedule.share(step, self._steps, self._steps_per_epoch)
        return self._peak * share
