"""Raw pixels: what the probe sees without a network, and that nothing of it is trained or drawn."""

import pytest
import torch
from made_trials import HERE, Listener, made_dataset, random_pictures, small_config, textures
from sklearn.linear_model import LogisticRegression

from simclr_core import run
from simclr_core.config.schema import Config
from simclr_core.evaluation.frozen_evaluation import evaluate
from simclr_core.networks.pixels import Pixels
from simclr_core.training.pretraining import pretrain

RAW = {"encoder": {"kind": "pixels"}, "epochs": 0}


@pytest.mark.parametrize("size", [8, 32])
def test_small_images_are_flattened_as_they_are(size: int) -> None:
    x = torch.rand(3, 3, size, size)

    h = Pixels().build(0, size)(x)

    assert torch.equal(h, x.reshape(3, -1))


def test_large_images_are_averaged_down_to_32_pixels() -> None:
    x = torch.rand(2, 3, 224, 224, dtype=torch.float64)
    blocks = x.reshape(2, 3, 32, 7, 32, 7).mean(dim=(3, 5))

    h = Pixels().build(0, 224)(x)

    torch.testing.assert_close(h, blocks.reshape(2, -1))
    assert h.shape[1] == Pixels().num_features == 3072


def test_there_are_no_weights_and_no_seed_changes_anything() -> None:
    first, second = (
        pretrain(small_config({**RAW, "seed": seed}), textures(), HERE, Listener())
        for seed in (1, 2)
    )

    assert first.state == second.state == {}
    assert (first.steps, first.num_parameters) == (0, 0)


def test_the_probe_on_them_is_scikit_learns_on_the_images_themselves() -> None:
    # Class is where the bright corner is, under noise: a linear matter of pixels.
    pictures, labels = random_pictures(300, 8), torch.arange(300) % 3
    for i, label in enumerate(labels.tolist()):
        pictures[i, :, 4 * (label // 2) :, 4 * (label % 2) :] //= 2
    dataset = made_dataset(pictures, labels, 200, num_classes=3)
    config = small_config({**RAW, "evaluation.probe.l2": [3.0]})

    found = evaluate(config, dataset, {}, HERE, Listener())

    x = pictures.reshape(300, -1).double() / 255
    theirs = LogisticRegression(C=1 / 3.0, tol=1e-8, max_iter=2000).fit(x[:200], labels[:200])
    expected = 100 * theirs.score(x[200:], labels[200:])
    # One image of 100 may be rounded into another class.
    assert found.values["top1"] == pytest.approx(expected, abs=1.01)
    assert expected > 60
    assert found.facts["encoder_hash_before"] == found.facts["encoder_hash_after"]


def test_a_whole_trial_of_them_gives_all_values() -> None:
    result = run(small_config({**RAW, "encoder.side": 4}), None, HERE)

    assert result.values.keys() == {"top1", "top5", "validation_top1", "knn_top1", "knn_top5"}
    assert result.facts["optimiser_steps"] == 0


def test_they_are_never_trained() -> None:
    with pytest.raises(ValueError, match="epochs must be 0 if the encoder is raw pixels"):
        Config(encoder=Pixels())
