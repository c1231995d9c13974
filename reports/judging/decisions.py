"""The possible decisions for a claim, and their wording, which depends on what the claim cites.

Only a claim that cites a publication can be reproduced or contradicted. It cites one when it names
the place of its statement, or when a published table has a number for each of its cells and these
numbers say what the claim says. Any other claim is the study's own: shown, or not shown.
"""

from collections.abc import Sequence
from enum import StrEnum

from reports.spec import AnyClaim, Deviation, Equivalent, Evidence, RanksLike
from sweeps.intervals import Interval


class Decision(StrEnum):
    """The result of a claim."""

    REPRODUCED = "reproduced"
    CONTRADICTED = "contradicted"
    SHOWN = "shown"
    NOT_SHOWN = "not shown"
    SMALLER = "smaller than claimed"
    NO_WORSE = "no worse than its margin"
    INCONCLUSIVE = "inconclusive"
    WAITING = "waiting for its look"
    WITHHELD = "withheld"
    NOT_JUDGED = "not judged at this scale"
    EXPLORATORY = "exploratory, not judged"


DECIDED = frozenset(
    {
        Decision.REPRODUCED,
        Decision.CONTRADICTED,
        Decision.SHOWN,
        Decision.NOT_SHOWN,
        Decision.SMALLER,
        Decision.NO_WORSE,
    }
)
"""The decisions that a look can make; the first one is final."""

CITES_NOTHING = "no publication (this study's own claim)"


def cites(claim: AnyClaim, published: Sequence[float | None], source: str) -> str:
    """The place in a publication that states the claim or has its numbers.

    `published` are the numbers of the claim's cells, in its order, `source` names their table.
    Empty if the claim cites nothing; numbers that do not support it do not count as a citation.
    """
    if claim.source:
        return claim.source
    numbers = [number for number in published if number is not None]
    if not numbers or len(numbers) < len(published):
        return ""
    return source if claim.supported_by(numbers) else ""


def denied_by(claim: AnyClaim, published: Sequence[float | None]) -> str:
    """How the published numbers contradict a claim that names a source; empty if they agree.

    `published` are the numbers of the claim's cells, in its order; empty if one is unknown.
    """
    numbers = [number for number in published if number is not None]
    if isinstance(claim, RanksLike) or not numbers or len(numbers) < len(published):
        return ""
    if claim.supported_by(numbers):
        return ""
    alike = isinstance(claim, Equivalent)
    size = f"{max(numbers) - min(numbers):.1f}" if alike else f"{claim.contrast(numbers):+.1f}"
    denied = "the published numbers of its cells do not support the claim"
    return f"{denied}: {size}, margin {claim.margin:g}"


def decision(numbers: Interval, claim: AnyClaim, *, cited: bool) -> Decision:
    """The decision on a claim whose test against the margin is significant, from its interval.

    An interval within both ends of the margin shows an equivalence, one outside the opposite.

    A value below the margin does not show the opposite of the claim; for that, the interval must be
    below 0 as well. If the true value is 0 or more, the interval is below 0 in at most half of the
    test's error rate. Likewise, a value above a negative margin does not show the claim's direction;
    for that, the interval must be above 0.
    """
    margin = claim.margin
    shown = Decision.REPRODUCED if cited else Decision.SHOWN
    opposite = Decision.CONTRADICTED if cited else Decision.NOT_SHOWN
    if isinstance(claim, Equivalent):
        return shown if abs(numbers.mean) < margin else opposite
    if margin < 0 and margin < numbers.mean and not numbers.low > 0:
        return Decision.NO_WORSE
    if numbers.mean > margin:
        return shown
    # Rank claims have no bounds, and no margin: a reversal is the opposite.
    if margin > 0 and not numbers.high < 0:
        return Decision.SMALLER
    return opposite


def verdict_words(
    decided: Decision, evidence: Evidence, deviations: Sequence[Deviation], *, cited: bool
) -> str:
    """A verdict names its scale; only the paper's own protocol needs no qualification."""
    if decided not in DECIDED | {Decision.INCONCLUSIVE}:
        return decided.value
    if evidence.synthetic_data:
        return f"{decided} on synthetic data"
    if evidence.scale != "paper":
        return f"{decided} at {evidence.scale} scale"
    if deviations:
        number = f"{len(deviations)} deviation{'' if len(deviations) == 1 else 's'}"
        return f"{decided} at paper scale, with {number}"
    return decided.value if cited else f"{decided} at paper scale"
