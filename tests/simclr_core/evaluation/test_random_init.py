"""The random encoder: where pre-training starts, with statistics of the training images."""

import importlib
from typing import Any

import pytest
import torch
from made_trials import (
    HERE,
    NO_CURVE,
    STILL,
    Listener,
    equal_states,
    kernels,
    made_dataset,
    random_pictures,
    small_config,
    textures,
    trained,
)
from torch import nn

from simclr_core.training.pretraining import pretrain

module = importlib.import_module("simclr_core.evaluation.random_init")


@pytest.mark.parametrize("seed", [0, 3])
def test_the_random_encoder_has_the_first_weights_of_the_arm_of_its_seed(seed: int) -> None:
    arm = trained({**STILL, **NO_CURVE, "seed": seed})
    random = trained({"epochs": 0, "seed": seed})

    assert equal_states(kernels(arm.state), kernels(random.state))
    assert random.steps == 0
    assert random.state["layer1.0.bn2.weight"].tolist() == [0.0] * 8


def test_its_statistics_are_those_of_the_training_images(monkeypatch: pytest.MonkeyPatch) -> None:
    config, dataset = small_config({"epochs": 0}), textures()
    x = dataset.pretraining_images().centre_squares(torch.arange(120), 32)
    with torch.no_grad():
        x_cn = config.encoder.build(config.seed).conv1(x).transpose(0, 1).flatten(1)

    whole = pretrain(config, dataset, HERE, Listener()).state
    monkeypatch.setattr(module, "_BATCH", 40)
    in_parts = pretrain(config, dataset, HERE, Listener()).state

    torch.testing.assert_close(whole["bn1.running_mean"], x_cn.mean(1), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(whole["bn1.running_var"], x_cn.var(1), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(in_parts["bn1.running_mean"], x_cn.mean(1), rtol=1e-4, atol=1e-6)


def test_batch_norm_of_vectors_has_statistics_too() -> None:
    config, dataset = small_config({"epochs": 0}), textures()
    encoder = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(3 * 32 * 32))
    images = dataset.pretraining_images()

    module.estimate_statistics(config, encoder, images, 32, HERE)

    x = images.centre_squares(torch.arange(len(images)), 32).flatten(1)
    torch.testing.assert_close(encoder[1].running_mean, x.mean(0), rtol=1e-4, atol=1e-5)


def test_images_in_the_order_of_their_classes_are_shuffled_for_the_statistics(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Five grey levels of 40 images each: in batches of 20 as they stand there is no variance.
    pictures = (torch.arange(200) // 40 * 50).to(torch.uint8)[:, None, None, None]
    dataset = made_dataset(pictures.expand(200, 3, 8, 8).contiguous(), [0] * 200, 190)
    monkeypatch.setattr(module, "_BATCH", 20)
    config = small_config({"epochs": 0})
    x = dataset.pretraining_images().centre_squares(torch.arange(190), 8)
    with torch.no_grad():
        x_cn = config.encoder.build(config.seed).conv1(x).transpose(0, 1).flatten(1)

    found = pretrain(config, dataset, HERE, Listener()).state["bn1.running_var"]

    assert (found / x_cn.var(1)).min() > 0.8


@pytest.mark.parametrize(
    "changes",
    [
        {"views.operations": [{"kind": "noise"}]},
        {"head": {"kind": "none"}},
        {"loss.temperature": 0.5},
        {"batch_size": 1000},
        {"optimizer": {"kind": "lars"}},
        {"seeds.order": 9},
    ],
)
def test_cells_that_share_an_encoder_share_the_random_one(changes: dict[str, Any]) -> None:
    assert equal_states(trained({"epochs": 0}).state, trained({"epochs": 0, **changes}).state)


def test_test_images_reach_no_encoder() -> None:
    train, labels = random_pictures(40), torch.arange(60) % 10
    sets = [
        lambda seed=seed: made_dataset(
            torch.cat([train, random_pictures(20, seed=seed)]), labels, 40
        )
        for seed in (1, 2)
    ]

    for changes in ({"epochs": 0}, {"batch_size": 20}):
        one, other = (trained(changes, dataset()) for dataset in sets)
        assert equal_states(one.state, other.state)
