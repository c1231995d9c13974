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
from simclr_core.losses import (
    CrossEntropy,
    Labelled,
    NTXent,
    contrastive_accuracy,
    contrastive_entropy,
)
from simclr_core.networks import cached
from simclr_core.plugins import files_of
from simclr_core.runtime import Execution, autocast
from simclr_core.seeds import generator, global_chance
from simclr_core.training.checkpoint import Checkpoints, Keeper, identity
from simclr_core.training.collapse import CollapseWatch
from simclr_core.training.divergence import DivergenceWatch
from simclr_core.training.knn_monitor import KNN, POINTS, OnlineKnn
from simclr_core.training.shuffled_positives import another, with_wrong_positives

_TOLD = 200
"""How often, about, the metrics of a step are told."""


class Pretrained(NamedTuple):
    """A finished encoder."""

    state: dict[str, Tensor]
    """Weights and batch norm statistics of f, on the CPU."""

    head: dict[str, Tensor] | None
    """Those of g, for read-outs of its layers; None where nothing was trained."""

    steps: int
    """Optimiser steps behind it."""

    seconds: float
    """Of pre-training, in all processes that took part as far as the next one went on from them."""

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

    A loss that says `labels: train` is the exception: it is handed the labels of the fit part and
    sees that part's images alone, so that what is chosen on the validation part stays honest.

    Of a data set without labels no nearest neighbours are told on the way; nothing else differs.

    With 0 epochs it is the random encoder: the initialisation that pre-training would start from,
    with batch norm statistics of the training images. An encoder that the observer stopped comes
    back as it is.

    With `checkpoints` it goes on from the last one and leaves others on its way, one more where the
    observer says stop: what comes out, the curve told to the observer included, has the bits of a
    training without a break (on a CPU; `pairs_per_second` is wall time). With a part of the user's
    own, whose memory no checkpoint holds, it begins anew.

    Raises:
        ConfigurationError: the batch is larger than the data set, or the device is not here.
        Diverged: the loss or a weight is no longer a number.
    """
    execution = execution or Execution()
    observer = Curve() if observer is None else observer
    config = config.resolved(execution.resolved_device)
    tests_read = dataset.reads["test"]
    with execution.in_force(), global_chance(config.seed_of("initialisation"), "pre-training"):
        began = time.perf_counter()
        network = config.encoder.build(config.seed_of("initialisation"), dataset.size)
        encoder = execution.place(network)
        images = dataset.pretraining_images()
        if config.epochs == 0:
            estimate_statistics(config, encoder, images, dataset.size, execution)
            observer.progress(1, 1)
            steps, left_out, earlier, facts, head = 0, 0, 0.0, {}, None
        else:
            training = _Training(config, dataset, encoder, execution, observer, checkpoints)
            steps = training.run()
            left_out = training.num_images % config.batch_size
            earlier, facts, head = training.earlier_seconds, training.facts(), training.head
        seconds = time.perf_counter() - began + earlier
    return Pretrained(
        state=_state(encoder),
        head=None if head is None else _state(head),
        steps=steps,
        seconds=seconds,
        num_parameters=sum(p.numel() for p in encoder.parameters()),
        facts={
            "device": execution.resolved_device,
            "precision": config.precision,
            "images_left_out_of_each_epoch": left_out,
            "labels_seen": "train"
            if isinstance(config.loss, Labelled) and config.epochs
            else "none",
            "test_reads_in_pretraining": dataset.reads["test"] - tests_read,
            **facts,
        },
    )


def _state(network: nn.Module) -> dict[str, Tensor]:
    return {name: one.detach().cpu().clone() for name, one in network.state_dict().items()}


class _Training:
    """One pre-training on its way."""

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
        self._config, self._encoder = config, encoder
        self._execution, self._observer = execution, observer
        self._device = torch.device(execution.resolved_device)
        self._labels: Tensor | None = None
        if isinstance(config.loss, Labelled):
            if not dataset.labels_known:
                raise ConfigurationError(
                    f"loss: {config.loss.kind} needs the labels of training images, and "
                    f"{dataset.name} has none; hand them over, or take a loss without labels"
                )
            _check_classes(config, dataset)
            images, labels, _ = dataset.labelled("fit")
            self._labels = labels.to(self._device)
        else:
            images = dataset.pretraining_images()
        self._images = images.to(self._device)
        self.num_images = len(images)
        self._size, self._num_classes = dataset.size, dataset.num_classes
        self._steps_per_epoch = len(self._images) // config.batch_size
        if not self._steps_per_epoch:
            raise ConfigurationError(
                f"batch_size: must be at most the number of training images, got"
                f" {config.batch_size} of {len(self._images)}; lower batch_size or take more images"
            )
        self._steps = config.epochs * self._steps_per_epoch
        if execution.recompute:
            if not hasattr(encoder, "recompute"):
                raise ConfigurationError(
                    f"recompute: encoder {config.encoder.kind} has no blocks to compute anew; leave"
                    " it out, or set gradient_cache"
                )
            setattr(encoder, "recompute", True)  # noqa: B010 -- torch types attributes as tensors
        head = config.head.build(config.encoder.num_features, config.seed_of("initialisation"))
        self.head = execution.place(head)
        self._optimizer = config.optimizer.build(nn.ModuleList([encoder, head]))
        self._peak = config.optimizer.peak(config.batch_size)
        self._curve = OnlineKnn(config, dataset, execution)
        self._divergence = DivergenceWatch(self._steps, self._rate)
        self._collapse = CollapseWatch(
            config.loss.collapsed_value,
            self._steps_per_epoch,
            config.schedule.warmup_steps(self._steps_per_epoch),
            getattr(config.loss, "multiple", 1),
        )
        self._rows: dict[int, dict[str, float]] = {}
        self._resumed_at: list[int] = []
        self.earlier_seconds = 0.0
        """Of the processes before this one, up to the checkpoints that were gone on from."""
        # What a part of the user's own remembers of a training is in no state of ours.
        own = any(True for _ in files_of(config.model_dump(mode="json")))
        self._keeper = Keeper(
            None if own else checkpoints,
            identity(config, dataset.fingerprint, execution),
            execution.checkpoint_seconds,
        )

    def run(self) -> int:
        """The optimiser steps done; fewer than planned where the observer said stop."""
        every = max(1, self._steps // _TOLD)
        points = {round(self._steps * i / POINTS) for i in range(1, POINTS + 1)}
        self._encoder.train()
        self.head.train()
        done = self._go_on()
        seconds, told = 0.0, done
        for epoch in range(done // self._steps_per_epoch, self._config.epochs):
            for index in self._order(epoch)[done - epoch * self._steps_per_epoch :]:
                began = time.perf_counter()
                tell = done % every == 0 or done + 1 == self._steps
                loss, z = self._step(done, epoch, index)
                done += 1
                self._divergence.see(loss)
                self._collapse.see(done, loss, z)
                if tell:
                    values = {
                        "loss": float(loss),
                        **self._matching(z),
                        "learning_rate": self._rate(done - 1),
                    }
                    seconds += time.perf_counter() - began
                    rate = (done - told) * self._config.batch_size / seconds
                    self._tell(done, {**values, "pairs_per_second": rate})
                    seconds, told = 0.0, done
                    self._divergence.check(done)
                else:
                    seconds += time.perf_counter() - began
                if done in points:
                    self._tell(done, self._curve.accuracy(self._encoder))
                self._observer.progress(done, self._steps)
                stop = self._observer.should_stop()
                self._keeper.keep(lambda at=done: self._state(at), at_once=stop)
                if stop:
                    return done
        self._divergence.check_weights(self._encoder)
        return done

    def facts(self) -> dict[str, Any]:
        """Whether it collapsed, and the steps at which it went on after a break."""
        resumed = {"resumed_at_step": self._resumed_at} if self._resumed_at else {}
        return {**self._collapse.facts(), **resumed}

    def _tell(self, done: int, values: dict[str, float]) -> None:
        self._rows.setdefault(done, {}).update(values)
        self._observer.metrics(done, values)

    def _state(self, done: int) -> dict[str, Any] | None:
        """All that the rest of the training depends on; None where it is already lost.

        Chance needs no place here: it depends on seeds, epoch and image alone.
        """
        if not self._divergence.numbers():
            return None
        return {
            "step": done,
            "resumed_at": self._resumed_at,
            "seconds": self.earlier_seconds + time.perf_counter() - self._began,
            "encoder": self._encoder.state_dict(),
            "head": self.head.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "rows": self._rows,
            "neighbours": self._curve.asked_with,
            "collapse": self._collapse.state(),
        }

    def _go_on(self) -> int:
        """The step of the checkpoint that was taken up, 0 where there is none."""
        state = self._keeper.taken_up()
        if state is None:
            return 0
        done: int = state["step"]
        self._encoder.load_state_dict(state["encoder"])
        self.head.load_state_dict(state["head"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._collapse.restore(state["collapse"], self._device)
        self._resumed_at = [*state["resumed_at"], done]
        self.earlier_seconds = state["seconds"]
        for step, values in state["rows"].items():
            if state["neighbours"] != self._curve.asked_with:
                # Trials that share an encoder may ask other neighbours: unknown, and not mixed.
                values.pop(KNN, None)
            if values:
                self._tell(step, values)
        self._observer.progress(done, self._steps)
        return done

    def _order(self, epoch: int) -> list[Tensor]:
        """The epoch's batches: all images in an order of its own, the rest below B left out."""
        rng = generator(self._config.seed_of("order"), "order", epoch)
        order = torch.randperm(len(self._images), generator=rng)
        return list(order.split(self._config.batch_size))[: self._steps_per_epoch]

    def _step(self, step: int, epoch: int, index: Tensor) -> tuple[Tensor, Tensor]:
        """One update on the images at `index`; the loss in nats and the embeddings z [M, D]."""
        chance = Chance.of(self._config.seed_of("views"), epoch, index)
        pictures, shapes = self._images.batch(index)
        views = draw_views(self._config.views, pictures, shapes, chance, self._size)
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

    def _loss(self, z_MD: Tensor, index: Tensor, step: int) -> Tensor:
        """The loss of the views of the images at `index`; in the control, of wrong pairs."""
        loss, num_views = self._config.loss, len(z_MD) // len(index)
        shuffled, seed = self._config.shuffled_positives, self._config.seed_of("order")
        if isinstance(loss, Labelled):
            assert self._labels is not None
            labels_N = self._labels[index.to(self._device)]
            if isinstance(loss, CrossEntropy) and z_MD.shape[1] != self._num_classes:
                raise ConfigurationError(_CLASSES.format(z_MD.shape[1], self._num_classes))
            views = range(num_views)
            if shuffled:  # another image's label for each view, and another one's for its partner
                apart = [another(len(index), seed, step, v + 1).to(self._device) for v in views]
                return loss(z_MD, torch.cat([labels_N[others] for others in apart]))
            return loss(z_MD, labels_N.repeat(num_views))
        if shuffled:
            z_MD = with_wrong_positives(z_MD, num_views, seed, step)
        if isinstance(loss, NTXent):
            return loss(z_MD, num_views)
        return loss(z_MD)

    def _matching(self, z_MD: Tensor) -> dict[str, float]:
        """Table 5's metrics, of losses that take z for an embedding."""
        loss, num_views = self._config.loss, len(z_MD) // self._config.batch_size
        if isinstance(loss, CrossEntropy):
            return {}
        normalise: bool = getattr(loss, "normalise", True)
        accuracy = contrastive_accuracy(z_MD, num_views, normalise=normalise)
        found = {"contrastive_accuracy": float(accuracy)}
        if (temperature := getattr(loss, "temperature", None)) is not None:
            entropy = contrastive_entropy(z_MD, temperature, num_views, normalise=normalise)
            found["contrastive_entropy"] = float(entropy)
        return found

    def _rate(self, step: int) -> float:
        share = self._config.schedule.share(step, self._steps, self._steps_per_epoch)
        return self._peak * share


_CLASSES = (
    "head.output: must be the number of classes under loss cross_entropy, got {} outputs for {} "
    "classes; set head.output"
)


def _check_classes(config: Config, dataset: Dataset) -> None:
    """Whether a classifier has as many outputs as the data have classes, where that is known."""
    outputs = config.encoder.num_features if config.head.kind == "none" else None
    outputs = getattr(config.head, "output", outputs)
    if isinstance(config.loss, CrossEntropy) and outputs not in (None, dataset.num_classes):
        raise ConfigurationError(_CLASSES.format(outputs, dataset.num_classes))
