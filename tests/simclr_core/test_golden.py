"""Numbers that may not move by themselves: equal keys must mean equal results.

They were taken from the code and judge nothing but change; the oracles stand in the other tests.
They hold to a tolerance, since processors round differently.
"""

from typing import Any

import pytest
from made_trials import HERE, NO_CURVE, Listener, small_config, trained

from simclr_core import run

RAISE = (
    "equal configurations now give other {what}: if that is meant, raise {version} in "
    "simclr_core/config/schema.py, so that earlier records keep their own keys, and note the new numbers"
)
TRAINER = RAISE.format(what="encoders", version="TRAINER_VERSION")
EVALUATION = RAISE.format(what="read-outs of equal encoders", version="EVALUATION_VERSION")

SYMMETRIC: dict[str, Any] = {
    "views.operations": [{"kind": "crop"}, {"kind": "colour"}, {"kind": "blur"}],
    "optimizer": {"kind": "lars", "learning_rate": 1.0},
    "schedule": {"kind": "warmup_cosine", "warmup_epochs": 1},
    "epochs": 1,
    "seed": 3,
}
ONE_BRANCH: dict[str, Any] = {
    "views": {
        "kind": "one_branch",
        "branch": [{"kind": k} for k in ("cutout", "sobel", "noise", "rotation")],
    },
    "head": {"kind": "linear", "output": 16},
    "epochs": 1,
}
NO_HEAD: dict[str, Any] = {
    "encoder": {"depth": 10, "width": 0.0625, "stem": "cifar"},
    "head": {"kind": "none"},
    "optimizer": {"kind": "sgd", "learning_rate": 0.5, "weight_decay": 0.01},
    "loss.temperature": 0.5,
    "epochs": 1,
}
RANDOM: dict[str, Any] = {
    "epochs": 0,
    "data.num_images": 300,
    "data.num_test": 300,
    "evaluation.probe.l2": [1.0],
}


@pytest.mark.parametrize(
    ("changes", "losses", "kernels", "variances"),
    [
        (SYMMETRIC, [9.48653, 8.02142, 9.77887], 2.344674, 2.09009),
        (ONE_BRANCH, [16.29726, 15.25271, 14.91312], 2.344217, 2.080772),
        (NO_HEAD, [4.39485, 4.3411, 4.31425], 2.422968, 1.499004),
    ],
)
def test_three_steps_of_pre_training_give_the_numbers_they_gave(
    changes: dict[str, Any], losses: list[float], kernels: float, variances: float
) -> None:
    listener = Listener()

    state = trained({**changes, **NO_CURVE}, listener=listener).state

    found = list(listener.column("loss").values())
    found += [float(state[n].double().norm()) for n in ("conv1.weight", "bn1.running_var")]
    assert found == pytest.approx([*losses, kernels, variances], rel=1e-3), TRAINER


def test_the_random_encoder_gives_the_numbers_it_gave() -> None:
    state = trained({"epochs": 0}).state

    found = [float(state[n].double().norm()) for n in ("conv1.weight", "bn1.running_var")]
    assert found == pytest.approx([2.342176, 0.087345], rel=1e-3), TRAINER


def test_evaluations_of_the_random_encoder_give_the_numbers_they_gave() -> None:
    result = run(small_config(RANDOM), None, HERE)
    control = run(small_config({**RANDOM, "evaluation.permuted_labels": 2}), None, HERE)

    found = result.values | control.values
    expected = {
        "validation_top1": 13.333,
        "top1": 25.667,
        "top5": 72.0,
        "knn_top1": 22.667,
        "knn_top5": 69.667,
        "permuted/mean": 10.833,
        "permuted/standard_error": 1.5,
        "permuted/largest_class_share": 10.0,
    }
    # Two of 300 test images (or of 30 for the choice) may be rounded into another class.
    assert found.keys() == expected.keys(), EVALUATION
    for name, value in expected.items():
        images = 30 if name == "validation_top1" else 300
        assert found[name] == pytest.approx(value, abs=2.1 * 100 / images), EVALUATION
