"""Projection heads g: the representation h -> z, where the loss is taken (paper, 4.2).

Pre-training needs them; the evaluation takes h or a layer of the head. Weights start
from torch's own uniform law, +-1 / sqrt(inputs); under LARS with batch norm their scale cancels,
hence the official code's standard deviation of 0.01 would make no difference to the paper's own
protocol.
"""

import math
from itertools import pairwise
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import nn

from simclr_core.networks.contract import Head, Layer
from simclr_core.networks.file_networks import FileHead
from simclr_core.seeds import generator


class NoHead(Head):
    """z = h: the loss is taken at the representation itself (figure 8, "none")."""

    kind: Literal["none"] = "none"

    def num_outputs(self, num_features: int) -> int:
        return num_features

    def build(self, num_features: int, seed: int) -> nn.Module:
        """The identity, which has no weights."""
        del num_features, seed
        return nn.Identity()

    def outline(self, num_features: int) -> nn.Module:
        return self.build(num_features, 0)


class LinearHead(Head):
    """z = W h (figure 8, "linear"), with the official code's batch norm by default."""

    kind: Literal["linear"] = "linear"

    output: int = Field(default=128, ge=1, le=100_000)
    """The length of z; the paper tried 32 to 2048."""

    batch_norm: bool = True
    """The official form: no bias, then batch norm with a scale and no shift; else W h + b."""

    def num_outputs(self, num_features: int) -> int:
        del num_features
        return self.output

    def build(self, num_features: int, seed: int) -> nn.Module:
        return self._layers(num_features, seed)

    def outline(self, num_features: int) -> nn.Module:
        return self._layers(num_features, None)

    def _layers(self, num_features: int, seed: int | None) -> nn.Module:
        return _layers([num_features, self.output], batch_norm=self.batch_norm, seed=seed)


class MlpHead(Head):
    """z = W2 relu(W1 h) with one hidden layer: the paper's own head (2.1); up to three here."""

    kind: Literal["mlp"] = "mlp"

    hidden_layers: int = Field(default=1, ge=1, le=3)
    """Layers before the last; each ends in a ReLU."""

    hidden: int | None = Field(default=None, ge=1, le=100_000, examples=[2048])
    """Width of the hidden layers; None makes them as wide as h, as the paper does."""

    output: int = Field(default=128, ge=1, le=100_000)
    """The length of z."""

    batch_norm: bool = True
    """The official form: batch norm after every layer, the last without a shift; else biases."""

    @property
    def num_hidden_layers(self) -> int:
        return self.hidden_layers

    def num_outputs(self, num_features: int) -> int:
        del num_features
        return self.output

    def build(self, num_features: int, seed: int) -> nn.Module:
        return self._layers(num_features, seed)

    def outline(self, num_features: int) -> nn.Module:
        return self._layers(num_features, None)

    def _layers(self, num_features: int, seed: int | None) -> nn.Module:
        hidden = [self.hidden or num_features] * self.hidden_layers
        return _layers([num_features, *hidden, self.output], batch_norm=self.batch_norm, seed=seed)


AnyHead = Annotated[NoHead | LinearHead | MlpHead | FileHead, Field(discriminator="kind")]


def up_to(head: nn.Module, layer: Layer) -> nn.Module:
    """From h to a layer of the head: a hidden layer ends in its ReLU. Shares the head's weights."""
    if layer == "h":
        return nn.Identity()
    if layer == "z":
        return head
    assert isinstance(head, nn.Sequential), "only heads with layers have hidden layers"
    relus = [place for place, module in enumerate(head) if isinstance(module, nn.ReLU)]
    return head[: relus[int(layer[1]) - 1] + 1]


def _layers(sizes: list[int], *, batch_norm: bool, seed: int | None) -> nn.Sequential:
    """Linear layers from size to size, ReLU between them; drawn from the head's own stream.

    Without a seed on the meta device: nothing is drawn, and `to_empty` would import torch's compiler.
    """
    rng = None if seed is None else generator(seed, "head")
    layers = nn.Sequential()
    for number, (inputs, outputs) in enumerate(pairwise(sizes)):
        last = number == len(sizes) - 2
        with torch.device("meta"):  # no draw from the global generator
            linear = nn.Linear(inputs, outputs, bias=not batch_norm)
        if rng is not None:
            linear.to_empty(device="cpu")
            bound = 1 / math.sqrt(inputs)
            for parameter in linear.parameters():
                nn.init.uniform_(parameter, -bound, bound, generator=rng)
        layers.append(linear)
        if batch_norm:
            norm = nn.BatchNorm1d(outputs, device="meta" if rng is None else "cpu")
            if last:
                norm.register_parameter("bias", None)
            layers.append(norm)
        if not last:
            layers.append(nn.ReLU(inplace=True))
    return layers
