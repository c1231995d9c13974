"""One trial, from its configuration to its values: the only place where trainer and engine meet."""

from pathlib import Path
from typing import Any

import torch

from ablations.compose import ENCODER, chain
from ablations.trial.encoder_artifact import save_encoder, stored_encoder, training_facts
from ablations.trial.views_strip import attach_views
from reports.spec import TrialFacts
from simclr_core.config import Config
from simclr_core.data import Dataset, fingerprint, load
from simclr_core.errors import DataError
from simclr_core.evaluation import evaluate
from simclr_core.plugins import FromFile, files_of, supply
from simclr_core.runtime import Execution
from simclr_core.training import pretrain
from sweeps.errors import LaunchError, NeedsRoom
from sweeps.execution import Outcome, TrialContext
from sweeps.planning import chain_keys

_datasets: dict[str, Dataset] = {}


def run_trial(context: TrialContext) -> Outcome:
    """`train_and_evaluate`; a trial that lacks the memory of others runs again later."""
    try:
        return train_and_evaluate(context)
    except torch.OutOfMemoryError as error:
        if not context.has_company:
            raise
        context.log("other trials of this process leave it too little memory; it runs again later")
        raise NeedsRoom from error


def train_and_evaluate(context: TrialContext) -> Outcome:
    """Pre-trains, or takes the stored encoder, evaluates it, and saves it."""
    payload = dict(context.payload)
    supply(payload.pop("files", {}).values())
    _put_files_beside_the_record(context)
    config = Config.model_validate(context.config)
    cache = context.store.cache
    dataset = _planned_data(context, config, cache)
    execution = Execution(cache=cache, **payload)
    facts: dict[str, Any] = {"data": _about(dataset)}
    stored = stored_encoder(context, config)
    if stored is None:
        context.log(f"pre-training for {config.epochs} epochs on {dataset.name}")
        trained = pretrain(config, dataset, execution, context, context.checkpoint(ENCODER))
        if context.should_stop():
            return Outcome({})
        state, head = trained.state, trained.head
        if trained.facts.get("collapsed"):
            context.log(f"the embeddings collapsed: {trained.facts['collapse']}")
        facts |= training_facts(trained)
        save_encoder(context, config, trained)
    else:
        state, head = stored.state, stored.head
        facts |= stored.facts
    attach_views(context, config, dataset)
    context.log("evaluating")
    result = evaluate(config, dataset, state, execution, context, head=head, pause=context.give_way)
    checked = TrialFacts.of_trial({**facts, **result.facts})
    return Outcome(dict(result.values), checked.recorded())


def _put_files_beside_the_record(context: TrialContext) -> None:
    """Saves the source of custom components with the record: the user's file may change later."""
    for _, part in files_of(context.config):
        own = FromFile.model_validate({name: part[name] for name in FromFile.model_fields})
        name = f"{Path(own.path).stem.lstrip('.')}-{str(own.sha256)[:12]}.py"
        context.attach(name, own.text().encode())


def _planned_data(context: TrialContext, config: Config, cache: Path) -> Dataset:
    """The images that the plan was made with; if they changed, every trial fails in the same way.

    Raises:
        LaunchError: the images changed or were removed after the launch was planned.
    """
    try:
        dataset = _dataset(config, cache)
        _same_data(context, config, dataset)
    except DataError as error:
        raise LaunchError(
            f"the launch stopped because the images changed while it ran: {error}"
        ) from error
    return dataset


def _dataset(config: Config, cache: Path) -> Dataset:
    # Decoded data stay in the worker: its trials share them, and only one set at a time.
    name = config.data.model_dump_json()
    if name not in _datasets:
        _datasets.clear()
        _datasets[name] = load(config.data, cache=cache)
    return _datasets[name].for_one_trial()


def _same_data(context: TrialContext, config: Config, dataset: Dataset) -> None:
    planned = {stage.name: stage.key for stage in context.trial.stages}
    stages = chain(config, dataset.fingerprint)
    context.identify(stages)
    found = dict(chain_keys(stages))
    if found != planned:
        now = fingerprint(config.data, None)
        raise DataError(
            f"the images of {dataset.name} changed since the study was planned (hash now "
            f"{now[:12]}); run the study again to plan it with the new images"
        )


def _about(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "fingerprint": dataset.fingerprint,
        "training_images": dataset.num_train,
        "test_images": dataset.num_test,
        "classes": dataset.num_classes,
        "class_names": list(dataset.class_names),
        "test_images_in_train": dataset.overlap,
        "deviations": list(dataset.deviations),
    }
