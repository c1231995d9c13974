"""One record as one run of MLflow."""

import datetime as dt
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow.entities import Dataset, Metric

from sweeps.record import TrialRecord
from sweeps.storage import Store
from sweeps.tracking.names import NOTE, TAG_PREFIX, as_markdown, name_of
from sweeps.tracking.new_run import NewRun

_FILE_BYTES = 2**20
"""A longer log or file stays only in the store; the note gives the log's path."""


def trial_run(
    record: TrialRecord, store: Store, tags: dict[str, str], texts: Mapping[str, str]
) -> NewRun:
    """A record as a run, with these tags and texts and its own.

    The attempt, written last, marks it as complete.
    """
    began = int(dt.datetime.fromisoformat(record.started).timestamp() * 1000)
    ended = began + int((record.seconds - record.earlier_seconds) * 1000)
    log = _log_of(record, store)
    files = (log, *(log.parent / "files" / name for name in record.files))
    return NewRun(
        name=f"{record.cell}, seed {record.seed}",
        began=began,
        ended=ended,
        status="FINISHED" if record.state == "finished" else "FAILED",
        tags={
            **tags,
            f"{TAG_PREFIX}key": record.key,
            f"{TAG_PREFIX}launch": record.launch,
            "role": record.role,
            NOTE: _note(record, store),
            **_origin(record),
        },
        mark={f"{TAG_PREFIX}attempt": str(record.attempt)},
        params={
            **level_params(record.cell, record.role, record.levels),
            "seed": str(record.seed),
        },
        metrics=tuple(_metrics(record, began, ended)),
        dataset=_data(record),
        texts=(
            ("config.json", json.dumps(record.config, indent=1)),
            ("provenance.json", json.dumps(record.provenance, indent=1)),
            *texts.items(),
        ),
        files=tuple(
            file for file in files if file.is_file() and file.stat().st_size <= _FILE_BYTES
        ),
    )


def changes(known: Mapping[str, float], values: Mapping[str, float]) -> dict[str, float]:
    """The metrics to log, given those of the run.

    MLflow cannot remove a metric; one that is no longer known becomes not a number.
    """
    all_of_them = dict.fromkeys(known, math.nan) | dict(values)
    return {
        name: value
        for name, value in all_of_them.items()
        if name not in known or not _same(known[name], value)
    }


def _same(before: float, now: float) -> bool:
    return before == now or (math.isnan(before) and math.isnan(now))


def _log_of(record: TrialRecord, store: Store) -> Path:
    """Where the store has it: the path in a record from elsewhere may lead anywhere."""
    return store.attempt(record.key, record.attempt) / "log.txt"


def level_params(cell: str, role: str, levels: dict[str, str]) -> dict[str, str]:
    """The parameters that distinguish a cell; an axis may share the name of one of ours."""
    ours = {"cell": cell, "role": role}
    taken = {*ours, "seed"}
    named = {
        f"axis {name_of(axis)}" if axis in taken else name_of(axis): label
        for axis, label in levels.items()
    }
    return ours | named


def _metrics(record: TrialRecord, began: int, ended: int) -> list[Metric]:
    steps = record.curve.get("step", [])
    apart = (ended - began) / max(1, len(steps))
    metrics = [
        Metric(name_of(name), float(value), began + int(apart * row), int(step or 0))
        for name, column in record.curve.items()
        if name != "step"
        for row, (step, value) in enumerate(zip(steps, column, strict=True))
        if value is not None
    ]
    final = {f"final/{name_of(name)}": value for name, value in record.values.items()}
    final["seconds"] = record.seconds
    known = {name: value for name, value in final.items() if value is not None}
    return metrics + [Metric(name, float(value), ended, 0) for name, value in known.items()]


def _data(record: TrialRecord) -> Dataset | None:
    data = record.facts.get("data")
    if not isinstance(data, dict) or "name" not in data:
        return None
    return Dataset(
        name=str(data["name"])[:500],
        digest=str(data.get("fingerprint", "unknown"))[:36],
        source_type="local",
        source=json.dumps({"name": data["name"]}),
    )


def _origin(record: TrialRecord) -> dict[str, str]:
    """Code and machine as tags, if the record has them."""
    provenance = record.provenance
    code, machine = _mapping(provenance.get("code")), _mapping(provenance.get("machine"))
    facts = {
        "mlflow.source.git.commit": code.get("commit"),
        f"{TAG_PREFIX}dirty": code.get("dirty"),
        f"{TAG_PREFIX}host": provenance.get("host"),
        f"{TAG_PREFIX}cpu": machine.get("cpu"),
        f"{TAG_PREFIX}device": provenance.get("device"),
        f"{TAG_PREFIX}threads": provenance.get("threads"),
        f"{TAG_PREFIX}slots": provenance.get("slots"),
    }
    return {name: str(value) for name, value in facts.items() if value is not None}


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _note(record: TrialRecord, store: Store) -> str:
    lines = [f"Trial `{record.key}`, attempt {record.attempt}, launch `{record.launch}`."]
    if record.error is not None:
        lines.append(f"It failed: {as_markdown(record.error)}")
    if record.reused:
        lines.append(f"It reused from the store: {', '.join(record.reused)}.")
    for name, why in _mapping(record.facts.get("unknown")).items():
        lines.append(f"{name} is unknown: {why}.")
    if record.attempt > 1:
        numbers = ", ".join(map(str, range(1, record.attempt)))
        lines.append(f"Other attempts are in the store: {numbers}.")
    lines.append(f"Log: `{_log_of(record, store)}`")
    return "\n\n".join(lines)[:7900]


def milliseconds_now() -> int:
    """The current time, in MLflow's form."""
    return int(dt.datetime.now(dt.UTC).timestamp() * 1000)
