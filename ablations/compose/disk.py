"""What a store will hold after a run, in bytes on disk (measured with MLflow 3.17 on SQLite)."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ablations.compose.flops import as_text, images_of_an_epoch, weight_bytes

TRIAL = 65_000
"""Of a trial: its record and log with their folders, its run in MLflow and its line in the index."""

STEP = 1_600
"""Of each logged step of its curve, most of it in MLflow's database."""

LOGGED = 240
"""Logged steps of a long training run."""

STUDY = 2_000_000
"""Of a study's first launch: an empty database, and the report with its tables and figures, twice."""

LAUNCH = 200_000
"""Of a later launch, whose report MLflow keeps as well."""

FILES = 12_000
"""Of an encoder besides its weights: training facts and curve, folders, blocks that are not full."""


class Disk(NamedTuple):
    """Bytes in addition to what is there."""

    weights: int | None
    """Of the encoders and heads; None if one is a custom component: planning executes no file."""
    records: int
    """Records, MLflow's copy and reports."""


def disk_of(
    encoders: Iterable[Mapping[str, Any]], trials: Iterable[Mapping[str, Any]], *, fresh: bool
) -> Disk:
    """What new encoders with these configurations take, and the trials with these.

    `fresh`: the study has no trial on record here.
    """
    total: int | None = 0
    for config in encoders:
        head = as_text(config["head"] if config["epochs"] else {"kind": "none"})
        size = weight_bytes(as_text(config["encoder"]), head, config["data"]["size"])
        total = None if size is None or total is None else total + size + FILES
    each = [TRIAL + STEP * _logged(config) for config in trials]
    return Disk(total, sum(each) + (STUDY if fresh else LAUNCH) if each else 0)


def _logged(config: Mapping[str, Any]) -> int:
    images = images_of_an_epoch(config) if config["epochs"] else 0
    if images is None:
        return LOGGED
    return min(LOGGED, images // config["batch_size"] * config["epochs"])
