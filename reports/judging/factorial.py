"""Main effects and interactions in parts: the differences behind their one number."""

from collections.abc import Sequence
from statistics import fmean

from reports.judging.contrasts import Subject
from reports.spec import Factorial, Interaction


def parts_in_words(subject: Subject, seeds: Sequence[int]) -> str:
    """The differences that a claim averages or compares, as means over the seeds; may be empty.

    A main effect can be the mean of opposite differences, and equal differences of differences can
    come from any two.
    """
    claim = subject.claim
    assert isinstance(claim, Factorial), "other claims have no parts"
    means = [fmean(subject.numbers[cell][seed] for seed in seeds) for cell in subject.cells]
    size = len(means) // len(claim.corners())
    groups = [means[start : start + size] for start in range(0, len(means), size)]
    differences = [
        [one - other for one, other in zip(better, worse, strict=True)]
        for better, worse in zip(groups[::2], groups[1::2], strict=True)
    ]
    if isinstance(claim, Interaction):
        larger, smaller = map(fmean, differences)
        at = f"{larger:+.1f} at {claim.larger_at} and {smaller:+.1f} at {claim.smaller_at}"
        return f"{claim.better} minus {claim.worse} is {at}"
    (each,) = differences
    if size == 1:
        return ""
    ends = f"between {min(each):+.1f} and {max(each):+.1f}"
    opposite = ", so it is not the same everywhere" if min(each) < 0 < max(each) else ""
    return f"over {size} combinations of the other levels the difference is {ends}{opposite}"
