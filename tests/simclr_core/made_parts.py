"""A file with a part of one's own for each family, and any member of a family, own parts included."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from simclr_core.augment.file_operation import FileOperation
from simclr_core.losses.file_loss import FileLoss
from simclr_core.networks.file_networks import FileEncoder, FileHead
from simclr_core.optim.schedules import FileSchedule
from simclr_core.plugins.component import FromFile, supply
from simclr_core.plugins.source import digest

FILE = """\
import torch
import torch.nn.functional as F
from torch import nn


def loss(z, temperature=0.1):
    u = F.normalize(z, dim=1)
    logits = (u @ u.T).div_(temperature).fill_diagonal_(-torch.inf)
    return F.cross_entropy(logits, torch.arange(len(z)).roll(len(z) // 2))


def darken(images, uniform, most=1.0):
    return images * (1 - most * uniform[:, :, None, None])


class Network(nn.Module):
    def __init__(self, seed, channels=8):
        super().__init__()
        self.conv = nn.Conv2d(3, channels, 3, 2)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x):
        return F.relu(self.norm(self.conv(x))).mean((2, 3))


def head(num_features, seed, output=4):
    return nn.Linear(num_features, output)


def optimizer(model, **options):
    return torch.optim.Adam(model.parameters(), **options)


def ramp(step, num_steps, steps_per_epoch):
    return (step + 1) / num_steps
"""

NAMES: dict[type[BaseModel], dict[str, Any]] = {
    FileLoss: {"name": "loss"},
    FileOperation: {"name": "darken"},
    FileEncoder: {"name": "Network", "num_features": 8},
    FileHead: {"name": "head"},
    FileSchedule: {"name": "ramp"},
}


def made(kind: type[BaseModel], text: str = FILE, **more: Any) -> Any:
    """A member of a family at its defaults; one of one's own is from `text`, on no disk."""
    if not issubclass(kind, FromFile):
        return kind(**more)
    supply([text])
    usual = NAMES.get(kind, {"name": "optimizer", "learning_rate": 1e-3})
    return kind(**{"path": "made.py", "sha256": digest(text), **usual, **more})


def settings_of(
    kind: type[BaseModel], folder: Path, text: str = FILE, **more: Any
) -> dict[str, Any]:
    """The settings of a part in a file of a folder."""
    (folder / "parts.py").write_text(text, encoding="utf-8")
    usual = NAMES.get(kind, {"name": "optimizer", "learning_rate": 1e-3})
    return {"kind": "file", "path": str(folder / "parts.py"), **usual, **more}
