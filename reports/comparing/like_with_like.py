"""Whether numbers of two sides may be subtracted: measured in one way, on the same images."""

from collections.abc import Iterator
from typing import NamedTuple

from reports.comparing.sides import Side
from reports.comparing.versions import versions_of
from reports.spec import facts_of


class Likeness(NamedTuple):
    """What stands against a difference of one cell between two sides; empty if nothing does."""

    withheld: tuple[str, ...]
    """Why the numbers are not of one kind: no difference is given."""
    marked: tuple[str, ...]
    """What else differs than the settings, with a difference given all the same."""


def likeness(first: Side, second: Side, cell: str) -> Likeness:
    """Compares what the numbers of a cell are, on two sides that have it."""
    return Likeness(
        tuple(_other_kind(first, second, cell)), tuple(_other_origin(first, second, cell))
    )


def _other_kind(first: Side, second: Side, cell: str) -> Iterator[str]:
    one, other = first.evidence, second.evidence
    if (one.metric, one.unit) != (other.metric, other.unit):
        yield f"other metrics: {one.metric} in {one.unit}, {other.metric} in {other.unit}"
    targets = [info.predicts for side in (first, second) if (info := side.cell(cell))]
    if len(set(targets)) > 1:
        yield f"the probes predict other targets: {' and '.join(targets)}"
    records = [side.record(cell) for side in (first, second)]
    if None in records:
        return
    a, b = (record for record in records if record)
    facts = facts_of(a), facts_of(b)
    prints = [one.data.fingerprint for one in facts]
    if None not in prints and len(set(prints)) > 1:
        yield f"other images: fingerprints {' and '.join(str(one)[:12] for one in prints)}"
    splits = [one.measured_on for one in facts]
    if None not in splits and len(set(splits)) > 1:
        yield f"measured on other splits: {' and '.join(map(str, splits))}"
    versions = versions_of(a).evaluation, versions_of(b).evaluation
    if None not in versions and len(set(versions)) > 1:
        yield f"other versions of the evaluation: {' and '.join(map(str, versions))}"


def _other_origin(first: Side, second: Side, cell: str) -> Iterator[str]:
    records = [record for side in (first, second) if (record := side.record(cell))]
    if len(records) < 2:
        return
    a, b = records
    versions, devices = (versions_of(a), versions_of(b)), (facts_of(a).device, facts_of(b).device)
    trainers = [one.trainer for one in versions]
    if len(set(trainers)) > 1 and None not in trainers:
        yield f"other versions of the trainer: {' and '.join(map(str, trainers))}"
    prints = [facts_of(one).data.fingerprint for one in records]
    unknown = {
        "images": None in prints,
        "trainer's version": None in trainers,
        "evaluation's version": None in [one.evaluation for one in versions],
    }
    if names := [name for name, is_unknown in unknown.items() if is_unknown]:
        yield f"unknown whether they are the same: {', '.join(names)}"
    if None not in devices and len(set(devices)) > 1:
        yield f"other devices: {' and '.join(map(str, devices))}"
