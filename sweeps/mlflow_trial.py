"""One record as one run of MLflow."""

import datetime as dt
import json
import re
from typing import Any

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run
from mlflow.tracking import MlflowClient

from sweeps.record import TrialRecord
from sweeps.store import Store

OURS = "sweeps."
"""How our tags begin."""

_BATCH = 1000
"""Metrics that MLflow takes at once."""

_LOG_BYTES = 2**20
"""A longer log stays in the store alone; the note says where."""


def write_trial(
    client: MlflowClient, parent: Run, store: Store, record: TrialRecord, begun: Run | None
) -> Run:
    """Writes a record as a run below the study's; its attempt, written last, marks it whole.

    A run that was begun and cut off is completed: what is logged twice stands once.
    """
    began = _milliseconds(record.started)
    ended = began + int((record.seconds - record.earlier_seconds) * 1000)
    if begun is None:
        begun = client.create_run(
            parent.info.experiment_id,
            start_time=began,
            run_name=f"{record.cell}, seed {record.seed}",
            tags={
                f"{OURS}role": "trial",
                f"{OURS}store": store.identity,
                f"{OURS}study": parent.data.tags[f"{OURS}study"],
                f"{OURS}key": record.key,
                f"{OURS}launch": record.launch,
                "mlflow.parentRunId": parent.info.run_id,
                "mlflow.note.content": _note(record, store),
                **_origin(record),
            },
        )
    run = begun.info.run_id
    client.log_batch(run, params=_params(record))
    add_metrics(client, run, _metrics(record, began, ended))
    _add_data(client, run, record)
    client.log_text(run, json.dumps(record.config, indent=1), "config.json")
    client.log_text(run, json.dumps(record.provenance, indent=1), "provenance.json")
    log = store.path / record.log
    if log.is_file() and log.stat().st_size <= _LOG_BYTES:
        client.log_artifact(run, str(log))
    status = "FINISHED" if record.state == "finished" else "FAILED"
    client.set_terminated(run, status=status, end_time=ended)
    client.set_tag(run, f"{OURS}attempt", str(record.attempt))
    return client.get_run(run)


def add_metrics(client: MlflowClient, run: str, metrics: list[Metric]) -> None:
    """Logs any number of metrics."""
    for first in range(0, len(metrics), _BATCH):
        client.log_batch(run, metrics=metrics[first : first + _BATCH])


def name_of(name: str) -> str:
    """A name as MLflow takes it: letters, digits, `_-. :/`, no empty or dotted part of a path."""
    parts = re.sub(r"[^\w\-. :/]", "_", name).split("/")
    return "/".join(part if part.strip(".") else f"_{part}" for part in parts)[:240]


def level_params(cell: str, role: str, levels: dict[str, str]) -> dict[str, str]:
    """What distinguishes a cell, as parameters; an axis may be called as one of ours."""
    ours = {"cell": cell, "role": role}
    taken = {*ours, "seed"}
    named = {
        f"axis {name_of(axis)}" if axis in taken else name_of(axis): label
        for axis, label in levels.items()
    }
    return ours | named


def _params(record: TrialRecord) -> list[Param]:
    params = level_params(record.cell, record.role, record.levels) | {"seed": str(record.seed)}
    return [Param(name, text) for name, text in params.items()]


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
    metrics += [
        Metric(name, float(value), ended, 0) for name, value in final.items() if value is not None
    ]
    return metrics


def _add_data(client: MlflowClient, run: str, record: TrialRecord) -> None:
    data = record.facts.get("data")
    if isinstance(data, dict) and "name" in data:
        dataset = Dataset(
            name=str(data["name"])[:500],
            digest=str(data.get("fingerprint", "unknown"))[:36],
            source_type="local",
            source=json.dumps({"name": data["name"]}),
        )
        tags = [InputTag("mlflow.data.context", "training")]
        client.log_inputs(run, [DatasetInput(dataset, tags)])


def _origin(record: TrialRecord) -> dict[str, str]:
    """Code and machine as tags, as far as the record knows them."""
    provenance = record.provenance
    code, machine = _mapping(provenance.get("code")), _mapping(provenance.get("machine"))
    facts = {
        "mlflow.source.git.commit": code.get("commit"),
        f"{OURS}dirty": code.get("dirty"),
        f"{OURS}host": provenance.get("host"),
        f"{OURS}cpu": machine.get("cpu"),
        f"{OURS}device": provenance.get("device"),
        f"{OURS}threads": provenance.get("threads"),
        f"{OURS}slots": provenance.get("slots"),
    }
    return {name: str(value) for name, value in facts.items() if value is not None}


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _note(record: TrialRecord, store: Store) -> str:
    lines = [f"Trial `{record.key}`, attempt {record.attempt}, launch `{record.launch}`."]
    if record.error is not None:
        lines.append(f"It failed: {record.error}")
    if record.reused:
        lines.append(f"It took from the store: {', '.join(record.reused)}.")
    for name, why in _mapping(record.facts.get("unknown")).items():
        lines.append(f"{name} is unknown: {why}.")
    earlier = range(1, record.attempt)
    if earlier:
        numbers = ", ".join(str(number) for number in earlier)
        lines.append(f"Other attempts are in the store: {numbers}.")
    lines.append(f"Log: `{store.path / record.log}`")
    return "\n\n".join(lines)[:7900]


def _milliseconds(moment: str) -> int:
    return int(dt.datetime.fromisoformat(moment).timestamp() * 1000)
