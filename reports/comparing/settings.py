"""The settings and origins in which sides differ."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from reports.comparing.fields import ABSENT, Field, fields_of, text_of
from reports.comparing.sides import Side, common_arms
from reports.comparing.versions import versions_of
from reports.spec import facts_of
from sweeps.record import TrialRecord

_SEEDS = ("seed", "seeds")
"""Fields that a trial's seed sets."""

_OWN = ("load_average", "host")
"""Facts of provenance that say nothing of how a trial was computed."""


class SettingRow(NamedTuple):
    """One field that differs, with the arms in which it does."""

    field: str
    arms: tuple[str, ...]
    values: tuple[str, ...]
    """By side; empty where the side has no trial of these arms on record."""


def differing_settings(sides: Sequence[Side]) -> tuple[SettingRow, ...]:
    """The fields of the configuration that differ in an arm, arms with the same values together.

    The paths of images and custom components are left out: what they contain is compared.
    """
    rows: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for arm in common_arms(sides):
        for name, values in _differing(sides, arm):
            rows.setdefault((name, values), []).append(arm)
    return tuple(SettingRow(name, tuple(arms), values) for (name, values), arms in rows.items())


def _differing(sides: Sequence[Side], arm: str) -> list[tuple[str, tuple[str, ...]]]:
    configs = [_config(side.record(arm)) for side in sides]
    known = [config for config in configs if config is not None]
    if len(known) < 2:
        return []
    found: list[tuple[str, tuple[str, ...]]] = []
    for field in fields_of(known):
        if not field.equal and field.name.rpartition(".")[2] != "path":
            texts = iter(map(text_of, field.values))
            values = tuple("" if config is None else next(texts) for config in configs)
            found.append((field.name, values))
    return found


def _config(record: TrialRecord | None) -> dict[str, Any] | None:
    if record is None:
        return None
    return {name: value for name, value in record.config.items() if name not in _SEEDS}


def differing_origins(sides: Sequence[Side]) -> tuple[Field, ...]:
    """What else differs: study, scale, data, seeds, versions, program and machine."""
    return tuple(field for field in fields_of([_origin(side) for side in sides]) if not field.equal)


def _origin(side: Side) -> dict[str, Any]:
    evidence = side.evidence
    counting = [one.record for one in side.found if one.record and one.values]
    seeds = sorted({one.trial.seed for one in side.found if one.values})
    facts = [facts_of(record) for record in counting]
    versions = [versions_of(record) for record in counting]
    provenance = [_provenance(record) for record in counting]
    return {
        "study": evidence.study,
        "scale": evidence.scale,
        "store": side.store,
        "metric": f"{evidence.metric_name}, {evidence.unit}",
        "images": evidence.data_name,
        "fingerprint of the images": _one(
            [(one.data.fingerprint or "unknown")[:12] for one in facts]
        ),
        "seeds": ", ".join(map(str, seeds)),
        "version of the trainer": _one([one.trainer for one in versions]),
        "version of the evaluation": _one([one.evaluation for one in versions]),
        **{
            name: _one([one.get(name, ABSENT) for one in provenance])
            for name in dict.fromkeys(name for one in provenance for name in one)
        },
    }


def _provenance(record: TrialRecord) -> dict[str, Any]:
    found = fields_of([{k: v for k, v in record.provenance.items() if k not in _OWN}])
    return {field.name: field.values[0] for field in found}


def _one(values: Sequence[Any]) -> Any:
    """The value of all trials, or all values of them in one text; absent without any."""
    each = list(dict.fromkeys(text_of(value) for value in values))
    if len(each) > 3:
        return f"{', '.join(each[:3])} and {len(each) - 3} more"
    return ", ".join(each) if each else ABSENT
