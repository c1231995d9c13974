"""Vision transformers (Dosovitskiy et al. 2021), named as timm names them.

State dicts fit both ways; under mean pooling with timm's form without `fc_norm`.

Shape suffixes: B images of side S, T tokens (patches, and the class token where there is one), D
the length of a token, K heads.
"""

import math
from collections import OrderedDict
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn

from simclr_core.base import disagreement, misshapen
from simclr_core.networks.activation_memory import BlockNetwork, recomputed
from simclr_core.networks.contract import Encoder
from simclr_core.seeds import generator

_NORM_EPS = 1e-6
_SPREAD = 0.02
_CLASS_TOKEN_SPREAD = 1e-6
_SLOWEST = 10_000.0
"""The longest wave of fixed positions, in patches, is this times 2 pi."""


class VisionTransformer(Encoder):
    """A transformer over square patches; every block is x + attention(norm x), then x + mlp(norm x).

    The defaults are DeiT-Ti's sizes. There is no batch norm in it, no dropout and no stochastic
    depth. First weights are timm's: normal with standard deviation 0.02 (0.02 x 100 is where it is
    cut off) and biases 0 in linear layers, torch's own uniform law in the patches' projection.
    """

    kind: Literal["vit"] = "vit"

    patch: int = Field(default=16, ge=1)
    """The side of a patch in pixels; it divides the images' side (`data.size`)."""

    dim: int = Field(default=192, ge=4, le=16_384)
    """The length of a token and of h; a multiple of the heads."""

    depth: int = Field(default=12, ge=1, le=256)
    """Blocks."""

    heads: int = Field(default=3, ge=1)
    """Of attention, each with dim / heads numbers of a token."""

    mlp_ratio: float = Field(default=4.0, gt=0, allow_inf_nan=False)
    """The hidden layer of a block's MLP, in multiples of dim; a whole number of units."""

    pooling: Literal["mean", "class_token"] = "mean"
    """The token for h: the mean of all patch tokens, or the class token."""

    final_norm: bool = True
    """Whether all tokens go through a layer norm before the pooling."""

    positions: Literal["fixed", "learned"] = "fixed"
    """Added to the patches: sines and cosines of row and column, or weights that start at random."""

    @model_validator(mode="after")
    def _one_shape(self) -> "VisionTransformer":
        if self.dim % self.heads:
            raise misshapen(
                "heads must divide dim, got {heads} heads of dim {dim}",
                heads=self.heads,
                dim=self.dim,
            )
        if self.positions == "fixed" and self.dim % 4:
            raise misshapen(
                "fixed positions need a dim that is a multiple of 4, got {dim}; use learned ones or {near}",
                dim=self.dim,
                near=4 * math.ceil(self.dim / 4),
            )
        if not (self.dim * self.mlp_ratio).is_integer():
            raise misshapen(
                "dim x mlp_ratio must be a whole number of units, got {dim} x {ratio}",
                dim=self.dim,
                ratio=self.mlp_ratio,
            )
        return self

    @property
    def num_features(self) -> int:
        """The length of h."""
        return self.dim

    def check_size(self, size: int) -> None:
        """A whole number of patches."""
        if size % self.patch:
            divisors = [patch for patch in range(1, size + 1) if size % patch == 0]
            raise disagreement(
                "encoder.patch must divide data.size, got patches of {patch} px for images of "
                "{size} px; the nearest possible value is {nearest}",
                *("encoder", "data"),
                patch=self.patch,
                size=size,
                nearest=min(divisors, key=lambda patch: abs(patch - self.patch)),
            )

    def outline(self, size: int) -> "Transformer":
        with torch.device("meta"):
            return Transformer(self, size // self.patch)

    def build(self, seed: int, size: int) -> "Transformer":
        network = self.outline(size)
        network.to_empty(device="cpu")
        _initialise(network, generator(seed, "encoder"))
        return network


class Transformer(BlockNetwork):
    """The network of a VisionTransformer: timm's of that name without its classifier `head`."""

    pos_embed: Tensor
    """Learned, or a buffer."""

    def __init__(self, shape: VisionTransformer, side: int) -> None:
        """For images of `side` x `side` patches."""
        super().__init__()
        self.side = side
        self.pooling = shape.pooling
        self.patch_embed = _Patches(shape)
        num_tokens = side * side
        if shape.pooling == "class_token":
            self.cls_token = nn.Parameter(torch.empty(1, 1, shape.dim))
            num_tokens += 1
        positions = torch.empty(1, num_tokens, shape.dim)
        if shape.positions == "learned":
            self.pos_embed = nn.Parameter(positions)
        else:
            self.register_buffer("pos_embed", positions)
        self.blocks = nn.Sequential(*(_Block(shape) for _ in range(shape.depth)))
        self.norm = nn.LayerNorm(shape.dim, _NORM_EPS) if shape.final_norm else nn.Identity()

    def forward(self, x: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B D"]:
        x_BTD = self.patch_embed(x)
        if self.pooling == "class_token":
            x_BTD = torch.cat([self.cls_token.expand(len(x), 1, -1), x_BTD], dim=1)
        x_BTD = x_BTD + self.pos_embed
        for block in self.blocks:
            x_BTD = recomputed(block, x_BTD) if self.recompute else block(x_BTD)
        x_BTD = self.norm(x_BTD)
        return x_BTD[:, 0] if self.pooling == "class_token" else x_BTD.mean(dim=1)


class _Patches(nn.Module):
    """One linear layer for each patch, as a convolution that skips."""

    def __init__(self, shape: VisionTransformer) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, shape.dim, shape.patch, shape.patch)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x).flatten(2).transpose(1, 2)


class _Block(nn.Module):
    def __init__(self, shape: VisionTransformer) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(shape.dim, _NORM_EPS)
        self.attn = _Attention(shape.dim, shape.heads)
        self.norm2 = nn.LayerNorm(shape.dim, _NORM_EPS)
        hidden = int(shape.dim * shape.mlp_ratio)
        self.mlp = nn.Sequential(
            OrderedDict(
                fc1=nn.Linear(shape.dim, hidden), act=nn.GELU(), fc2=nn.Linear(hidden, shape.dim)
            )
        )

    def forward(self, x_BTD: Tensor) -> Tensor:
        x_BTD = x_BTD + self.attn(self.norm1(x_BTD))
        return x_BTD + self.mlp(self.norm2(x_BTD))


class _Attention(nn.Module):
    """softmax(q k / sqrt(D / K)) v in each head, then a linear layer over all heads."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x_BTD: Tensor) -> Tensor:
        qkv = self.qkv(x_BTD).unflatten(2, (3, self.heads, -1))
        q_BKTd, k_BKTd, v_BKTd = qkv.permute(2, 0, 3, 1, 4)
        x_BKTd = F.scaled_dot_product_attention(q_BKTd, k_BKTd, v_BKTd)
        return self.proj(x_BKTd.transpose(1, 2).flatten(2))


def _initialise(network: Transformer, rng: torch.Generator) -> None:
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=_SPREAD, generator=rng)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Conv2d):
            assert module.bias is not None
            bound = 1 / math.sqrt(module.weight[0].numel())
            nn.init.uniform_(module.weight, -bound, bound, generator=rng)
            nn.init.uniform_(module.bias, -bound, bound, generator=rng)
        elif isinstance(module, nn.LayerNorm):
            module.reset_parameters()
    if network.pooling == "class_token":
        nn.init.normal_(network.cls_token, std=_CLASS_TOKEN_SPREAD, generator=rng)
    if isinstance(network.pos_embed, nn.Parameter):
        nn.init.trunc_normal_(network.pos_embed, std=_SPREAD, generator=rng)
    else:
        patches = _waves(network.side, network.pos_embed.shape[-1])
        network.pos_embed.zero_()  # the class token has no place
        network.pos_embed[0, -len(patches) :] = patches


def _waves(side: int, dim: int) -> Float[Tensor, "T D"]:
    """Positions after Vaswani et al. 2017 (3.5), for row and column: sin, sin, cos, cos.

    Of a place p (from 0) each gives sin and cos of p / 10000^(4 i / D), i from 0 to D / 4 - 1.
    """
    waves_d = _SLOWEST ** (-torch.arange(dim // 4, dtype=torch.float64) / (dim // 4))
    places = torch.arange(side, dtype=torch.float64)
    rows_T2 = torch.cartesian_prod(places, places)
    angles_T2d = rows_T2[:, :, None] * waves_d
    return torch.stack([angles_T2d.sin(), angles_T2d.cos()], dim=1).flatten(1).float()
