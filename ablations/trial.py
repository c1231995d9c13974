"""One trial, from its configuration to its values: the only meeting of trainer and engine."""

import io
import json
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from ablations.chain import ENCODER, chain
from simclr_core.config import Config
from simclr_core.data import Dataset, fingerprint, load
from simclr_core.errors import DataError
from simclr_core.evaluation import read_out
from simclr_core.execution import Execution
from simclr_core.own import FromFile, files_of, supply
from simclr_core.pretrain import Pretrained, pretrain
from sweeps.context import Outcome, TrialContext
from sweeps.files import read_json
from sweeps.keys import chain_keys

WEIGHTS = "encoder.pt"
"""In an encoder's folder: the state of f, and nothing of the head."""

HEAD = "head.pt"
"""Beside it: the state of g, where there was a training; earlier versions kept none."""

UNREADABLE = (OSError, EOFError, RuntimeError, ValueError, KeyError, UnpicklingError)
"""What torch raises about a file of weights that is torn."""
MARKS = "marks.json"
"""Beside it: what every trial that uses the encoder tells of it, not only the one that trained it."""

_MARKS = ("collapsed", "collapse")

_datasets: dict[str, Dataset] = {}


def run_trial(context: TrialContext) -> Outcome:
    """Pre-trains, or takes the encoder that the store holds, reads out, and keeps the encoder."""
    payload = dict(context.payload)
    supply(payload.pop("files", {}).values())
    _put_files_beside_the_record(context)
    config = Config.model_validate(context.config)
    cache = context.store.cache
    dataset = _dataset(config, cache)
    _same_data(context, config, dataset)
    execution = Execution(cache=cache, **payload)
    kept = _kept(context, with_head=config.epochs > 0 and config.readouts.layer != "h")
    facts: dict[str, Any] = {"data": _about(dataset), "train_test_overlap": dataset.overlap}
    if kept is None:
        context.log(f"pre-training for {config.epochs} epochs on {dataset.name}")
        trained = pretrain(config, dataset, execution, context, context.checkpoint(ENCODER))
        if context.should_stop():
            return Outcome({})
        state, head = trained.state, trained.head
        marks = {name: trained.facts[name] for name in _MARKS if name in trained.facts}
        if marks.get("collapsed"):
            context.log(f"the embeddings collapsed: {marks['collapse']}")
        facts |= {
            "optimiser_steps": trained.steps,
            "pretraining_seconds": trained.seconds,
            "num_parameters": trained.num_parameters,
            **trained.facts,
        }
        context.keep(ENCODER, lambda folder: _save(trained, marks, folder))
    else:
        state, head, marks = kept
        facts |= {"optimiser_steps": 0, **marks}
    context.log("reading out")
    result = read_out(config, dataset, state, execution, context, head=head)
    return Outcome(dict(result.values), {**facts, **result.facts})


def _put_files_beside_the_record(context: TrialContext) -> None:
    """What own parts ran from can be read later, whatever became of the user's file."""
    for _, part in files_of(context.config):
        own = FromFile.model_validate({name: part[name] for name in FromFile.model_fields})
        name = f"{Path(own.path).stem.lstrip('.')}-{str(own.sha256)[:12]}.py"
        context.attach(name, own.text().encode())


_State = dict[str, torch.Tensor]


def _kept(
    context: TrialContext, *, with_head: bool
) -> tuple[_State, _State | None, dict[str, Any]] | None:
    """The encoder that the store holds, its head if that is needed, and its marks.

    One that is torn, or lacks the head, is no reason to fail. Those of earlier versions have no
    marks.
    """
    folder = context.artifact(ENCODER)
    if folder is None:
        return None
    try:
        state: _State = torch.load(folder / WEIGHTS, map_location="cpu", weights_only=True)
        head: _State | None = None
        if with_head and not (folder / HEAD).exists():
            context.refuse(ENCODER, "was kept without its head, by an earlier version")
            return None
        if with_head:
            head = torch.load(folder / HEAD, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        context.refuse(ENCODER, f"cannot be read ({first[:120]})")
        return None
    context.log(f"the encoder is at hand: {folder}")
    return state, head, read_json(folder / MARKS) or {}


def _save(trained: Pretrained, marks: dict[str, Any], folder: Path) -> None:
    for name, state in ((WEIGHTS, trained.state), (HEAD, trained.head)):
        if state is not None:
            # By way of memory: torch's own writer tells of a full disk in an error without its cause.
            buffer = io.BytesIO()
            torch.save(state, buffer)
            (folder / name).write_bytes(buffer.getvalue())
    (folder / MARKS).write_text(json.dumps(marks), encoding="utf-8")


def _dataset(config: Config, cache: Path) -> Dataset:
    # Decoded data stay in the worker: its trials share them, and only one set at a time.
    name = config.data.model_dump_json()
    if name not in _datasets:
        _datasets.clear()
        _datasets[name] = load(config.data, cache=cache)
    return _datasets[name]


def _same_data(context: TrialContext, config: Config, dataset: Dataset) -> None:
    planned = {stage.name: stage.key for stage in context.trial.stages}
    found = dict(chain_keys(chain(config, dataset.fingerprint)))
    if found != planned:
        now = fingerprint(config.data, None)
        raise DataError(
            f"the images of {dataset.name} are not those that were planned with (now {now[:12]}); "
            f"run the study again, and it is planned anew"
        )


def _about(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "fingerprint": dataset.fingerprint,
        "training images": dataset.num_train,
        "test images": dataset.num_test,
        "classes": dataset.num_classes,
        "test images that also stand in train": dataset.overlap,
        "deviations": list(dataset.deviations),
    }
