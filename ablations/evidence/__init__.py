"""From the records of a study to the evidence that its report is made from."""

from ablations.evidence.collect import evidence
from ablations.evidence.resolved import snapshot_of
from ablations.evidence.snapshots import current, save, snapshot_at
from ablations.evidence.stamp import fix

__all__ = [
    "current",
    "evidence",
    "fix",
    "save",
    "snapshot_at",
    "snapshot_of",
]
