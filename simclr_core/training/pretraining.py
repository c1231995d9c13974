"""Pre-training: algorithm 1 of the paper, and the random encoder that is its floor.

Shape suffixes: B images per step, E steps per epoch.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from simclr_core.callbacks import Curve, Observer
from simclr_core.config import Config
from simclr_core.data import Dataset
from simclr_core.errors import ConfigurationError
from simclr_core.evaluation import estimate_statistics
from simclr_core.networks import recompute_blocks
from simclr_core.plugins import files_of
from simclr_core.runtime import Execution
from simclr_core.seeds import KeepsChance, generator, global_chance
from simclr_core.training.batch_loss import BatchLoss
from simclr_core.training.capture import CapturedStep, cuda_graph, why_eager
from simclr_core.training.checkpoint import CheckpointManager, Checkpoints, identity
from simclr_core.training.monitor import Monitor
from simclr_core.training.step import Networks, Step, StepResult
from simclr_core.training.trace import Trace


class Pretrained(NamedTuple):
    """A finished encoder."""

    state: dict[str, Tensor]
    """Weights and batch norm statistics of f, on the CPU."""

    head: dict[str, Tensor] | None
    """Weights and statistics of g, to evaluate its layers; None if nothing was trained."""

    steps: int
    """The number of optimiser steps."""

    seconds: float
    """Of pre-training, over all processes that the run was resumed in, up to their checkpoints; without
    the time that the observer took to say whether to stop, in which other runs of the process run."""

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
    that part alone, so that choices on the validation split stay honest. If the data set has no labels,
    no k-NN accuracy is logged; nothing else differs.

    With 0 epochs it is the random encoder: the initialisation of pre-training with batch norm
    statistics of the training images. An encoder that the observer stopped is returned as it is.

    With `checkpoints` the run resumes from the last one and saves new ones, including one when the
    observer stops it. A resumed run is bit-identical to an uninterrupted one, the logged curve included
    (on a CPU; `pairs_per_second` is wall time). With a custom component, whose memory no checkpoint
    holds, it starts from scratch.

    Raises:
        ConfigurationError: the batch is larger than the data set, or there is no such device.
        Diverged: the loss or a weight is not finite.
    """
    execution = execution or Execution()
    observer = Curve() if observer is None else observer
    config = config.resolved(execution.resolved_device)
    tests_read = dataset.reads["test"]
    seed = config.seed_of("initialisation")
    with execution.in_force(), global_chance(seed, "pre-training"), execution.own_stream():
        began, elsewhere = time.perf_counter(), 0.0
        encoder = execution.place(config.encoder.build(seed, dataset.size))
        steps, left_out, facts, head = 0, 0, {}, None
        if config.epochs == 0:
            images = dataset.pretraining_images()
            estimate_statistics(config, encoder, images, dataset.size, execution)
            observer.progress(1, 1)
        else:
            training = Training(config, dataset, encoder, execution, observer, checkpoints)
            steps, left_out = training.run(), training.num_images % config.batch_size
            elsewhere, facts, head = training.seconds_elsewhere, training.facts(), training.head
        seconds = time.perf_counter() - began + elsewhere
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


class Training:
    """One pre-training run.

    Nothing in it refers back to it: what it holds on a GPU is free with the last reference to it.
    """

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
        custom = any(files_of(config.model_dump(mode="json")))
        self._config = config
        self._observer = KeepsChance(observer) if custom else observer
        self._device = torch.device(execution.resolved_device)
        loss = BatchLoss(config, dataset, self._device)
        self.num_images = len(loss.images)
        self._steps_per_epoch = self.num_images // config.batch_size
        if not self._steps_per_epoch:
            raise ConfigurationError(
                "batch_size: must be at most the number of training images, got "
                f"{config.batch_size} of {self.num_images}; lower batch_size or use more images"
            )
        self._steps = config.epochs * self._steps_per_epoch
        if execution.recompute and not recompute_blocks(encoder):
            raise ConfigurationError(
                f"recompute: encoder {config.encoder.kind} has no blocks to recompute; leave "
                "recompute out, or set gradient_cache"
            )
        head = config.head.build(config.encoder.num_features, config.seed_of("initialisation"))
        self._networks = Networks(encoder.train(), execution.place(head).train())
        self._optimizer = config.optimizer.build(self._networks.both)
        self._peak = config.optimizer.peak(config.batch_size)
        self._trace = Trace(self._steps, self._device)
        rates = self._rates()
        about = (self._steps, self._steps_per_epoch), rates.__getitem__, self._trace
        self._monitor = Monitor(config, dataset, execution, observer, *about)
        self.step = Step(
            config,
            execution,
            self._networks,
            loss.images.to(self._device),
            dataset.size,
            loss,
            self._optimizer,
            rates,
            self._trace,
        )
        self._why_eager = why_eager(config, execution, one_shape=loss.images.of_one_shape)
        self.advance = self._captured()
        """The next step: run kernel by kernel, or captured and replayed."""
        self._resumed_at, self._replayed_before = list[int](), 0
        self.seconds_elsewhere = 0.0
        """Of earlier processes, up to the checkpoints that were resumed, less those of this process in
        which other runs ran."""
        # What a custom component remembers of a run is in no state of ours.
        self._checkpoints = CheckpointManager(
            None if custom else checkpoints,
            identity(config, dataset.fingerprint, execution),
            execution.checkpoint_seconds,
        )

    def _captured(self) -> Callable[[], StepResult]:
        """The step as this device runs it."""
        if self._device.type != "cuda" or self._why_eager is not None:
            return self.step
        return CapturedStep(self.step, cuda_graph)

    @property
    def encoder(self) -> nn.Module:
        """The encoder in training."""
        return self._networks.encoder

    @property
    def head(self) -> nn.Module:
        """The trained head."""
        return self._networks.head

    @property
    def why_eager(self) -> str | None:
        """Why its steps are run kernel by kernel; None where a graph is replayed."""
        if self._device.type != "cuda":
            return f"graphs are captured on cuda, not on {self._device.type}"
        return self.advance.failure if isinstance(self.advance, CapturedStep) else self._why_eager

    @property
    def captured_steps(self) -> int:
        """Steps that were replayed as one graph, over all processes that the run was resumed in."""
        advance = self.advance
        here = advance.replayed if isinstance(advance, CapturedStep) else 0
        return self._replayed_before + here

    def losses(self, done: int) -> Tensor:
        """The losses of the first `done` steps, as far as they were done in this process."""
        return self._trace.losses(0, done)

    def run(self) -> int:
        """The optimiser steps done; fewer than planned where the observer stopped it."""
        done = self._resume()
        self.step.begin(done)
        for epoch in range(done // self._steps_per_epoch, self._config.epochs):
            self.begin_epoch(epoch)
            for _ in range(done - epoch * self._steps_per_epoch, self._steps_per_epoch):
                self._monitor.begin_step()
                result = self.advance()
                done += 1
                self._observer.progress(done, self._steps)
                # Other trials of this process run in there: a GPU is waited for only afterwards.
                stop = self._should_stop()
                self._monitor.end_step(done, result, self._networks.encoder)
                self._checkpoints.save(lambda at=done: self._state(at), at_once=stop)
                if stop:
                    return done
        self._monitor.finish(self._networks.encoder)
        return done

    def _should_stop(self) -> bool:
        """Whether the observer says so; the time until it does is that of other runs."""
        began = time.perf_counter()
        stop = self._observer.should_stop()
        self.seconds_elsewhere -= time.perf_counter() - began
        return stop

    def begin_epoch(self, epoch: int) -> None:
        """All images in an order of the epoch's own, the rest below B left out."""
        rng = generator(self._config.seed_of("order"), "order", epoch)
        order = torch.randperm(self.num_images, generator=rng)
        whole = self._steps_per_epoch * self._config.batch_size
        self.step.begin_epoch(order[:whole].view(self._steps_per_epoch, -1), epoch)

    def facts(self) -> dict[str, Any]:
        """Whether it collapsed, how its steps ran, and those at which it was resumed."""
        ran = {"captured_steps": self.captured_steps, "why_eager": self.why_eager}
        resumed = {"resumed_at_step": self._resumed_at} if self._resumed_at else {}
        return {**self._monitor.facts(), **ran, **resumed}

    def _state(self, done: int) -> dict[str, Any] | None:
        """All that the rest of the run depends on; None where the run has already diverged.

        Chance has no state: it depends on seeds, epoch and image alone.
        """
        if not self._monitor.finite(done):
            return None
        return {
            "step": done,
            "resumed_at": self._resumed_at,
            "captured_steps": self.captured_steps,
            "seconds": self.seconds_elsewhere + time.perf_counter() - self._began,
            "encoder": self._networks.encoder.state_dict(),
            "head": self._networks.head.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            **self._monitor.state(done),
        }

    def _resume(self) -> int:
        """The step of the checkpoint that was restored, 0 where there is none."""
        state = self._checkpoints.restore()
        if state is None:
            return 0
        done: int = state["step"]
        self._networks.encoder.load_state_dict(state["encoder"])
        self._networks.head.load_state_dict(state["head"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._resumed_at = [*state["resumed_at"], done]
        self._replayed_before = state["captured_steps"]
        self.seconds_elsewhere += state["seconds"]
        self._trace.begin(done, state["collapse"]["last"])
        self._monitor.restore(state, done, self._device)
        self._observer.progress(done, self._steps)
        return done

    def _rates(self) -> list[float]:
        """The learning rates of all steps."""
        share, steps = self._config.schedule.share, (self._steps, self._steps_per_epoch)
        return [self._peak * share(step, *steps) for step in range(self._steps)]
