"""Whether a loss or a pair of views that somebody else wrote does what the paper's do."""

from simclr_core.conformance.api import examine_loss, examine_views
from simclr_core.conformance.checks import Finding

__all__ = [
    "Finding",
    "examine_loss",
    "examine_views",
]
