"""Finds runs, and adds studies that are missing from a database from the records."""

from collections.abc import Mapping
from typing import Any

from mlflow.tracking import MlflowClient

from sweeps.errors import TrackingError
from sweeps.storage import Store
from sweeps.suggest import did_you_mean
from sweeps.tracking.address import own_uri
from sweeps.tracking.logged_history import load_logged
from sweeps.tracking.names import TAG_PREFIX
from sweeps.tracking.new_run import Watch
from sweeps.tracking.runs import Runs


def add_missing(client: MlflowClient, store: Store, brief: Mapping[str, Any], watch: Watch) -> int:
    """Adds the studies that were launched in a store and are not in its own database.

    Returns the number of trials' runs. Only the store's own database is changed.
    """
    written = 0
    for study in brief["studies"] if brief["uri"] == own_uri(store) else ():
        if client.get_experiment_by_name(study["label"]) is None:
            known = load_logged(store, study["label"])
            about = {**study, "uri": brief["uri"], "reopen": False, "todo": []}
            about["metric"] = known.get("metric", study["metric"])
            runs = Runs(client, store, about, watch)
            written += runs.update({**known, "close": True})
    return written


def find_experiment(client: MlflowClient, label: str) -> str:
    """The number of a study's experiment; TrackingError if it was never tracked."""
    found = client.get_experiment_by_name(label)
    if found is None:
        raise TrackingError(
            f"{label} has not been logged to MLflow yet; run it again: recorded trials are not "
            "repeated, only logged"
        )
    return str(found.experiment_id)


def find_trial(client: MlflowClient, store: Store, labels: list[str], key: str) -> tuple[str, str]:
    """Experiment and run of the trial with this key prefix; TrackingError unless exactly one matches."""
    found: dict[str, tuple[str, str]] = {}
    known: list[str] = []
    for label in labels:
        experiment = client.get_experiment_by_name(label)
        if experiment is None:
            continue
        condition = (
            f"tags.`{TAG_PREFIX}store` = '{store.identity}' and tags.`{TAG_PREFIX}role` = 'trial'"
        )
        for run in client.search_runs([experiment.experiment_id], condition, max_results=50000):
            known.append(run.data.tags[f"{TAG_PREFIX}key"])
            if known[-1].startswith(key):
                found.setdefault(known[-1], (run.info.experiment_id, run.info.run_id))
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        raise TrackingError(f"{key!r} matches {len(found)} keys; give more characters")
    raise TrackingError(
        f"no run of a trial has the key {key!r}{did_you_mean(key, known)}; if the trial is on record, "
        "run its study again: that logs it without repeating it"
    )
