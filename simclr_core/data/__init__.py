"""Data sets: where images come from, how they are decoded, identified and held in memory."""

from simclr_core.data.dataset import (
    AnyData,
    Dataset,
    data_at,
    fingerprint,
    held_out,
    load,
    num_held_out,
)
from simclr_core.data.image_folder import Folder
from simclr_core.data.images import Images, centre_boxes
from simclr_core.data.in_memory import Tensors
from simclr_core.data.textures import Textures

__all__ = [
    "AnyData",
    "Dataset",
    "Folder",
    "Images",
    "Tensors",
    "Textures",
    "centre_boxes",
    "data_at",
    "fingerprint",
    "held_out",
    "load",
    "num_held_out",
]
