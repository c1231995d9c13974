"""The rule of a claim in words: what is measured, against what, and which result gives which verdict."""

from reports.judging.decisions import Decision
from reports.judging.verdict import Verdict
from reports.judging.verdict_board import margin_of, percent, unit_of
from reports.spec import ERROR_RATE, Equivalent, Evidence, RanksLike


def rule_of(verdict: Verdict, evidence: Evidence) -> str:
    """The rule of a claim's verdict; an exploratory claim has none."""
    claim, cells = verdict.claim, verdict.cells or verdict.claim.roles()
    if not claim.primary:
        return "Exploratory: the number is an estimate and is not judged."
    own = not verdict.cites or evidence.synthetic_data
    yes = (Decision.SHOWN if own else Decision.REPRODUCED).value
    no = (Decision.NOT_SHOWN if own else Decision.CONTRADICTED).value
    margin = f"{margin_of(claim)} {unit_of(claim, evidence)}"
    if isinstance(claim, RanksLike):
        least = f"{claim.min_tau:g}"
        return (
            f"Kendall's tau-b of our means with the published table over {len(cells)} cells, tested "
            f"by permuting whole levels: {yes} if it is significant and at least +{least}, {no} if it "
            f"is significant and at most -{least}, else inconclusive."
        )
    if isinstance(claim, Equivalent):
        return (
            f"The difference of each two of {len(cells)} cells, by two one-sided t-tests: {yes} if the "
            f"interval of every pair lies within {margin}, {no} if that of some pair lies outside, "
            "else inconclusive."
        )
    smaller = f", {Decision.SMALLER.value} if it is below the margin but not below 0"
    no_worse = f", {Decision.NO_WORSE.value} if it is above the margin but not above 0"
    return (
        f"{claim.quantity(cells)}, one number per seed, by a two-sided t-test against the margin of "
        f"{margin}: {yes} if the interval is above {'it' if claim.margin >= 0 else 'it and above 0'}, "
        f"{no} if it is below {'it' if claim.margin <= 0 else 'it and below 0'}"
        f"{smaller if claim.margin > 0 else no_worse if claim.margin < 0 else ''}, else inconclusive."
    )


def looks_of(evidence: Evidence) -> str:
    """When primary claims are judged, and what they share."""
    primary = sum(claim.primary for claim in evidence.claims)
    looks = " and ".join(
        f"{n} seeds (error rate {percent(share * ERROR_RATE)})"
        for n, share in zip(evidence.looks.seeds, evidence.looks.shares, strict=True)
    )
    among = "it alone" if primary == 1 else f"Holm's procedure among {primary} primary claims"
    return f"at {looks}, by {among}; the first decision is final"
