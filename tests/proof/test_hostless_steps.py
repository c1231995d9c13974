"""The step of each shipped study, whole, on a device without numbers: nothing in it needs the host.

At gpu scale, with the study's own batch, network, head, views, loss and optimiser; every cell whose
training differs in more than its seed is run. The images are random.
"""

import json
import sys
from pathlib import Path

import pytest
import torch

sys.path += [str(Path(__file__).parents[1] / name) for name in ("simclr_core", "ablations")]

from commands import the_plan
from hostless import second_step
from made_trials import HERE, made_dataset, random_pictures

from ablations.study.catalogue import shipped
from simclr_core.config.schema import Config
from simclr_core.data.dataset import Dataset
from simclr_core.training.capture import why_eager

pytestmark = [pytest.mark.proof, pytest.mark.timeout(900)]


def trainings(study: str) -> dict[str, Config]:
    """The configurations that a study trains at gpu scale, one for each that is not a repetition."""
    found: dict[str, tuple[str, Config]] = {}
    for trial in the_plan(study, scale="gpu").trials:
        config = Config.model_validate(trial.config).resolved("cpu")
        identity = {**config.encoder_identity(), "seed": None, "seeds": None}
        if config.epochs:
            found.setdefault(
                json.dumps(identity, sort_keys=True, default=str), (trial.cell, config)
            )
    return {f"{cell}, {place}": config for place, (cell, config) in enumerate(found.values())}


def images(num: int) -> Dataset:
    """At least so many images with labels in the fit split."""
    total = num + num // 5 + 10
    return made_dataset(random_pictures(total + 10, 32), torch.arange(total + 10) % 10, total)


@pytest.mark.parametrize("study", list(shipped()))
def test_no_training_of_a_study_needs_its_host(study: str) -> None:
    found = trainings(study)
    assert found
    for cell, config in found.items():
        dataset = images(config.batch_size)
        without_curve = config.model_copy(
            update={"evaluation": config.evaluation.model_copy(update={"knn": None})}
        )

        result, copies = second_step(without_curve, dataset)

        assert copies == [], cell
        assert len(result.z_MD) == config.views.num_views * config.batch_size, cell
        assert why_eager(config, HERE, one_shape=True) is None, cell
