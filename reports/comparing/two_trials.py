"""Two trials next to each other: what differs in their records, and their values.

Each is one trial with one seed, so a difference of values has no interval and shows no effect.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from reports.comparing.fields import Field, fields_of
from reports.comparing.versions import versions_of
from sweeps.record import TrialRecord

_PROGRAM = ("code", "packages", "python")

_RUNTIME = ("device", "memory_format", "threads", "slots", "load_average")
"""Facts of provenance about the machine at the time of the trial."""


class Group(NamedTuple):
    """The fields of one kind."""

    name: str
    differing: tuple[Field, ...]
    equal: int
    """The number of fields that are equal in both."""


class Value(NamedTuple):
    """One recorded value of both trials; None is unknown or not measured."""

    name: str
    first: float | None
    second: float | None

    @property
    def difference(self) -> float | None:
        """The second minus the first; None if one of them is unknown."""
        if self.first is None or self.second is None:
            return None
        return self.second - self.first


class TrialDiff(NamedTuple):
    """What differs between two trials, and their values."""

    groups: tuple[Group, ...]
    values: tuple[Value, ...]


def trial_diff(first: TrialRecord, second: TrialRecord) -> TrialDiff:
    """Compares two records: configuration, seeds, versions, machine, data, provenance, facts, values."""
    both = [_parts(record) for record in (first, second)]
    groups = [_group(name, [part[name] for part in both]) for name in both[0]]
    names = dict.fromkeys([*first.values, *second.values])
    values = (Value(name, first.values.get(name), second.values.get(name)) for name in names)
    return TrialDiff(tuple(groups), (*values, Value("seconds", first.seconds, second.seconds)))


def _group(name: str, both: list[dict[str, Any]]) -> Group:
    found = list(fields_of(both))
    differing = tuple(field for field in found if not field.equal)
    return Group(name, differing, len(found) - len(differing))


def _parts(record: TrialRecord) -> dict[str, dict[str, Any]]:
    config, facts, provenance = (
        dict(one) for one in (record.config, record.facts, record.provenance)
    )
    seeds = {name: config.pop(name) for name in ("seed", "seeds") if name in config}
    data = facts.pop("data", None) or {}
    for name in ("version", "unknown"):
        facts.pop(name, None)
    machine = {**_mapping(provenance.pop("machine", None))}
    machine |= {name: provenance.pop(name) for name in _RUNTIME if name in provenance}
    versions = {
        **versions_of(record)._asdict(),
        **{name: provenance.pop(name) for name in _PROGRAM if name in provenance},
    }
    ran = {
        "study": record.label,
        "cell": record.cell,
        "role": record.role,
        "levels": record.levels,
        "stages": {stage.name: stage.key for stage in record.stages},
        "state": record.state,
        "error": record.error,
        "attempt": record.attempt,
        "launch": record.launch,
        "started": record.started,
        "reused": list(record.reused),
    }
    return {
        "configuration": config,
        "seeds": seeds or {"seed": record.seed},
        "versions": versions,
        "machine": machine,
        "data": data,
        "provenance": {**ran, **provenance},
        "facts": facts,
    }


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
