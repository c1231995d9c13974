"""The versions of trainer and evaluation behind a record."""

from typing import NamedTuple

from sweeps.record import TrialRecord

ENCODER, EVALUATION = "encoder", "evaluation"
"""The stages of a trial's chain whose identities contain a version."""


class Versions(NamedTuple):
    """Raised by hand when the numbers change; None in records without a chain."""

    trainer: int | None
    evaluation: int | None


def versions_of(record: TrialRecord) -> Versions:
    """The versions in a record's chain."""
    stages = dict(record.chain)
    encoder, evaluation = stages.get(ENCODER, {}), stages.get(EVALUATION, {})
    return Versions(encoder.get("trainer"), evaluation.get("version"))
