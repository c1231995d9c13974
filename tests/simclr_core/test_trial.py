"""A whole trial, the page of the package, and that the laptop's kind of trial learns at all."""

import re
from pathlib import Path

import pytest
from made_trials import HERE, Listener, equal_states, small_config, textures

from simclr_core import evaluate, pretrain, run
from simclr_core.callbacks import Curve
from simclr_core.config.overrides import check
from simclr_core.config.schema import Config
from simclr_core.errors import DataMissing

README = Path(__file__).parents[2] / "simclr_core" / "README.md"

LEARNS = {
    "data.num_images": 400,
    "data.num_test": 200,
    "encoder": {"blocks": [1, 1], "width": 0.25, "stem": "small"},
    "views.operations": [{"kind": "crop"}, {"kind": "colour"}],
    "optimizer.learning_rate": 1e-2,
    "schedule": {"kind": "warmup_cosine", "warmup_epochs": 1},
    "loss.temperature": 0.5,
    "epochs": 10,
    "batch_size": 50,
}


def test_a_run_is_pre_training_and_read_outs_after_another() -> None:
    config, dataset = small_config(), textures()
    trained = pretrain(config, dataset, HERE, Listener())
    expected = evaluate(config, dataset, trained.state, HERE, Listener())
    listener = Listener()

    found = run(config, listener, HERE)

    assert found.values == expected.values
    assert found.facts["optimiser_steps"] == trained.steps == len(listener.steps)
    assert found.facts["num_parameters"] == trained.num_parameters
    assert expected.facts.items() <= found.facts.items()
    assert found.curve["step"] == [1, 2, 3, 4, 5, 6]
    assert found.curve["loss"] == list(listener.column("loss").values())


def test_a_run_says_the_configuration_as_it_was_used() -> None:
    config = check({**small_config().model_dump(mode="json"), "precision": "auto", "seeds": {}})

    found = run(config.at(4), None, HERE).config

    assert found.precision == "fp32"
    assert found.seeds.model_dump() == {"initialisation": 4, "order": 4, "views": 4}


def test_data_that_are_not_at_hand_end_a_run_before_it_trains() -> None:
    with pytest.raises(DataMissing, match="ImageNet"):
        run(Config(), None, HERE)


def test_a_curve_has_none_where_a_step_lacks_a_metric() -> None:
    curve = Curve()
    curve.metrics(2, {"loss": 1.0})
    curve.metrics(1, {"loss": 2.0, "rate": 0.5})
    curve.metrics(2, {"knn": 30.0})

    assert curve.columns() == {
        "step": [1, 2],
        "loss": [2.0, 1.0],
        "rate": [0.5, None],
        "knn": [None, 30.0],
    }


def test_either_of_two_observers_can_stop_a_run() -> None:
    assert run(small_config(), Listener(stop_after=2), HERE).facts["optimiser_steps"] == 2


@pytest.mark.proof
@pytest.mark.slow
def test_crop_and_colour_learn_more_than_the_random_encoder_knows() -> None:
    config = small_config(LEARNS)

    learned, random = (
        run(one, None, HERE) for one in (config, config.model_copy(update={"epochs": 0}))
    )

    # Three seeds of the design gave 22 to 35 points on top1; the loss fell by 0.65 to 0.8.
    assert learned.values["top1"] > random.values["top1"] + 10
    assert learned.values["knn_top1"] > random.values["knn_top1"] + 5
    losses = [loss for loss in learned.curve["loss"] if loss is not None]
    assert losses[-1] < losses[0] - 0.4


def test_threads_and_layout_are_no_part_of_the_result_but_for_rounding() -> None:
    config, dataset = small_config({"epochs": 0}), textures()
    other = HERE.model_copy(update={"memory_format": "contiguous"})

    one, two = (pretrain(config, dataset, how, Listener()).state for how in (HERE, other))

    assert one.keys() == two.keys()
    assert all(one[name].allclose(two[name], atol=1e-5) for name in one)
    assert equal_states(one, pretrain(config, dataset, HERE, Listener()).state)


def test_the_blocks_of_the_readme_run() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    assert blocks
    scope: dict[str, object] = {}

    for block in blocks:
        exec(compile(block, str(README), "exec"), scope)
