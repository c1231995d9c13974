"""Pre-training: algorithm 1 of the paper, and the random encoder that is its floor.

Shape suffixes: B images a step, M views of them, 2B or more (i, i + B, i + 2B, ... show one image).
"""

import math
import time
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from simclr_core.chance import Chance
from simclr_core.config import Config
from simclr_core.data import Dataset
from simclr_core.errors import ConfigurationError, Diverged
from simclr_core.execution import Execution
from simclr_core.features import features
from simclr_core.images import Images
from simclr_core.losses import CrossEntropy, Labelled, NTXent
from simclr_core.matching import contrastive_accuracy, contrastive_entropy
from simclr_core.neighbours import Neighbours
from simclr_core.observer import Curve, Observer
from simclr_core.pairs import another, with_wrong_positives
from simclr_core.passes import cached
from simclr_core.probe import top_k_accuracy
from simclr_core.seeds import generator
from simclr_core.views import draw_views

_TOLD = 200
"""How often, about, the metrics of a step are told."""

_POINTS = 10
"""How often nearest neighbours are asked on the way."""

_VOTERS, _ASKED = 2048, 1024
"""Images of the fit and the validation part for that; the curve selects nothing, a sample does."""

_STATISTICS_BATCH = 512


class Pretrained(NamedTuple):
    """A finished encoder."""

    state: dict[str, Tensor]
    """Weights and batch norm statistics of f, on the CPU; the head g is thrown away."""

    steps: int
    """Optimiser steps taken."""

    seconds: float
    num_parameters: int
    """Of f."""

    facts: dict[str, Any]


def pretrain(
    config: Config,
    dataset: Dataset,
    execution: Execution | None = None,
    observer: Observer | None = None,
) -> Pretrained:
    """The encoder of a configuration, fitted to the training images without their labels.

    A loss that says `labels: train` is the exception: it is handed the labels of the fit part and
    sees that part's images alone, so that what is chosen on the validation part stays honest.

    Of a data set without labels no nearest neighbours are told on the way; nothing else differs.

    With 0 epochs it is the random encoder: the initialisation that pre-training would start from,
    with batch norm statistics of the training images. An encoder that the observer stopped comes
    back as it is.

    Raises:
        ConfigurationError: the batch is larger than the data set, or the device is not here.
        Diverged: the loss is no longer a number.
    """
    execution = execution or Execution()
    observer = Curve() if observer is None else observer
    config = config.resolved(execution.resolved_device)
    tests_read = dataset.reads["test"]
    with execution.in_force():
        began = time.perf_counter()
        network = config.encoder.build(_seed(config, "initialisation"), dataset.size)
        encoder = execution.place(network)
        images = dataset.pretraining_images()
        if config.epochs == 0:
            _estimate_statistics(config, encoder, images, dataset.size, execution)
            observer.progress(1, 1)
            steps, left_out = 0, 0
        else:
            training = _Training(config, dataset, encoder, execution, observer)
            steps = training.run()
            left_out = training.num_images % config.batch_size
        seconds = time.perf_counter() - began
    return Pretrained(
        state={name: one.detach().cpu().clone() for name, one in encoder.state_dict().items()},
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
        },
    )


class _Training:
    """One pre-training on its way."""

    def __init__(
        self,
        config: Config,
        dataset: Dataset,
        encoder: nn.Module,
        execution: Execution,
        observer: Observer,
    ) -> None:
        self._config, self._encoder = config, encoder
        self._execution, self._observer = execution, observer
        self._device = torch.device(execution.resolved_device)
        self._labels: Tensor | None = None
        if isinstance(config.loss, Labelled):
            _check_classes(config, dataset)
            images, labels, _ = dataset.labelled("fit")
            self._labels = labels.to(self._device)
        else:
            images = dataset.pretraining_images()
        self._images = images.to(self._device)
        self.num_images = len(images)
        self._size = dataset.size
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
        head = config.head.build(config.encoder.num_features, _seed(config, "initialisation"))
        self._head = execution.place(head)
        self._optimizer = config.optimizer.build(nn.ModuleList([encoder, head]))
        self._peak = config.optimizer.peak(config.batch_size)
        self._curve = _NeighboursOnTheWay(config, dataset, execution)

    def run(self) -> int:
        """The optimiser steps taken; fewer than planned where the observer said stop."""
        every = max(1, self._steps // _TOLD)
        points = {round(self._steps * i / _POINTS) for i in range(1, _POINTS + 1)}
        self._encoder.train()
        self._head.train()
        done, seconds, told = 0, 0.0, 0
        for epoch in range(self._config.epochs):
            for index in self._order(epoch):
                began = time.perf_counter()
                tell = done % every == 0 or done + 1 == self._steps
                loss, z = self._step(done, epoch, index)
                done += 1
                if tell:
                    values = {
                        "loss": float(loss),
                        **self._matching(z),
                        "learning_rate": self._rate(done - 1),
                    }
                    seconds += time.perf_counter() - began
                    rate = (done - told) * self._config.batch_size / seconds
                    self._observer.metrics(done, {**values, "pairs_per_second": rate})
                    seconds, told = 0.0, done
                    if not math.isfinite(values["loss"]):
                        raise Diverged(
                            f"the loss is {values['loss']} at step {done} of {self._steps}, with "
                            f"learning rate {values['learning_rate']:.3g}; lower "
                            "optimizer.learning_rate or warm up longer"
                        )
                else:
                    seconds += time.perf_counter() - began
                if done in points:
                    self._observer.metrics(done, self._curve.accuracy(self._encoder))
                self._observer.progress(done, self._steps)
                if self._observer.should_stop():
                    return done
        return done

    def _order(self, epoch: int) -> list[Tensor]:
        """The epoch's batches: all images in an order of its own, the rest below B left out."""
        rng = generator(_seed(self._config, "order"), "order", epoch)
        order = torch.randperm(len(self._images), generator=rng)
        return list(order.split(self._config.batch_size))[: self._steps_per_epoch]

    def _step(self, step: int, epoch: int, index: Tensor) -> tuple[Tensor, Tensor]:
        """One update on the images at `index`; the loss in nats and the embeddings z [M, D]."""
        chance = Chance.of(_seed(self._config, "views"), epoch, index)
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
                lambda x: self._head(self._encoder(x)),
                nn.ModuleList([self._encoder, self._head]),
                x_M,
                lambda z: self._loss(z, index, step),
                len(index),
                chunk,
                lambda: _autocast(self._config, self._device),
            )
        with _autocast(self._config, self._device):
            z_MD = self._head(self._encoder(x_M))
            loss = self._loss(z_MD, index, step)
        loss.backward()
        return loss.detach(), z_MD.detach()

    def _loss(self, z_MD: Tensor, index: Tensor, step: int) -> Tensor:
        """The loss of the views of the images at `index`; in the control, of wrong pairs."""
        loss, num_views = self._config.loss, len(z_MD) // len(index)
        shuffled, seed = self._config.shuffled_positives, _seed(self._config, "order")
        if isinstance(loss, Labelled):
            assert self._labels is not None
            labels_N = self._labels[index.to(self._device)]
            if shuffled:
                labels_N = labels_N[another(len(index), seed, step).to(self._device)]
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
        found = {"contrastive_accuracy": float(contrastive_accuracy(z_MD, num_views))}
        if (temperature := getattr(loss, "temperature", None)) is not None:
            normalise: bool = getattr(loss, "normalise", True)
            entropy = contrastive_entropy(z_MD, temperature, num_views, normalise=normalise)
            found["contrastive_entropy"] = float(entropy)
        return found

    def _rate(self, step: int) -> float:
        share = self._config.schedule.share(step, self._steps, self._steps_per_epoch)
        return self._peak * share


def _check_classes(config: Config, dataset: Dataset) -> None:
    """Whether a classifier has as many outputs as the data have classes."""
    outputs = getattr(config.head, "output", config.encoder.num_features)
    if isinstance(config.loss, CrossEntropy) and outputs != dataset.num_classes:
        raise ConfigurationError(
            f"head.output: must be the number of classes under loss cross_entropy, got {outputs} "
            f"for the {dataset.num_classes} classes of {dataset.name}; set head.output"
        )


class _NeighboursOnTheWay:
    """Nearest neighbours on the validation part while pre-training runs; they select nothing."""

    def __init__(self, config: Config, dataset: Dataset, execution: Execution) -> None:
        asked: Neighbours | None = config.readouts.neighbours
        self._neighbours = asked if dataset.labels_known else None
        self._execution, self._size = execution, dataset.size
        self._num_classes = dataset.num_classes
        if self._neighbours is not None:
            self._fit, self._fit_labels = _sample(dataset, "fit", _VOTERS)
            self._asked, self._labels = _sample(dataset, "validation", _ASKED)

    def accuracy(self, encoder: nn.Module) -> dict[str, float]:
        """`knn/validation` in per cent; nothing without neighbours to ask, or without labels."""
        if self._neighbours is None:
            return {}
        bank, queries = (
            features(encoder, images, self._size, self._execution)
            for images in (self._fit, self._asked)
        )
        scores = self._neighbours.scores(bank, self._fit_labels, queries, self._num_classes)
        return {"knn/validation": top_k_accuracy(scores, self._labels, 1)}


def _sample(
    dataset: Dataset, part: Literal["fit", "validation"], most: int
) -> tuple[Images, Tensor]:
    """At most so many images of a part with labels, the same in every trial."""
    labelled = dataset.labelled(part)
    order = torch.randperm(len(labelled.labels), generator=generator(0, "curve", part))[:most]
    return labelled.images.select(order), labelled.labels[order]


@torch.no_grad()
def _estimate_statistics(
    config: Config, encoder: nn.Module, images: Images, size: int, execution: Execution
) -> None:
    """Batch norm statistics of a random encoder: the mean over one pass of the training images.

    The images are shuffled first: in class folders neighbours are alike, and their variance small.
    """
    rng = generator(_seed(config, "initialisation"), "statistics")
    order = torch.randperm(len(images), generator=rng)
    norms = [module for module in encoder.modules() if isinstance(module, nn.BatchNorm2d)]
    if not norms:
        return
    kept = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all batches
    encoder.train()
    device = torch.device(execution.resolved_device)
    for index in order.tensor_split(math.ceil(len(order) / _STATISTICS_BATCH)):
        x = images.centre_squares(index, size).to(device)
        with _autocast(config, device):
            encoder(x.contiguous(memory_format=execution.layout))
    for norm, momentum in zip(norms, kept, strict=True):
        norm.momentum = momentum


def _autocast(config: Config, device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bf16")


def _seed(config: Config, source: Literal["initialisation", "order", "views"]) -> int:
    seed: int | None = getattr(config.seeds, source)
    return config.seed if seed is None else seed
