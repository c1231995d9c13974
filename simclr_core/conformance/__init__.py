"""Checks whether another implementation of the loss or the views matches the paper's."""

from simclr_core.conformance.api import examine_loss, examine_views
from simclr_core.conformance.checks import Finding

__all__ = [
    "Finding",
    "examine_loss",
    "examine_views",
]
