"""Encoders f: a batch of views -> the representation h that is evaluated (paper, 2.1).

Residual networks; transformers and raw pixels are in separate modules. Layers have torchvision's names,
so that state dicts are compatible in both directions. Batch norm is torch's default: running statistics
decay by 0.9 a step, as in the official code.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn

from simclr_core.base import misshapen
from simclr_core.networks.activation_memory import BlockNetwork, recomputed
from simclr_core.networks.contract import Encoder
from simclr_core.networks.file_networks import FileEncoder
from simclr_core.networks.pixels import Pixels
from simclr_core.networks.vit import VisionTransformer
from simclr_core.seeds import generator

BASE_CHANNELS = 64

_STAGES = {
    10: (1, 1, 1, 1),
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}


class ResNet(Encoder):
    """A residual network; depths from 50 up have bottleneck blocks, the others basic blocks.

    It ends with global average pooling: h has 64 x width x 2^(stages - 1) numbers, four times as many
    with bottlenecks. The last gamma of each residual branch starts at zero, so that each block
    starts as its shortcut (paper's code, resnet.py).
    """

    kind: Literal["resnet"] = "resnet"

    depth: Literal[10, 18, 34, 50, 101, 152] | None = 50
    """The number of layers with weights; None if `blocks` is given."""

    blocks: tuple[Annotated[int, Field(le=200)], ...] | None = Field(
        default=None, min_length=1, max_length=4, examples=[[1, 1, 1]]
    )
    """Basic blocks in each stage, instead of a depth: (1, 1, 1) is three stages of one block."""

    width: float = Field(default=1.0, gt=0, le=16)
    """Multiplies all channels; the first stage has 64 x width of them, a whole number."""

    stem: Literal["imagenet", "cifar", "small"] = "imagenet"
    """imagenet: 7x7, stride 2, then max-pool; cifar: 3x3, stride 1; small: 3x3, stride 2."""

    @model_validator(mode="before")
    @classmethod
    def _blocks_replace_the_default_depth(cls, value: object) -> object:
        if isinstance(value, dict) and value.get("blocks") is not None and "depth" not in value:
            return {**value, "depth": None}
        return value

    @model_validator(mode="after")
    def _one_shape(self) -> "ResNet":
        if (self.depth is None) == (self.blocks is None):
            raise misshapen(
                "either depth or blocks must be set, but not both, got depth {depth} and blocks {blocks}",
                depth=self.depth,
                blocks=self.blocks and list(self.blocks),
            )
        if self.blocks is not None and min(self.blocks) < 1:
            raise misshapen(
                "each stage must have at least one block, got {blocks}", blocks=list(self.blocks)
            )
        if not (BASE_CHANNELS * self.width).is_integer():
            raise misshapen(
                "64 x width must be a whole number of channels, got width {width}; "
                "the nearest is {nearest}",
                width=self.width,
                nearest=max(1, round(BASE_CHANNELS * self.width)) / BASE_CHANNELS,
            )
        return self

    @property
    def num_features(self) -> int:
        """The length of h."""
        bottleneck, stages, channels = self._shape()
        return channels * 2 ** (len(stages) - 1) * (4 if bottleneck else 1)

    def outline(self, size: int | None = None) -> "ResidualNetwork":
        """As the contract says; any side fits."""
        del size
        bottleneck, stages, channels = self._shape()
        with torch.device("meta"):  # no second initialisation, no draw from the global generator
            return ResidualNetwork(
                _Bottleneck if bottleneck else _Basic, stages, channels, self.stem
            )

    def build(self, seed: int, size: int | None = None) -> "ResidualNetwork":
        network = self.outline(size)
        network.to_empty(device="cpu")
        _initialise(network, generator(seed, "encoder"))
        return network

    def building_lines(self, size: int) -> list[str]:
        """Torchvision's network where it has this one, its classifier and unused stages removed.

        torchvision's widths other than 1 widen the middle of a block only: another network.
        """
        if self.width != 1:
            return super().building_lines(size)
        idle = ["model.fc"]
        if self.blocks is None and self.depth != 10:
            lines = [f"model = torchvision.models.resnet{self.depth}()"]
        else:
            stages = list(self.blocks or _STAGES[10])
            idle += [f"model.layer{number}" for number in range(len(stages) + 1, 5)]
            stages += [1] * (4 - len(stages))
            block = "torchvision.models.resnet.BasicBlock"
            lines = [f"model = torchvision.models.ResNet({block}, {stages})"]
        if self.stem != "imagenet":
            stride = 1 if self.stem == "cifar" else 2
            lines.append(f"model.conv1 = torch.nn.Conv2d(3, 64, 3, {stride}, 1, bias=False)")
            idle.append("model.maxpool")
        return ["import torchvision", *lines, f"{' = '.join(idle)} = torch.nn.Identity()"]

    def _shape(self) -> tuple[bool, tuple[int, ...], int]:
        channels = int(BASE_CHANNELS * self.width)
        if self.blocks is not None:
            return False, self.blocks, channels
        assert self.depth is not None
        return self.depth >= 50, _STAGES[self.depth], channels


class _Basic(nn.Module):
    expansion = 1

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _conv(channels_in, channels, 3, stride)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = _conv(channels, channels, 3, 1)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = _downsample(channels_in, channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = self.bn2(self.conv2(out))
        out = out.add_(x if self.downsample is None else self.downsample(x))
        return F.relu(out, inplace=True)


class _Bottleneck(nn.Module):
    expansion = 4

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _conv(channels_in, channels, 1, 1)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = _conv(channels, channels, 3, stride)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = _conv(channels, channels * 4, 1, 1)
        self.bn3 = nn.BatchNorm2d(channels * 4)
        self.downsample = _downsample(channels_in, channels * 4, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = F.relu(self.bn2(self.conv2(out)), inplace=True)
        out = self.bn3(self.conv3(out))
        out = out.add_(x if self.downsample is None else self.downsample(x))
        return F.relu(out, inplace=True)


class ResidualNetwork(BlockNetwork):
    """The network of a ResNet: torchvision's without its classifier `fc`."""

    def __init__(
        self,
        block: type[_Basic] | type[_Bottleneck],
        stages: Sequence[int],
        channels: int,
        stem: Literal["imagenet", "cifar", "small"],
    ) -> None:
        super().__init__()
        kernel, stride = {"imagenet": (7, 2), "cifar": (3, 1), "small": (3, 2)}[stem]
        self.conv1 = _conv(3, channels, kernel, stride)
        self.bn1 = nn.BatchNorm2d(channels)
        self.maxpool = nn.MaxPool2d(3, 2, 1) if stem == "imagenet" else nn.Identity()
        self._stages: list[nn.Sequential] = []
        channels_in = channels
        for number, num_blocks in enumerate(stages):
            channels_out = channels * 2**number
            layer = nn.Sequential()
            for position in range(num_blocks):
                stride = 2 if number > 0 and position == 0 else 1
                layer.append(block(channels_in, channels_out, stride))
                channels_in = channels_out * block.expansion
            self.add_module(f"layer{number + 1}", layer)
            self._stages.append(layer)

    def forward(self, x: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B H"]:
        x = self.maxpool(F.relu(self.bn1(self.conv1(x)), inplace=True))
        for block in chain.from_iterable(self._stages):
            x = recomputed(block, x) if self.recompute else block(x)
        return x.mean(dim=(2, 3))


AnyEncoder = Annotated[
    ResNet | VisionTransformer | Pixels | FileEncoder, Field(discriminator="kind")
]
"""Every kind of f. `build(seed, size)` gives a network for images of that side."""


def _conv(channels_in: int, channels: int, kernel: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels, kernel, stride, padding=kernel // 2, bias=False)


def _downsample(channels_in: int, channels: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and channels_in == channels:
        return None
    shortcut = _Shortcut(channels_in, channels, 1, stride, bias=False)
    return nn.Sequential(shortcut, nn.BatchNorm2d(channels))


class _Shortcut(nn.Conv2d):
    """A 1x1 convolution that avoids a defect of oneDNN (uxlfoundation/oneDNN issue 6035).

    With AVX2 and without AVX-512, a stride and fewer than 8 input channels, its backward pass writes
    past a buffer: the process crashes or hangs, or the gradient is wrong. Without a stride it is
    right, so there the pixels are selected first, which is the same function.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 -- torch's name
        """Images B x C x H x W to B x C' x H / stride x W / stride."""
        if input.device.type != "cpu" or self.in_channels >= 8 or not _BROKEN_HERE:
            return super().forward(input)
        rows, columns = self.stride
        return F.conv2d(input[:, :, ::rows, ::columns], self.weight)


_BROKEN_HERE = torch.backends.cpu.get_cpu_capability() == "AVX2"


def _initialise(network: ResidualNetwork, rng: torch.Generator) -> None:
    """He's normal law over the outgoing connections, as torchvision draws it; last gammas zero."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(
                module.weight, mode="fan_out", nonlinearity="relu", generator=rng
            )
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
    for module in network.modules():
        if isinstance(module, _Basic):
            nn.init.zeros_(module.bn2.weight)
        elif isinstance(module, _Bottleneck):
            nn.init.zeros_(module.bn3.weight)
