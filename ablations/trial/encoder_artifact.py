"""An encoder in the store: its weights, its head's, and the facts of its training run.

The facts belong to the encoder: every trial that uses the encoder records them, no matter which trial
trained it. The engine checks the files' hashes; encoders of earlier versions have none, and are
confirmed by the records that were measured on them.
"""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple

import torch

from ablations.compose import ENCODER
from simclr_core.config import Config, in_present_names
from simclr_core.evaluation import state_hash
from simclr_core.training import KNN, Pretrained
from sweeps.execution import TrialContext
from sweeps.jsonable import plain
from sweeps.record import TrialRecord
from sweeps.storage import read_json

WEIGHTS = "encoder.pt"
"""In an encoder's folder: the state of f, without the head."""

HEAD = "head.pt"
"""Next to it: the state of g, if there was a training run; earlier versions did not save it."""

TRAINING = "training.json"
"""Next to it: facts and curve of the training run."""

UNREADABLE = (OSError, EOFError, RuntimeError, ValueError, KeyError, UnpicklingError)
"""The errors that torch raises for a damaged file of weights."""

_FACTS = (
    *("optimiser_steps", "pretraining_seconds", "num_parameters", "device", "precision"),
    *("images_left_out_of_each_epoch", "labels_seen", "test_reads_in_pretraining"),
    *("collapsed", "collapse", "captured_steps", "why_eager", "resumed_at_step"),
)
"""The facts of a record that describe the training run."""

State = dict[str, torch.Tensor]


class StoredEncoder(NamedTuple):
    """An encoder from the store."""

    state: State
    head: State | None
    """Only where it was requested."""
    facts: dict[str, Any]
    """Of its training."""


def training_facts(trained: Pretrained) -> dict[str, Any]:
    """The facts of a training run for the record."""
    return {
        "optimiser_steps": trained.steps,
        "pretraining_seconds": trained.seconds,
        "num_parameters": trained.num_parameters,
        **trained.facts,
    }


def save_encoder(context: TrialContext, config: Config, trained: Pretrained) -> None:
    """Saves an encoder and the facts of its training run."""
    about = {
        "facts": plain(training_facts(trained)),
        "curve": context.curve(),
        "neighbours": _neighbours(config),
    }
    context.save_artifact(ENCODER, lambda folder: _save(trained, about, folder))


def stored_encoder(context: TrialContext, config: Config) -> StoredEncoder | None:
    """The stored encoder, its head if the head is evaluated, and the facts of its training run.

    The curve of the training run is added to the trial's. An encoder that is damaged, lacks its head or
    cannot be confirmed is set aside; the trial does not fail.
    """
    folder = context.artifact(ENCODER)
    if folder is None:
        return None
    with_head = config.epochs > 0 and config.evaluation.layer != "h"
    try:
        state: State = torch.load(folder / WEIGHTS, map_location="cpu", weights_only=True)
        head: State | None = None
        if with_head and not (folder / HEAD).exists():
            context.refuse(ENCODER, "was saved without its head, by an earlier version")
            return None
        if with_head:
            head = torch.load(folder / HEAD, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        context.refuse(ENCODER, f"cannot be read ({first[:120]})")
        return None
    about = read_json(folder / TRAINING)
    if not context.is_checked(ENCODER):
        records = list(_measured(context, state, head))
        if not records:
            context.refuse(
                ENCODER,
                "was saved without hashes, by an earlier version, and no record confirms its weights",
            )
            return None
        about = _recorded(folder, records)
    context.log(f"using the stored encoder: {folder}")
    return StoredEncoder(
        state, head, _join(context, config, about if isinstance(about, dict) else {})
    )


def _join(context: TrialContext, config: Config, about: dict[str, Any]) -> dict[str, Any]:
    """Adds the curve of the training run to the trial's; returns the facts."""
    curve: dict[str, list[float | None]] = about.get("curve", {})
    # Trials that share an encoder may monitor another k-NN; its curve is not this trial's.
    same = about.get("neighbours") == _neighbours(config)
    names = [name for name in curve if name != "step" and (same or name != KNN)]
    for row, step in enumerate(curve.get("step", [])):
        values = {name: value for name in names if (value := curve[name][row]) is not None}
        if values and step is not None:
            context.metrics(int(step), values)
    facts: dict[str, Any] = about.get("facts", {})
    # An earlier version may have saved others, which no version of today's reports reads.
    return {name: facts[name] for name in _FACTS if name in facts}


def _neighbours(config: Config) -> dict[str, Any] | None:
    asked = config.evaluation.knn
    return None if asked is None else asked.model_dump(mode="json")


def _save(trained: Pretrained, about: dict[str, Any], folder: Path) -> None:
    for name, state in ((WEIGHTS, trained.state), (HEAD, trained.head)):
        if state is not None:
            # Through memory: torch's own writer reports a full disk by an error without its cause.
            buffer = io.BytesIO()
            torch.save(state, buffer)
            (folder / name).write_bytes(buffer.getvalue())
    (folder / TRAINING).write_text(json.dumps(about), encoding="utf-8")


def _measured(context: TrialContext, state: State, head: State | None) -> Iterator[TrialRecord]:
    """Finished trials that were measured on exactly these weights."""
    expected = {"encoder_hash_before": state_hash(state)}
    if head is not None:
        expected["head_hash_before"] = state_hash(head)
    for record in context.records_of(ENCODER):
        if all(record.facts.get(name) == found for name, found in expected.items()):
            yield record


def _recorded(folder: Path, records: list[TrialRecord]) -> dict[str, Any]:
    """Facts and curve as recorded by the trial that trained the encoder; else only the saved marks."""
    for record in records:
        if ENCODER not in record.reused:
            return {
                "facts": {name: record.facts[name] for name in _FACTS if name in record.facts},
                "curve": record.curve,
                "neighbours": (in_present_names(record.config).get("evaluation") or {}).get("knn"),
            }
    return {"facts": read_json(folder / "marks.json") or {}}
