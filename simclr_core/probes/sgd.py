"""The paper's own linear probe: SGD on the features of random crops (B.6).

Shape suffixes: n images, B of them in a batch, d features, C classes, L labellings of the images.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import ClassVar, Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from simclr_core.augment import Crop
from simclr_core.callbacks import Observer
from simclr_core.chance import Chance, moved
from simclr_core.data import Images
from simclr_core.errors import ConfigurationError
from simclr_core.optim import AnySchedule, WarmupCosine
from simclr_core.probes.contract import Labels, Probe, Solution, Task
from simclr_core.seeds import generator

_BATCH = 512
"""Images whose crops are in memory at a time."""

Features = Callable[[int, Tensor], Tensor]
"""(epoch, index [B]) -> the features of those images in that epoch, float32 [B, d]."""


class SgdProbe(Probe):
    """Softmax regression by SGD with Nesterov momentum through the frozen encoder (paper, B.6).

    Weights and biases start at zero and are not regularised; each step takes the mean cross-entropy
    of a batch. Nothing is chosen, so it is fitted on all training images and no `validation_top1`
    is logged. The features of augmented images are computed again in each epoch: 90 epochs are 90
    forward passes, about a seventh of the paper's 100 epochs of pre-training. Tested on centre
    squares.
    """

    kind: Literal["sgd"] = "sgd"

    summary: ClassVar[str] = "SGD on crops and flips, not regularised (B.6)"
    papers: ClassVar[bool] = True
    uses_seed: ClassVar[bool] = True

    epochs: int = Field(default=90, ge=1)
    """Passes over the training images, each in a new order."""

    batch_size: int = Field(default=4096, ge=1)
    """Images in each step; the last, incomplete batch of an epoch is dropped."""

    learning_rate: float = Field(default=0.1, gt=0, allow_inf_nan=False)
    """The base rate, multiplied by batch_size / 256: 1.6 in the paper."""

    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Nesterov's momentum."""

    schedule: AnySchedule = WarmupCosine(warmup_epochs=0)
    """The schedule, without warm-up; the cosine is the official code's, since the text names no
    schedule."""

    crop: Crop | None = Crop()
    """The crop of a training image, and whether it is mirrored; None uses centre squares, whose
    features are computed once."""

    @property
    def images_per_step(self) -> int:
        return self.batch_size

    def view(
        self, crop: Crop, images: Images, index: Tensor, chance: Chance, size: int
    ) -> Float[Tensor, "B 3 S S"]:
        """The crops of the images at `index`, float32 in [0, 1]."""
        whole, shapes = images.batch(index)
        params = crop.draw(chance.at("probe", crop.kind), shapes.to("cpu"))
        return crop.apply(whole, moved(params, whole.device), size)

    def solve(self, task: Task) -> Solution:
        """Of all training images; nothing is chosen."""
        [solution] = self.solve_each(task, [(task.fit.y, task.validation.y)])
        return solution

    def solve_each(self, task: Task, labels: Sequence[Labels]) -> Iterator[Solution]:
        """All labellings at once, on the same crops: one pass through the encoder serves them all."""
        labels_Ln = torch.stack([torch.cat(pair) for pair in labels])
        layers = self.fit(
            self._features(task), labels_Ln, task.num_classes, task.seed, task.observer
        )
        for i in range(len(labels)):
            yield Solution(partial(layers.scores, layer=i), {})

    def _features(self, task: Task) -> Features:
        """The features of the training images as the probe sees them in each epoch."""
        train = task.train
        if (crop := self.crop) is None:
            x = train.x.to(task.device)
            return lambda _, index: x[index.to(task.device)]
        images = train.images.to(task.device)

        def cropped(epoch: int, index: Tensor) -> Tensor:
            parts: list[Tensor] = []
            for some in index.split(_BATCH):
                chance = Chance.of(task.seed, epoch, some)
                view = self.view(crop, images, some, chance, task.size)
                parts.append(task.represent(view))
            return torch.cat(parts)

        return cropped

    def fit(
        self,
        features: Features,
        labels_Ln: Int[Tensor, "L n"],
        num_classes: int,
        seed: int,
        observer: Observer,
    ) -> "FittedLayers":
        """A layer for each of L labellings, on the same batches of the same features.

        The layers are independent of each other.

        Raises:
            ConfigurationError: the batch is larger than the number of images.
        """
        num_labellings, num_images = labels_Ln.shape
        steps_per_epoch = num_images // self.batch_size
        if not steps_per_epoch:
            raise ConfigurationError(
                "evaluation.probe.batch_size: must be at most the number of images that the probe "
                f"is fitted on, got {self.batch_size} of {num_images}; lower it or use more images"
            )
        num_steps, done = self.epochs * steps_per_epoch, 0
        peak = self.learning_rate * self.batch_size / 256
        layers: FittedLayers | None = None
        optimizer: torch.optim.Optimizer | None = None
        for epoch in range(self.epochs):
            order = torch.randperm(num_images, generator=generator(seed, "probe", epoch))
            for index in order.split(self.batch_size)[:steps_per_epoch]:
                x_Bd = features(epoch, index)
                if layers is None or optimizer is None:
                    layers = FittedLayers(
                        x_Bd.new_zeros(num_labellings, num_classes, x_Bd.shape[1]),
                        x_Bd.new_zeros(num_labellings, num_classes),
                    )
                    optimizer = torch.optim.SGD(
                        [layer.requires_grad_() for layer in layers],
                        lr=peak,
                        momentum=self.momentum,
                        nesterov=self.momentum > 0,
                    )
                share = self.schedule.share(done, num_steps, steps_per_epoch)
                optimizer.param_groups[0]["lr"] = peak * share
                optimizer.zero_grad()
                layers.loss(x_Bd, labels_Ln[:, index].to(x_Bd.device)).backward()
                optimizer.step()
                done += 1
                observer.progress(done, num_steps)
                if observer.should_stop():
                    return layers.finished()
        assert layers is not None, "there is at least one epoch of at least one step"
        return layers.finished()


class FittedLayers(NamedTuple):
    """Linear layers side by side."""

    weights_LCd: Tensor
    biases_LC: Tensor

    def loss(self, x_Bd: Float[Tensor, "B d"], labels_LB: Int[Tensor, "L B"]) -> Float[Tensor, ""]:
        """The sum over the layers of each one's mean cross-entropy, in nats."""
        logits_LBC = torch.einsum("bd,lcd->lbc", x_Bd, self.weights_LCd) + self.biases_LC[:, None]
        return F.cross_entropy(logits_LBC.flatten(0, 1), labels_LB.flatten()) * len(labels_LB)

    def finished(self) -> "FittedLayers":
        """The same layers on the CPU, apart from their gradients."""
        return FittedLayers(*(layer.detach().cpu() for layer in self))

    def scores(self, features_nd: Float[Tensor, "n d"], layer: int = 0) -> Float[Tensor, "n C"]:
        """One layer's logits; the class with the largest is the prediction."""
        features_nd = features_nd.to(self.weights_LCd.device)
        return features_nd @ self.weights_LCd[layer].T + self.biases_LC[layer]
