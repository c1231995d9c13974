"""A study's experiment in MLflow's pages: shown as model training, with the cells in order.

The pages store a shared view as a tag of the experiment: columns, order and filter as JSON, opened by
`?viewStateShareKey=`. Neither this tag nor the tag for the kind is documented; a page that does not
know them shows its default view (as of MLflow 3.17).
"""

import json

from mlflow.entities import Experiment
from mlflow.tracking import MlflowClient

from sweeps.tracking.names import TAG_PREFIX, name_of

KIND = "mlflow.experimentKind"
"""MLflow opens an experiment without this tag in its mode for language models and traces."""

VIEW = "mlflow.sharedViewState."


def show_cells(client: MlflowClient, experiment: Experiment, metric: str) -> None:
    """Sets the kind of the experiment, unless it is set, and its views."""
    mean = f"cell/{name_of(metric)}"
    numbers = [mean, f"{mean}_low", f"{mean}_high", "cell/n", "cell/failed"]
    final = [f"final/{name_of(metric)}", "seconds"]
    of_cells = [*_metrics(numbers), "tags.`verdicts`", "tags.`role`"]
    not_trial = f"tags.`{TAG_PREFIX}role` != 'trial'"
    views = {
        "arms": ("Arms, best first", f"{not_trial} and tags.`role` = 'arm'", of_cells[:-1]),
        "cells": ("All cells, best first", not_trial, [*of_cells, "tags.`trials`"]),
        "runs": ("All runs", None, [*_metrics([*final, *numbers]), "params.`seed`"]),
        "failed": (
            "Failed trials",
            "attributes.status = 'FAILED'",
            [*_metrics(final), "params.`seed`"],
        ),
    }
    tags = {KIND: "custom_model_development"}
    for key, (name, only, columns) in views.items():
        tags[f"{VIEW}{key}"] = _view(name, only, columns, mean)
    for name, text in tags.items():
        chosen = name == KIND and experiment.tags.get(KIND)
        if not chosen and experiment.tags.get(name) != text:
            client.set_experiment_tag(experiment.experiment_id, name, text)


def _metrics(names: list[str]) -> list[str]:
    return [f"metrics.`{name}`" for name in names]


def _view(name: str, only: str | None, columns: list[str], order: str) -> str:
    """A view as MLflow's pages save it, with its name in their list of views."""
    state = {"orderByKey": f"metrics.`{order}`", "orderByAsc": False, "selectedColumns": columns}
    state |= {} if only is None else {"searchFilter": only}
    return json.dumps({"name": name, "createdAt": 0, "updatedAt": 0, "state": json.dumps(state)})
