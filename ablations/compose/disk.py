"""What a store will hold after a run, in bytes on disk (measured with MLflow 3.17 on SQLite)."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ablations.compose.flops import as_text, images_of_an_epoch, num_views_of, weight_bytes
from reports.spec import VIEWS_IMAGES
from sweeps.planning import Trial

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


STRIP_SIDE, STRIP_FILL = 40, 0.75
"""Of the views that a trial of an arm saves: the largest side in px, and the bytes of the PNG as a
share of its pixels' (0.5 for textures at 32 px, at most 1 for noise)."""

STRIP_PLACE = 8_000
"""The folder of this file, and a block that is not full."""

STRIP_COPIES = 5
"""A report holds the views of each arm as base64 in HTML and as they are in PDF, and MLflow both again."""


class Disk(NamedTuple):
    """Bytes in addition to what is there."""

    weights: int | None
    """Of the encoders and heads; None if one is a custom component: planning executes no file."""
    records: int
    """Records, MLflow's copy and reports."""


def disk_of(encoders: Iterable[Mapping[str, Any]], trials: Iterable[Trial], *, fresh: bool) -> Disk:
    """What new encoders with these configurations take, and these trials.

    `fresh`: the study has no trial on record here.
    """
    total: int | None = 0
    for config in encoders:
        head = as_text(config["head"] if config["epochs"] else {"kind": "none"})
        size = weight_bytes(as_text(config["encoder"]), head, config["data"]["size"])
        total = None if size is None or total is None else total + size + FILES
    each, arms = list[int](), dict[str, int]()
    for trial in trials:
        each.append(TRIAL + STEP * _logged(trial.config))
        if trial.role == "arm" and trial.config["epochs"]:
            arms[trial.cell] = strip_bytes(trial.config)
            each.append(2 * (arms[trial.cell] + STRIP_PLACE))  # its record and its run in MLflow
    reports = (STUDY if fresh else LAUNCH) + STRIP_COPIES * sum(arms.values())
    return Disk(total, sum(each) + reports if each else 0)


def strip_bytes(config: Mapping[str, Any]) -> int:
    """Of the file with the views of some images, as a trial saves it."""
    side, rows = min(config["data"]["size"], STRIP_SIDE), 1 + num_views_of(config)
    return round(STRIP_FILL * 3 * side**2 * rows * VIEWS_IMAGES)


def _logged(config: Mapping[str, Any]) -> int:
    images = images_of_an_epoch(config) if config["epochs"] else 0
    if images is None:
        return LOGGED
    return min(LOGGED, images // config["batch_size"] * config["epochs"])
