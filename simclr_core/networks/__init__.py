"""Networks: encoders f, projection heads g, and passes that fit into memory."""

from simclr_core.networks.activation_memory import batch_norms, cached, recompute_blocks
from simclr_core.networks.contract import Encoder, Head, Layer
from simclr_core.networks.encoders import AnyEncoder, ResNet
from simclr_core.networks.heads import AnyHead, MlpHead, up_to

__all__ = [
    "AnyEncoder",
    "AnyHead",
    "Encoder",
    "Head",
    "Layer",
    "MlpHead",
    "ResNet",
    "batch_norms",
    "cached",
    "recompute_blocks",
    "up_to",
]
