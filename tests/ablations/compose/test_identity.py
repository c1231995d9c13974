"""What makes two trials the same, and two encoders: seen in the keys of plans."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from commands import STUDY, the_plan, written_study
from PIL import Image

from ablations.compose import identity
from ablations.study.assignments import parse_assignment
from simclr_core import Config
from simclr_core.data.dataset import fingerprint
from sweeps.planning.keys import chain_keys
from sweeps.planning.trial_plan import Plan


def keys(plan: Plan) -> dict[tuple[str, int], tuple[str, str]]:
    """Cell and seed -> the encoder's key and the trial's."""
    return {
        (trial.cell, trial.seed): (trial.stages[0].key, trial.stages[1].key)
        for trial in plan.trials
    }


def with_set(study: Path, *assignments: str, **request: Any) -> Plan:
    return the_plan(study, set=tuple(map(parse_assignment, assignments)), **request)


def pictures(folder: Path, *, shade: int = 0) -> Path:
    rng = np.random.default_rng(5)
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for i in range(20):
            pixels = rng.integers(0, 200, (36, 36, 3)) + shade
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{i}.png")
    return folder


@pytest.mark.parametrize(
    "assignment",
    [
        "epochs=2",
        "loss.temperature=0.3",
        "batch_size=16",
        "encoder.width=0.125",
        "head.output=4",
        "precision=bf16",
        "data.num_images=65",
        "seeds.views=9",
    ],
)
def test_what_pre_training_depends_on_makes_another_encoder(here: Path, assignment: str) -> None:
    study = written_study(here)

    before, after = keys(the_plan(study)), keys(with_set(study, assignment))

    assert before["crop", 0][0] != after["crop", 0][0]
    assert before["crop", 0][1] != after["crop", 0][1]


@pytest.mark.parametrize("assignment", ["evaluation.knn.k=5", "evaluation.probe.l2=[1.0]"])
def test_a_read_out_makes_another_trial_of_the_same_encoder(here: Path, assignment: str) -> None:
    study = written_study(here)

    before, after = keys(the_plan(study)), keys(with_set(study, assignment))

    assert {place: pair[0] for place, pair in before.items()} == {
        place: pair[0] for place, pair in after.items()
    }
    moved = {place for place in before if before[place][1] != after[place][1]}
    # The control fits the probe and asks no neighbours.
    still = {("permuted labels", 0)} if "knn" in assignment else set()
    assert moved == before.keys() - still


def test_seeds_make_other_trials_and_a_fixed_seed_is_shared(here: Path) -> None:
    study = written_study(here)

    plain = keys(the_plan(study))
    fixed = keys(with_set(study, "seeds.initialisation=3"))

    # Two arms, their random encoder and the shuffled pairs at two seeds each; raw pixels once.
    assert len({pair[0] for pair in plain.values()}) == 9
    # The random encoder depends on the initialisation alone.
    assert fixed["random encoder", 0][0] == fixed["random encoder", 1][0]
    assert fixed["crop", 0][0] != fixed["crop", 1][0]


def test_the_random_encoder_is_one_for_all_cells_of_an_encoder(here: Path) -> None:
    study = written_study(here)

    one = keys(the_plan(study))
    other = keys(with_set(study, "loss.temperature=0.3", "batch_size=16", "epochs=2"))
    wider = keys(with_set(study, "encoder.width=0.125"))

    assert one["random encoder", 0] == other["random encoder", 0]
    assert one["random encoder", 0] != wider["random encoder", 0]
    floors = [cell.name for cell in the_plan("width").cells if cell.role == "floor"]
    assert len(floors) == 3  # three widths


def test_raw_pixels_are_one_trial_whatever_the_seed_and_the_cells(here: Path) -> None:
    study = written_study(here)

    one = keys(the_plan(study, seeds=(0, 1)))
    other = keys(with_set(study, "loss.temperature=0.3", "encoder.width=0.125", seeds=(7, 8)))

    assert [place for place in one if place[0] == "raw pixels"] == [("raw pixels", 0)]
    assert one["raw pixels", 0] == other["raw pixels", 7]


def test_shuffled_positives_have_encoders_of_their_own(here: Path) -> None:
    found = keys(the_plan(written_study(here)))

    encoders = [pair[0] for (cell, _), pair in found.items() if cell != "permuted labels"]
    assert len(encoders) == len(set(encoders))
    assert {seed for cell, seed in found if cell == "shuffled positives"} == {0, 1}


def test_the_control_reads_out_the_first_arms_encoder(here: Path) -> None:
    found = keys(the_plan(written_study(here)))

    assert found["permuted labels", 0][0] == found["crop", 0][0]
    assert found["permuted labels", 0][1] != found["crop", 0][1]


@pytest.mark.parametrize("study", ["quickstart", "compositions", "projection-head"])
@pytest.mark.parametrize("seeds", [(0,), (3, 8)])
def test_a_plans_keys_are_those_of_its_trials_own_configurations(
    study: str, seeds: tuple[int, ...]
) -> None:
    plan = the_plan(study, seeds=seeds, set=(parse_assignment("seeds.views=5"),))

    assert {trial.role for trial in plan.trials} == {"arm", "floor", "reference", "control"}
    for trial in plan.trials:
        config = Config.model_validate(trial.config)
        stages = identity.chain(config, fingerprint(config.data, None))
        assert [stage.key for stage in trial.stages] == [key for _, key in chain_keys(stages)]


def test_an_sgd_probes_seed_enters_its_trials_key_also_where_the_encoder_is_shared(
    here: Path,
) -> None:
    seeds = ("seeds.initialisation=0", "seeds.order=0", "seeds.views=0")
    plan = with_set(written_study(here), *seeds, "evaluation.probe={kind: sgd, batch_size: 32}")

    found = keys(plan)
    assert found["crop", 0][0] == found["crop", 1][0]
    assert found["crop", 0][1] != found["crop", 1][1]
    for trial in plan.trials:
        config = Config.model_validate(trial.config)
        stages = identity.chain(config, fingerprint(config.data, None))
        assert [stage.key for stage in trial.stages] == [key for _, key in chain_keys(stages)]


def test_images_enter_by_their_bytes_and_not_by_their_place(here: Path) -> None:
    study = written_study(here)
    first, moved = pictures(here / "first"), pictures(here / "moved")
    other = pictures(here / "other", shade=1)

    found = [keys(the_plan(study, data=folder)) for folder in (first, moved, other)]

    assert found[0] == found[1]
    assert all(found[0][place][0] != found[2][place][0] for place in found[0])


def test_how_a_trial_is_run_enters_no_key(here: Path) -> None:
    study = written_study(here)

    found = keys(the_plan(study, device="cpu", store=Path("elsewhere")))

    assert found == keys(the_plan(study, device="auto"))


@pytest.mark.parametrize(
    ("version", "changed"),
    [("TRAINER_VERSION", (True, True)), ("EVALUATION_VERSION", (False, True))],
)
def test_a_raised_version_makes_other_keys(
    here: Path, monkeypatch: pytest.MonkeyPatch, version: str, changed: tuple[bool, bool]
) -> None:
    study = written_study(here)
    before = keys(the_plan(study))["crop", 0]
    monkeypatch.setattr(identity, version, 99)
    after = keys(the_plan(study))["crop", 0]

    assert (before[0] != after[0], before[1] != after[1]) == changed


def test_no_cell_mixes_precisions(here: Path) -> None:
    study = written_study(here)

    assert {trial.config["precision"] for trial in the_plan(study, device="cpu").trials} == {"fp32"}
    bf16 = with_set(study, "precision=bf16", device="cpu").trials
    assert {trial.config["precision"] for trial in bf16} == {"bf16"}


def test_images_that_change_after_planning_stop_the_trial(here: Path) -> None:
    from ablations.trial.stages import run_trial
    from sweeps.errors import LaunchError
    from sweeps.storage.store import Store

    study = written_study(here, STUDY)
    trial = the_plan(study, data=pictures(here / "first")).trials[0]
    picture = here / "first" / "a" / "3.png"
    Image.fromarray(np.full((36, 36, 3), 7, np.uint8)).save(picture)

    # As much of the engine's context as is requested before anything trains.
    context = SimpleNamespace(
        store=Store("runs"),
        config=trial.config,
        payload={},
        trial=trial,
        identify=lambda _: None,
    )
    run: Callable[[Any], Any] = run_trial
    with pytest.raises(LaunchError, match="changed since the study was planned"):
        run(context)
