"""The pre-training of a study's arms at its scale, and of the same study in a full replication."""

from collections.abc import Mapping
from typing import Any

from ablations.compose import Counted, ResolvedStudy, compute, num_images
from ablations.errors import StudyError
from ablations.evidence.deviations import Paper
from ablations.evidence.wording import data_name, method_text
from reports.spec import Pretraining, Scope
from simclr_core.config import Config


def scope_of(composed: ResolvedStudy, paper: Paper) -> Scope:
    """All arms of the scale, requested or not, and all arms of the study file at paper scale."""
    study, counted = composed.study, Counted()
    return Scope(
        here=_arms(composed, counted),
        full=_arms(paper.paper, counted),
        full_seeds=len(study.scale("paper").seeds or study.seeds),
        papers=pretraining_of(Config().model_dump(mode="json")),
    )


def pretraining_of(config: dict[str, Any], counted: Mapping[str, Any] | None = None) -> Pretraining:
    """What training the encoder of a resolved configuration takes; `counted`: with its images counted."""
    counted = counted or config
    operations = compute([counted])
    return Pretraining(
        data=data_name(config["data"]),
        images=num_images(counted["data"]),
        size=config["data"]["size"],
        epochs=config["epochs"],
        batch=config["batch_size"],
        network=method_text(config["encoder"]),
        operations=None if operations is None else operations.total,
    )


def _arms(composed: ResolvedStudy, counted: Counted) -> dict[str, Pretraining]:
    found: dict[str, Pretraining] = {}
    for arm in composed.sweep(everything=True).arms():
        try:
            config = composed.resolve(arm)(0).config
        except StudyError:  # an arm that cannot exist at this scale
            continue
        found[arm.name] = pretraining_of(config, counted(config))
    return found
