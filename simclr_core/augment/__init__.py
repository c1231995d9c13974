"""Augmentations: the operations of the paper and the views they make of each image."""

from simclr_core.augment.blur_sobel import Sobel, SobelChances
from simclr_core.augment.operations import (
    Colour,
    Crop,
    Noise,
    NoiseChances,
    Rotation,
    RotationChances,
)
from simclr_core.augment.views import AnyViews, OneBranch, Symmetric, draw_views

__all__ = [
    "AnyViews",
    "Colour",
    "Crop",
    "Noise",
    "NoiseChances",
    "OneBranch",
    "Rotation",
    "RotationChances",
    "Sobel",
    "SobelChances",
    "Symmetric",
    "draw_views",
]
