"""Custom components: an object in a user's Python file that a configuration names."""

from simclr_core.plugins.component import (
    IDENTITY,
    FromFile,
    anew,
    files_of,
    known_text,
    reading,
    supply,
)
from simclr_core.plugins.contracts import (
    FileChances,
    FileEncoder,
    FileHead,
    FileLoss,
    FileOperation,
    FileSchedule,
)

__all__ = [
    "IDENTITY",
    "FileChances",
    "FileEncoder",
    "FileHead",
    "FileLoss",
    "FileOperation",
    "FileSchedule",
    "FromFile",
    "anew",
    "files_of",
    "known_text",
    "reading",
    "supply",
]
