"""Decodes the images of a plan before anything trains, so that a mistake in them stops the run early."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ablations.errors import UsageError
from simclr_core.config import Config
from simclr_core.data import AnyData, load, num_held_out
from simclr_core.errors import DataError, DataMissing
from sweeps.planning import Trial
from sweeps.storage import Store


def decode(trials: Iterable[Trial], store: Store) -> None:
    """Decodes each data set once into the store's cache, where the workers find it.

    If the store did not exist before, it does not exist after a failure either.

    Raises:
        DataError: files that cannot be read, with their places.
        UsageError: a batch is larger than the data set; one message for each cell.
        StoreError: the folder cannot be a store.
    """
    new = not store.path.exists()
    store.prepare()
    try:
        _decode([(trial.cell, Config.model_validate(trial.config)) for trial in trials], store)
    except (DataError, UsageError):
        if new:
            store.unmake()
        raise


def skipped(data_sets: Iterable[AnyData], cache: Path | None) -> list[str]:
    """The files that these data sets skip because they are not images, one line for each data set."""
    found: list[str] = []
    for data in data_sets:
        with suppress(DataMissing):
            if (note := data.skipped(cache)) is not None:
                found.append(f"{data.shown_name()}: {note}")
    return found


def _decode(configs: list[tuple[str, Config]], store: Store) -> None:
    counts: dict[str, int] = {}
    sentences: list[str] = []
    for cell, config in configs:
        name = config.data.model_dump_json()
        if name not in counts:
            expected = None if config.data.cached else config.data.expected_images
            counts[name] = expected or load(config.data, cache=store.cache).num_train
        # Labels of the validation split are not seen.
        unseen = num_held_out(counts[name]) if config.loss.sees_labels else 0
        images = counts[name] - unseen
        if config.epochs and config.batch_size > images:
            sentences.append(
                "batch_size: must be at most the number of training images, got "
                f"{config.batch_size} of {images} (cell {cell!r}); lower it or use more images"
            )
        probe = config.evaluation.probe
        if probe is not None and probe.images_per_step > counts[name]:
            sentences.append(
                f"evaluation.probe.batch_size: must be at most the number of training images, got "
                f"{probe.images_per_step} of {counts[name]} (cell {cell!r}); lower it"
            )
    if sentences:
        raise UsageError(*dict.fromkeys(sentences))
