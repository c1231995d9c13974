"""The possible decisions for a claim, and their wording, which depends on what the claim cites.

Only a claim that cites a publication can be reproduced or contradicted. It cites one when it names
the place of its statement, or when a published table has a number for each of its cells and these
numbers say what the claim says. Any other claim is the study's own: shown, or not shown.
"""

from collections.abc import Sequence
from enum import StrEnum

from reports.spec import AnyClaim, Deviation, Evidence, RanksLike
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
    says_so = isinstance(claim, RanksLike) or claim.contrast(numbers) > claim.margin
    return source if says_so else ""


def denied_by(claim: AnyClaim, published: float) -> str:
    """How the published numbers contradict a claim that names a source; empty if they agree."""
    if published > claim.margin:
        return ""
    numbers = f"{published:+.1f}, margin {claim.margin:g}"
    return f"the published numbers of its cells do not support the claim: {numbers}"


def decision(numbers: Interval, margin: float, *, cited: bool) -> Decision:
    """The decision on a claim whose test against the margin is significant, from its interval.

    A value below the margin does not show the opposite of the claim; for that, the interval must be
    below 0 as well. If the true value is 0 or more, the interval is below 0 in at most half of the
    test's error rate. Likewise, a value above a negative margin does not show the claim's direction;
    for that, the interval must be above 0.
    """
    if margin < 0 and margin < numbers.mean and not numbers.low > 0:
        return Decision.NO_WORSE
    if numbers.mean > margin:
        return Decision.REPRODUCED if cited else Decision.SHOWN
    # Rank claims have no bounds, and no margin: a reversal is the opposite.
    if margin > 0 and not numbers.high < 0:
        return Decision.SMALLER
    return Decision.CONTRADICTED if cited else Decision.NOT_SHOWN


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
