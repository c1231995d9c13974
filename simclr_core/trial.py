"""A trial from its configuration to its numbers, in this process."""

from typing import Any, NamedTuple

from simclr_core.callbacks import Both, Curve, Observer
from simclr_core.config import Config
from simclr_core.data import Dataset, load
from simclr_core.errors import ConfigurationError
from simclr_core.evaluation import evaluate
from simclr_core.runtime import Execution
from simclr_core.training import pretrain


class Result(NamedTuple):
    """The result of a trial."""

    config: Config
    """The resolved configuration, with the precision and seeds that were used."""

    values: dict[str, float]
    """Final values in per cent: top1, top5, knn_top1, ..."""

    facts: dict[str, Any]
    curve: dict[str, list[float | None]]
    """Metrics by optimiser step: `step` and a column for each."""


def run(
    config: Config,
    observer: Observer | None = None,
    execution: Execution | None = None,
    *,
    dataset: Dataset | None = None,
) -> Result:
    """Loads the data, pre-trains the encoder and evaluates it.

    A `dataset` replaces the data that `config.data` names; the result's configuration names it.

    Raises:
        SimclrError: an error that a user can fix.
    """
    execution = execution or Execution()
    config = config.resolved(execution.resolved_device)
    if dataset is None:
        dataset = load(config.data, cache=execution.cache)
    else:
        config = _on(config, dataset)
    dataset.require_labels()
    curve = Curve()
    both: Observer = curve if observer is None else Both(curve, observer)
    trained = pretrain(config, dataset, execution, both)
    found = evaluate(config, dataset, trained.state, execution, both, head=trained.head)
    facts = {
        "optimiser_steps": trained.steps,
        "pretraining_seconds": trained.seconds,
        "num_parameters": trained.num_parameters,
        **trained.facts,
        **found.facts,
    }
    return Result(config, found.values, facts, curve.columns())


def _on(config: Config, dataset: Dataset) -> Config:
    """The configuration with the data that were passed, if it names no others."""
    if config.data not in (Config.model_fields["data"].default, dataset.settings):
        raise ConfigurationError(
            f"data: must be left out if a dataset is passed, got {config.data.shown_name()} with "
            f"{dataset.name}"
        )
    return config.model_copy(update={"data": dataset.settings})
