"""A study with a finished trial whose encoder is in the store, for the tests of exports."""

from pathlib import Path
from typing import Any

import torch
from commands import STUDY, record_of, the_plan, written_study
from torch import Tensor, nn

from ablations.trial.encoder_artifact import WEIGHTS
from simclr_core.config.schema import Config
from simclr_core.evaluation.frozen_features import state_hash
from simclr_core.networks.encoders import AnyEncoder
from sweeps.planning.trial_plan import Plan, Trial
from sweeps.storage.launch_log import save_plan
from sweeps.storage.store import Store

TINY = "{kind: resnet, blocks: [1], width: 0.0625, stem: small}"


def trained_state(encoder: AnyEncoder) -> dict[str, Tensor]:
    """Weights and statistics that no initialisation has: last gammas count, no layer is idle."""
    network, rng = encoder.build(0, 32), torch.Generator().manual_seed(1)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                for numbers in (module.weight, module.bias, module.running_mean):
                    numbers.copy_(0.5 * torch.randn(numbers.shape, generator=rng))
                module.running_var.copy_(0.5 + torch.rand(module.running_var.shape, generator=rng))
    return network.state_dict()


def save_encoder(store: Store, trial: Trial, state: dict[str, Tensor]) -> Path:
    """The state where a run would have put it."""
    [key] = [stage.key for stage in trial.stages if stage.name == "encoder"]
    with store.save_artifact("encoder", key, launch="made", lasting=True) as folder:
        torch.save(state, folder / WEIGHTS)
    return store.artifact("encoder", key) / WEIGHTS


class Ran:
    """A study of two cells whose first trial finished, with its encoder kept."""

    def __init__(self, here: Path, encoder: str = TINY, epochs: int = 1) -> None:
        study = STUDY.replace(TINY, encoder).replace("epochs: 1", f"epochs: {epochs}")
        self.plan: Plan = the_plan(written_study(here, study))
        self.store = Store(here / "runs")
        self.store.prepare()
        save_plan(self.store, self.plan)
        self.trial = next(t for t in self.plan.trials if t.cell == "crop" and t.seed == 0)
        self.key = self.trial.key
        self.config = Config.model_validate(self.trial.config)
        self.state = trained_state(self.config.encoder)
        self.weights = save_encoder(self.store, self.trial, self.state)
        self.record()

    def record(self, **told: Any) -> None:
        facts = {"encoder_hash_after": state_hash(self.state)}
        self.commit(self.trial, **{"facts": facts, **told})

    def commit(self, trial: Trial, **told: Any) -> None:
        self.store.commit(record_of(trial, self.plan, **told), self.store.running / "no log")
