"""A study's experiment in MLflow's pages: shown as model training, with the cells in order.

The pages store a shared view as a tag of the experiment: columns, order and filter as JSON, opened by
`?viewStateShareKey=`. Neither this tag nor the tag for the kind is documented; a page that does not
know them shows its default view (as of MLflow 3.17).
"""

import json

from mlflow.entities import Experiment
from mlflow.tracking import MlflowClient

from sweeps.tracking.one_trial import TAG_PREFIX, name_of

KIND = "mlflow.experimentKind"
"""MLflow opens an experiment without this tag in its mode for language models and traces."""

VIEW = "mlflow.sharedViewState."


def show_cells(client: MlflowClient, experiment: Experiment, metric: str) -> None:
    """Sets the kind of the experiment, unless it is set, and its two views."""
    mean = f"cell/{name_of(metric)}"
    numbers = [mean, f"{mean}_low", f"{mean}_high", "cell/n", "cell/failed"]
    order = {"orderByKey": f"metrics.`{mean}`", "orderByAsc": False}
    cells = {
        **order,
        "searchFilter": f"tags.`{TAG_PREFIX}role` != 'trial'",
        "selectedColumns": [
            *(f"metrics.`{name}`" for name in numbers),
            *("tags.`verdicts`", "tags.`trials`"),
        ],
    }
    runs = {
        **order,
        "selectedColumns": [
            *(f"metrics.`{name}`" for name in (f"final/{name_of(metric)}", "seconds", *numbers)),
            "params.`seed`",
        ],
    }
    tags = {
        KIND: "custom_model_development",
        f"{VIEW}cells": json.dumps(cells),
        f"{VIEW}runs": json.dumps(runs),
    }
    for name, text in tags.items():
        chosen = name == KIND and experiment.tags.get(KIND)
        if not chosen and experiment.tags.get(name) != text:
            client.set_experiment_tag(experiment.experiment_id, name, text)
