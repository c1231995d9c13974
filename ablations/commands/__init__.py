"""The commands of `ablate`: parsing, running, printing."""

from ablations.commands.cli import app
from ablations.commands.collector import searched_again
from ablations.commands.from_python import compared_sides, perform_run, recorded_evidence
from ablations.commands.options import How, how, together
from ablations.commands.standard_streams import Output
from ablations.commands.terminal import say

__all__ = [
    "How",
    "Output",
    "app",
    "compared_sides",
    "how",
    "perform_run",
    "recorded_evidence",
    "say",
    "searched_again",
    "together",
]
