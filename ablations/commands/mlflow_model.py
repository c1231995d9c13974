"""`export --mlflow`: a trial's encoder as a model in its run, for `mlflow.pytorch.load_model`.

The model is torch's exported graph (`pt2`), MLflow's default since version 3: it holds no pickled code,
and needs neither this package nor torchvision where it is loaded.
"""

import hashlib
import io
import logging
import os
import tempfile
import warnings
from pathlib import Path

import torch

from ablations.commands.export import (
    about_encoder,
    described,
    export_encoder,
    exportable,
    images_of,
    measured,
)
from ablations.commands.terminal import console
from ablations.commands.trial_keys import existing_store, key_in
from ablations.errors import UsageError
from ablations.run_files import FILES_OF
from simclr_core.config import Config
from sweeps.tracking import log_model, tracking_uri

NAME = "encoder"
"""Of the model in its run."""


def export_to(
    path: Path, prefix: str, to: Path | None, *, mlflow: bool, tracking: str | None
) -> None:
    """Writes the encoder of a trial to a file, or logs it to MLflow.

    Raises:
        UsageError: options do not go together; else as `export_encoder` and `log_encoder`.
    """
    if mlflow and to is not None:
        raise UsageError("--to: --mlflow writes no file; leave one of the two out")
    if tracking is not None and not mlflow:
        raise UsageError("--tracking: a file is not tracked; add --mlflow, or leave it out")
    if mlflow:
        log_encoder(path, prefix, tracking)
    else:
        export_encoder(path, prefix, to)


def log_encoder(path: Path, prefix: str, tracking: str | None) -> None:
    """Logs the encoder of a finished trial to its run, and prints the lines that load it.

    A model that the run has already is not logged again. Nothing of the run itself changes.

    Raises:
        UsageError: no trial or several trials match, the trial has not finished, its weights were not
            saved or are not those that were measured, or its network is the user's own.
        TrackingError: the trial has no run there, or MLflow does not take the model.
    """
    store = existing_store(path)
    tracking_uri(store, tracking)
    record, weights = measured(store, key_in(store, prefix))
    config = exportable(record)
    if config.encoder.kind == "file":
        raise UsageError(
            f"trial {record.key} trained an encoder from your own file, which MLflow could load only "
            "where this file is; write its weights with --to and load them with your file"
        )
    with tempfile.TemporaryDirectory(prefix="ablate-") as made:
        folder = Path(made, NAME)
        _save(config, weights, folder)
        about = about_encoder(record, config, weights, ())
        (folder / "about.json").write_text(about, encoding="utf-8")
        found = log_model(
            store,
            record.key,
            record.attempt,
            folder,
            name=NAME,
            sha256=hashlib.sha256(weights).hexdigest(),
            uri=tracking,
            files_of=FILES_OF,
        )
    out = console()
    for line in (
        f"model: {found.uri} ({described(record, config)})",
        f"in the run {found.run} at {found.tracking}",
        f"images: float32 [N, 3, {config.data.size}, {config.data.size}], {images_of(config)}",
        *loading_lines(found.uri, found.tracking),
    ):
        out.print(line, soft_wrap=True)  # a line that breaks in two cannot be pasted


def loading_lines(model: str, tracking: str) -> tuple[str, ...]:
    """Python code that loads the model from MLflow."""
    return (
        "import mlflow",
        f"mlflow.set_tracking_uri({tracking!r})",
        f"model = mlflow.pytorch.load_model({model!r})",
    )


def _save(config: Config, weights: bytes, folder: Path) -> None:
    """Writes the network with these weights as MLflow's model; the number of images is free."""
    # As for the process that tracks; read when MLflow is imported.
    os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true")
    import numpy as np

    # It warns of build tags such as 2.15.0+cu132, which no index has.
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    size, number = config.data.size, np.dtype(np.float32)
    network = config.encoder.build(0, size)
    network.load_state_dict(torch.load(io.BytesIO(weights), map_location="cpu", weights_only=True))
    with warnings.catch_warnings():
        # Of its own functions for agents, whose hints are not for us; some are imported as it saves.
        warnings.filterwarnings("ignore", ".*Any type hint is inferred")
        import mlflow.pytorch as flavour
        from mlflow.models import ModelSignature
        from mlflow.types import Schema, TensorSpec

        flavour.save_model(
            network.requires_grad_(requires_grad=False).eval(),
            folder,
            signature=ModelSignature(
                Schema([TensorSpec(number, (-1, 3, size, size))]),
                Schema([TensorSpec(number, (-1, config.encoder.num_features))]),
            ),
            # Two images: torch would take a batch of one for a constant.
            input_example=np.zeros((2, 3, size, size), number),
            pip_requirements=flavour.get_default_pip_requirements(),
            serialization_format="pt2",
        )
