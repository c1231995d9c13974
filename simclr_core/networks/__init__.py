"""Networks: encoders f, projection heads g, and passes that fit into memory."""

from simclr_core.networks.activation_memory import batch_norms, cached
from simclr_core.networks.encoders import AnyEncoder, ResNet
from simclr_core.networks.heads import AnyHead, Layer, MlpHead, layers_of, up_to
from simclr_core.networks.pixels import Pixels
from simclr_core.networks.vit import VisionTransformer

__all__ = [
    "AnyEncoder",
    "AnyHead",
    "Layer",
    "MlpHead",
    "Pixels",
    "ResNet",
    "VisionTransformer",
    "batch_norms",
    "cached",
    "layers_of",
    "up_to",
]
