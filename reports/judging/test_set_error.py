"""The error from the choice of test images: the part of a claim's error that seeds do not show.

All seeds and cells use the same test images, so an interval over seeds does not include this error.
"""

import math
from collections.abc import Sequence
from statistics import fmean

from reports.judging.trial_outcomes import Outcome
from reports.judging.verdict import Verdict
from reports.spec import Evidence, RanksLike


def sampling_error(verdict: Verdict, evidence: Evidence, found: Sequence[Outcome]) -> float:
    """An upper bound of the standard error over test images, in points; NaN if unknown.

    An accuracy a on n images has the binomial's sqrt(a (100 - a) / n), which its mean over seeds
    does not pass. A contrast with weights w adds the cells of one sign as if they were right on the
    same images, and those of the other sign as if on independent ones; in truth these agree too,
    which makes the error of a paired difference smaller. Only for accuracies in per cent.
    """
    claim, cells = verdict.claim, verdict.shown_cells
    weights = [] if isinstance(claim, RanksLike) else claim.weights(len(cells))
    own = [o for o in found if o.cell.name in cells and o.record is not None and o.values]
    counts = {o.facts.data.test_images for o in own}
    asked = {o.facts.measured_on or "test" for o in own}
    each = {cell: [o.value for o in own if o.cell.name == cell] for cell in cells}
    means = [fmean(values) if values else math.nan for values in each.values()]
    known = evidence.unit == "%" and len(counts) == 1 and asked == {"test"}
    number = next(iter(counts), None)
    if not known or not weights or number is None or number < 1:
        return math.nan
    if not all(0 <= mean <= 100 for mean in means):
        return math.nan
    errors = [
        weight * math.sqrt(mean * (100 - mean) / number)
        for weight, mean in zip(weights, means, strict=True)
    ]
    return math.hypot(sum(e for e in errors if e > 0), sum(e for e in errors if e < 0))
