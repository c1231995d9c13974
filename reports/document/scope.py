"""What this run took, next to what a full replication would take."""

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

from reports.document.blocks import Table
from reports.document.findings import Findings
from reports.document.formatting import rounded, table
from reports.spec import (
    PAPERS_CORES,
    PAPERS_HOURS,
    WATTS_OF_A_CORE,
    WATTS_OF_A_GPU,
    Pretraining,
    flop_text,
)
from sweeps.record import TrialRecord

UNKNOWN = "unknown"

HOURS_OF_A_YEAR = 24 * 365.25

MOST_NAMED = 3
"""How many different values of one quantity are listed."""


class _Trained(NamedTuple):
    """The encoders of the arms on record, each counted once."""

    arms: tuple[str, ...]
    seeds: tuple[int, ...]
    """How many seeds each of the arms has."""
    encoders: int
    operations: int | None
    seconds: float | None
    """Of pre-training, of all encoders."""
    parameters: tuple[int, ...]


def scope_table(findings: Findings) -> Table | None:
    """This run against a full replication; None before any arm is on record."""
    scope, ours = findings.evidence.scope, _trained(findings)
    if not ours.arms:
        return None
    here = [scope.here[arm] for arm in ours.arms if arm in scope.here]
    full, seeds = list(scope.full.values()), scope.full_seeds
    encoders, total = len(full) * seeds, _total(full, seeds)
    spent, power = _spent(findings), _kilowatts(findings.evidence.records)
    needed = _extrapolated(ours, total)
    few, many = min(ours.seeds), max(ours.seeds)
    rows = [
        ("arms", str(len(ours.arms)), _known(len(full))),
        ("seeds", str(few) if few == many else f"{few} to {many}", _known(seeds)),
        ("encoders trained", str(ours.encoders), _known(encoders)),
        *_both(here, full),
        ("parameters of the encoder", _range(ours.parameters), ""),
        ("operations of pre-training", _flop(ours.operations), _flop(total)),
        ("hours", rounded(spent), _at_this_rate(ours, needed)),
        ("hours on the paper's hardware", "", _papers_hours(total, scope.papers)),
        ("energy, estimated", _energy(power, spent), _energy(power, needed)),
    ]
    caption = (
        "This run against a full replication, which is every arm of the study at paper scale. "
        "Operations are those of encoder and head in pre-training, forward and backward, counted from "
        "the configurations. The hours of this run are those of all its trials, added up; the hours of "
        "the replication assume the operations per second that this run's pre-training reached, and "
        f"those on the paper's hardware the {PAPERS_HOURS:g} hours that it states for one ResNet-50 "
        f"encoder of 100 epochs on {PAPERS_CORES} TPU v3 cores (section 2.2, footnote 2). Energy is an "
        f"estimate, not a measurement: {WATTS_OF_A_CORE:g} W for each thread of a trial on a CPU, "
        f"{WATTS_OF_A_GPU:g} W on a GPU, over these hours."
    )
    shown = [row for row in rows if any(row[1:])]
    return table("scope", caption, ("quantity", "this run", "full replication"), shown)


def _trained(findings: Findings) -> _Trained:
    scope, arms = findings.evidence.scope, dict[str, set[int]]()
    encoders = dict[str, tuple[int | None, float | None]]()
    parameters = set[int]()
    for one in findings.found:
        if one.cell.role != "arm" or one.record is None or one.record.state != "finished":
            continue
        arms.setdefault(one.cell.name, set()).add(one.trial.seed)
        work = scope.here.get(one.cell.name)
        key = one.record.stages[0].key if one.record.stages else one.trial.key
        encoders[key] = (work and work.operations, one.facts.pretraining_seconds)
        if one.facts.num_parameters is not None:
            parameters.add(one.facts.num_parameters)
    counted = [operations for operations, _ in encoders.values() if operations is not None]
    timed = [seconds for _, seconds in encoders.values() if seconds is not None]
    whole = len(encoders)
    return _Trained(
        arms=tuple(arms),
        seeds=tuple(len(seeds) for seeds in arms.values()),
        encoders=whole,
        operations=sum(counted) if len(counted) == whole else None,
        seconds=math.fsum(timed) if len(timed) == whole else None,
        parameters=tuple(sorted(parameters)),
    )


def _both(here: list[Pretraining], full: list[Pretraining]) -> Iterable[tuple[str, str, str]]:
    def row(name: str, value: Callable[[Pretraining], str | int | None]) -> tuple[str, str, str]:
        ours, theirs = ([value(one) for one in each] for each in (here, full))
        return name, _range(ours), _range(theirs)

    yield row("data", lambda one: one.data)
    yield row("training images", lambda one: one.images)
    yield row("side of the views, px", lambda one: one.size)
    yield row("epochs", lambda one: one.epochs)
    yield row("batch size", lambda one: one.batch)
    yield row("network", lambda one: one.network)


def _range(values: Iterable[str | int | None]) -> str:
    """The different values: numbers in order, several as "least to most"; empty without any."""
    found = list(dict.fromkeys(values))
    if not found:
        return ""
    if None in found:
        return UNKNOWN
    numbers = sorted(value for value in found if isinstance(value, int))
    if len(numbers) > 1:
        return f"{numbers[0]:,} to {numbers[-1]:,}"
    texts = [f"{value:,}" if isinstance(value, int) else str(value) for value in found]
    more = [f"{len(texts) - MOST_NAMED} more"] if len(texts) > MOST_NAMED else []
    return "; ".join([*texts[:MOST_NAMED], *more])


def _total(full: list[Pretraining], seeds: int) -> int | None:
    each = [one.operations for one in full]
    known = [operations for operations in each if operations is not None]
    return seeds * sum(known) if full and len(known) == len(each) else None


def _known(value: int) -> str:
    return f"{value:,}" if value else UNKNOWN


def _flop(operations: int | None) -> str:
    return UNKNOWN if operations is None else flop_text(operations)


def _spent(findings: Findings) -> float:
    return math.fsum(record.cost_seconds for record in findings.evidence.records) / 3600


def _extrapolated(ours: _Trained, total: int | None) -> float | None:
    """Hours of as many operations at the rate of this run's pre-training."""
    if total is None or not ours.operations or not ours.seconds:
        return None
    return total * ours.seconds / ours.operations / 3600


def _at_this_rate(ours: _Trained, hours: float | None) -> str:
    if hours is None or not ours.operations or not ours.seconds:
        return UNKNOWN
    years = hours / HOURS_OF_A_YEAR
    long = f" ({rounded(years)} years)" if years >= 2 else ""
    rate = flop_text(ours.operations / ours.seconds)
    return f"about {rounded(hours)}{long} at this run's {rate} per second"


def _kilowatts(records: Iterable[TrialRecord]) -> float | None:
    """The assumed power of a trial, on average over the time of all; None if a record lacks its part."""
    joules = seconds = 0.0
    for record in records:
        device, threads = (record.provenance.get(name) for name in ("device", "threads"))
        if device is None or not isinstance(threads, int):
            return None
        watts = WATTS_OF_A_CORE * threads if device == "cpu" else WATTS_OF_A_GPU
        joules += watts * record.cost_seconds
        seconds += record.cost_seconds
    return joules / seconds / 1000 if seconds else None


def _energy(kilowatts: float | None, hours: float | None) -> str:
    if kilowatts is None or hours is None:
        return UNKNOWN
    return f"about {rounded(kilowatts * hours)} kWh"


def _papers_hours(total: int | None, papers: Pretraining | None) -> str:
    if total is None or papers is None or not papers.operations:
        return ""
    return f"{rounded(PAPERS_HOURS * PAPERS_CORES * total / papers.operations)} of one TPU v3 core"
