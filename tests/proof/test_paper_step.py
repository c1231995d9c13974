"""One step of the shipped studies at paper scale, as they are but for the batch and the images.

Four random images of 224 px in place of 4,096 photographs, and no warm-up, whose first step has rate
0; network, head, views, loss and LARS are the study's own. One cell of each encoder, kind of head and
kind of views is run. ResNet-50 four times as wide takes about 8 GiB.
"""

import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

sys.path += [str(Path(__file__).parents[1] / name) for name in ("simclr_core", "ablations")]

from commands import the_plan
from made_trials import HERE, Listener, equal_states, kernels, made_dataset, random_pictures

from ablations.compose.flops import compute
from ablations.compose.planning import cost
from ablations.study.catalogue import shipped
from reports.spec import flop_text
from simclr_core.config.schema import Config
from simclr_core.optim.optimizers import Lars
from simclr_core.optim.schedules import WarmupCosine
from simclr_core.training.pretraining import Pretrained, pretrain
from sweeps.planning.trial_plan import Known
from sweeps.provenance import cpu_name

pytestmark = [pytest.mark.proof, pytest.mark.timeout(1800)]

BATCH = 4

CELLS = {
    "quickstart": ("crop+colour+rotation",),
    "compositions": ("cutout+sobel", "noise+blur", "crop+colour"),
    "projection-head": ("none", "linear 2048", "mlp 2048"),
    "batch-size": ("8192",),
    "width": ("1x", "2x", "4x"),
    "head-layers": ("rotation / h", "sobel / g(h)"),
    "losses": ("margin", "nt-logistic semi-hard"),
    "temperature": ("as they are 10",),
    "supervised": ("strength 1 (labels: train)",),
    "colour-distortion": ("AutoAugment",),
}


def config_of(study: str, cell: str) -> Config:
    trials = the_plan(study, scale="paper").trials
    settings = next(trial.config for trial in trials if (trial.cell, trial.seed) == (cell, 0))
    return Config.model_validate(settings)


def at_batch_4(config: Config) -> Config:
    return config.model_copy(
        update={
            "batch_size": BATCH,
            "epochs": 1,
            "schedule": WarmupCosine(warmup_epochs=0),
            "evaluation": config.evaluation.model_copy(update={"knn": None}),
        }
    ).resolved("cpu")


def stepped(config: Config) -> tuple[Pretrained, Listener, float]:
    """One step: its encoder, what it told, and seconds of one processor, building included."""
    # One image more than the batch: losses with labels leave the validation split out, here one.
    pictures, labels = random_pictures(2 * BATCH + 1, 224), [0, 1] * BATCH + [0]
    dataset, told = made_dataset(pictures, labels, BATCH + 1, 1000), Listener()
    began = time.process_time()
    found = pretrain(config, dataset, HERE, told)
    return found, told, time.process_time() - began


def operations_of(config: Config) -> int:
    counted = compute([config.model_dump(mode="json")])
    assert counted is not None
    return BATCH * counted.pair[0]


def test_each_shipped_study_takes_a_step() -> None:
    assert set(CELLS) == set(shipped())


@pytest.mark.parametrize(
    ("study", "cell"), [(study, cell) for study, cells in CELLS.items() for cell in cells]
)
def test_a_step_at_paper_scale_moves_the_weights_by_a_finite_loss(
    study: str,
    cell: str,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, str], None],
) -> None:
    config = at_batch_4(config_of(study, cell))
    built: list[torch.optim.Optimizer] = []
    build = Lars.build

    def watched(lars: Lars, model: torch.nn.Module) -> torch.optim.Optimizer:
        built.append(build(lars, model))
        return built[-1]

    monkeypatch.setattr(Lars, "build", watched)

    found, told, seconds = stepped(config)

    assert found.steps == 1
    assert 0 < told.column("loss")[1] < math.inf
    first = config.encoder.build(config.seed).state_dict()
    assert not equal_states(kernels(first), kernels(found.state))
    assert all(tensor.isfinite().all() for tensor in found.state.values())
    [optimizer] = built
    moments = [state["momentum"] for state in optimizer.state.values()]
    assert sum(moment.numel() for moment in moments) >= found.num_parameters
    assert all(moment.isfinite().all() for moment in moments)
    millions = round(found.num_parameters / 1e6)
    record_property(
        "told",
        f"{study}, {cell}: one step of {BATCH} pairs, {millions} million weights in f, "
        f"{flop_text(operations_of(config))}, {seconds:.0f} s of a processor",
    )


@pytest.fixture(scope="module")
def operations_a_second() -> float:
    """Of ResNet-50 on one processor, from the quicker of two steps."""
    config = at_batch_4(config_of("width", "1x"))
    return operations_of(config) / min(stepped(config)[2] for _ in range(2))


@pytest.mark.parametrize("study", list(CELLS))
def test_what_a_study_would_cost_is_its_encoders_epochs_and_images(
    study: str, operations_a_second: float, record_property: Callable[[str, str], None]
) -> None:
    plan = the_plan(study, scale="paper")
    arms = [trial for trial in plan.trials if trial.role == "arm"]
    learning = [t for t in plan.trials if t.role == "arm" or t.config["shuffled_positives"]]
    # Arms that differ in what is read out share their training.
    trained = {json.dumps({**t.config, "evaluation": None}): t.config for t in learning}.values()
    if study == "head-layers":
        assert (len(learning), len(trained)) == (52, 22)  # 10 cells, 4 sets of views
    else:
        assert len(learning) == len(trained)

    found = cost(plan, Known()).compute

    assert found is not None
    assert found.total is not None
    by_hand = 0
    for config in trained:
        one = compute([config])
        assert one is not None
        batch, epochs = config["batch_size"], 90 if study == "supervised" else 100
        images = 1_281_167 - (128_117 if study == "supervised" else 0)  # nine tenths have labels
        by_hand += one.pair[0] * (images - images % batch) * epochs
    assert found.total == by_hand
    cells = len({trial.cell for trial in arms})
    years = found.total / operations_a_second / (365.25 * 86400)
    record_property(
        "told",
        f"{study} in whole: {cells} cells x {len(arms) // cells} seeds, {flop_text(found.total)} "
        f"(counted); {years:,.0f} years on one {cpu_name()} at {flop_text(operations_a_second)}/s "
        "(measured, ResNet-50, quicker of 2 steps)",
    )
