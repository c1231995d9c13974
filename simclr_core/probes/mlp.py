"""A probe with one hidden layer, for information that a linear probe cannot find.

Shape suffixes: n images, d features, C classes, L labellings.
"""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn

from simclr_core.errors import Diverged
from simclr_core.networks import MlpHead
from simclr_core.probes.contract import PenalisedProbe
from simclr_core.seeds import generator

_SEED = 0
"""Of weights and batches: every trial's probe starts alike."""


class MlpProbe(PenalisedProbe):
    """W2 relu(W1 x + b1) + b2 on frozen features, by Adam; its l2 is chosen on the validation split.

    Table 3 of the paper trains "additional MLPs" without publishing their shape or training, so all of
    it is our choice. It minimises the mean cross-entropy in nats plus l2 / 2 (|W1|^2 + |W2|^2), on
    features brought to mean 0 and deviation 1, with the learning rate on a cosine to 0.
    """

    kind: Literal["mlp"] = "mlp"

    summary: ClassVar[str] = (
        "one hidden layer by Adam on features of the centre square, l2 chosen on a validation split"
    )

    hidden: int = Field(default=256, ge=1)
    """Width of the hidden layer."""

    l2: tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...] = Field(
        default=(1e-4, 1e-3, 1e-2), min_length=1
    )
    """The candidates; biases are not penalised."""

    epochs: int = Field(default=50, ge=1)
    """Passes over the images, each in a new order."""

    batch_size: int = Field(default=256, ge=1)
    """Images in each step; the last step of an epoch uses the remaining ones."""

    learning_rate: float = Field(default=3e-3, gt=0, allow_inf_nan=False)
    """Adam's learning rate at the start."""

    def solutions(
        self,
        features_nd: Float[Tensor, "n d"],
        labels_Ln: Int[Tensor, "L n"],
        num_classes: int,
        l2s: Sequence[Sequence[float]],
    ) -> "list[list[FittedMlp]]":
        return [
            [self._trained(features_nd, labels_n, num_classes, l2) for l2 in values]
            for values, labels_n in zip(l2s, labels_Ln, strict=True)
        ]

    def _trained(
        self, features_nd: Tensor, labels_n: Tensor, num_classes: int, l2: float
    ) -> "FittedMlp":
        """The network after the last epoch.

        Raises:
            Diverged: its weights are not finite.
        """
        x_nd, y_n = features_nd.float().cpu(), labels_n.cpu()
        deviation_d, mean_d = torch.std_mean(x_nd, dim=0, correction=0)
        # A feature that never moves says nothing: it stays 0, whatever the rounding of its mean.
        still_d = deviation_d <= 1e-6 * mean_d.abs() + 1e-12
        scale_d = torch.where(still_d, 0, 1 / deviation_d.clamp(min=1e-30))
        x_nd = (x_nd - mean_d) * scale_d
        shape = MlpHead(hidden=self.hidden, output=num_classes, batch_norm=False)
        network = shape.build(x_nd.shape[1], _SEED)
        matrices = [one for one in network.parameters() if one.ndim > 1]
        biases = [one for one in network.parameters() if one.ndim == 1]
        groups = [{"params": matrices, "weight_decay": l2}, {"params": biases, "weight_decay": 0}]
        optimizer = torch.optim.Adam(groups, lr=self.learning_rate)
        steps = self.epochs * -(-len(y_n) // self.batch_size)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        with torch.enable_grad():
            for epoch in range(self.epochs):
                order = torch.randperm(len(y_n), generator=generator(_SEED, "mlp probe", epoch))
                for index in order.split(self.batch_size):
                    optimizer.zero_grad()
                    F.cross_entropy(network(x_nd[index]), y_n[index]).backward()
                    optimizer.step()
                    schedule.step()
        if not all(bool(one.isfinite().all()) for one in network.parameters()):
            raise Diverged(
                "the probe's weights are not finite; lower evaluation.probe.learning_rate, got "
                f"{self.learning_rate:g}"
            )
        return FittedMlp(network.requires_grad_(requires_grad=False), mean_d, scale_d)


class FittedMlp(NamedTuple):
    """A network, and what brings features to the scale that it was fitted on."""

    network: nn.Module
    mean_d: Tensor
    scale_d: Tensor
    converged: bool = True

    def scores(self, features_nd: Float[Tensor, "n d"]) -> Float[Tensor, "n C"]:
        """Logits; the class with the largest is the prediction."""
        scores: Tensor = self.network((features_nd.float().cpu() - self.mean_d) * self.scale_d)
        return scores
