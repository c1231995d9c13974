"""Augmentations: the operations of the paper and the views they make of each image."""

from simclr_core.augment.blur_sobel import Sobel, SobelParams
from simclr_core.augment.operations import (
    Colour,
    Crop,
    Noise,
    NoiseParams,
    Rotation,
    RotationParams,
)
from simclr_core.augment.views import AnyViews, OneBranch, Symmetric, draw_views

__all__ = [
    "AnyViews",
    "Colour",
    "Crop",
    "Noise",
    "NoiseParams",
    "OneBranch",
    "Rotation",
    "RotationParams",
    "Sobel",
    "SobelParams",
    "Symmetric",
    "draw_views",
]
