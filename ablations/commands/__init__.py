"""The commands of `ablate`: parsing, running, printing."""

from ablations.commands.cli import app
from ablations.commands.standard_streams import Output
from ablations.commands.terminal import say

__all__ = [
    "Output",
    "app",
    "say",
]
