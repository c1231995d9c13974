"""From the records of a study to the evidence that its report is made from."""

from ablations.evidence.collect import evidence
from ablations.evidence.stamp import fix

__all__ = [
    "evidence",
    "fix",
]
