"""The control that trials which share an encoder were measured on the same weights."""

from collections import defaultdict
from collections.abc import Sequence

from reports.judging.control import Control, State
from reports.judging.trial_outcomes import Outcome

NAME = "one encoder, one hash"


def one_hash(found: Sequence[Outcome]) -> tuple[Control, ...]:
    """Whether all records of one encoder's key have one hash; empty where nothing is known.

    Arms, floors and controls that share an encoder can be compared only if its weights are the same.
    They differ after training on another machine or from a changed file.
    """
    hashes: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for outcome in found:
        record = outcome.record
        if record is None or record.state != "finished" or not record.stages:
            continue
        if (seen := outcome.facts.encoder_hash_before) is not None:
            who = f"{outcome.cell.name} seed {outcome.trial.seed}"
            hashes[record.stages[0].key][seen].append(who)
    if not hashes:
        return ()
    several = {key: seen for key, seen in hashes.items() if len(seen) > 1}
    if not several:
        detail = f"each of {len(hashes)} encoders had the same hash in all its trials."
        return (Control(NAME, State.PASSED, detail),)
    texts = [
        f"encoder {key}: "
        + ", ".join(f"{seen[:12]} ({'; '.join(who)})" for seen, who in sorted(of.items()))
        for key, of in sorted(several.items())
    ]
    detail = (
        f"{len(several)} of {len(hashes)} encoders have records with different weights: "
        f"{'; '.join(texts)}; run these trials again with --again, so that all use the same "
        "encoder."
    )
    return (Control(NAME, State.FAILED, detail),)
