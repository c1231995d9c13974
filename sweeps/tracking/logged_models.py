"""A model in the run of a trial, as MLflow's own interface would log it."""

import contextlib
from collections.abc import Generator, Iterator, Mapping
from typing import Any

from mlflow.entities import LoggedModel, LoggedModelOutput, LoggedModelStatus
from mlflow.environment_variables import MLFLOW_HTTP_REQUEST_TIMEOUT
from mlflow.tracking import MlflowClient

from sweeps.errors import TrackingError
from sweeps.tracking.names import TAG_PREFIX

_CONTENT = f"{TAG_PREFIX}sha256"


def add_model(
    client: MlflowClient, experiment: str, run: str, about: Mapping[str, Any]
) -> tuple[str, str]:
    """Logs the folder of a saved model to a run; returns the model's address and the run.

    `about` has `folder`, `name`, `sha256`, the `attempt` it was measured in, and the `timeout` of each
    file in seconds. A model of the same content that is there already is not logged again.

    Raises:
        TrackingError: the run is of another attempt.
    """
    attempt = client.get_run(run).data.tags.get(f"{TAG_PREFIX}attempt")
    if attempt != str(about["attempt"]):
        raise TrackingError(
            f"the run in MLflow is of attempt {attempt}, but these weights were measured in attempt "
            f"{about['attempt']}; run the study again to log its newest attempt"
        )
    for known in models_of(client, experiment, run):
        same = known.name == about["name"] and known.tags.get(_CONTENT) == about["sha256"]
        if same and known.status == LoggedModelStatus.READY and _has_files(client, known):
            return known.model_uri, run
    made = client.create_logged_model(
        experiment,
        name=about["name"],
        source_run_id=run,
        tags={_CONTENT: about["sha256"]},
        model_type="encoder",
    )
    try:
        with _requests_within(about["timeout"]):
            client.log_model_artifacts(made.model_id, about["folder"])
    except Exception:
        client.finalize_logged_model(made.model_id, LoggedModelStatus.FAILED)
        raise
    client.finalize_logged_model(made.model_id, LoggedModelStatus.READY)
    client.log_outputs(run, [LoggedModelOutput(made.model_id, 0)])
    return made.model_uri, run


def models_of(client: MlflowClient, experiment: str, run: str) -> Iterator[LoggedModel]:
    """The models that were logged to a run."""
    # A value in double quotes matches nothing, without an error (MLflow 3.17).
    condition = f"source_run_id = '{run}'"
    yield from client.search_logged_models([experiment], filter_string=condition)


def delete_models(
    client: MlflowClient, experiment: str, run: str
) -> Iterator[tuple[LoggedModel, bool]]:
    """Deletes the models of a run; yields each, and whether it stays.

    One of which a version is registered stays: the registry refers to its files.
    """
    models = list(models_of(client, experiment, run))
    versions = client.search_model_versions(f"run_id = '{run}'") if models else ()
    registered = {version.source for version in versions}
    for model in models:
        stays = not registered.isdisjoint({model.model_uri, model.artifact_location})
        if not stays:
            client.delete_logged_model(model.model_id)
        yield model, stays


@contextlib.contextmanager
def _requests_within(seconds: str) -> Generator[None]:
    """Gives the server so long for each request of MLflow, which reads its timeout every time."""
    before = MLFLOW_HTTP_REQUEST_TIMEOUT.get()
    MLFLOW_HTTP_REQUEST_TIMEOUT.set(seconds)
    try:
        yield
    finally:
        MLFLOW_HTTP_REQUEST_TIMEOUT.set(before)


def _has_files(client: MlflowClient, model: LoggedModel) -> bool:
    return any(
        file.path == "MLmodel" for file in client.list_logged_model_artifacts(model.model_id)
    )
