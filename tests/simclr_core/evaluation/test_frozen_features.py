"""Features: what a frozen encoder says of centre squares, and the hash that shows it was frozen."""

from collections.abc import Callable

import pytest
import torch
from made_trials import HERE, random_pictures
from torch import Tensor, nn

from simclr_core.data.images import Images
from simclr_core.evaluation.frozen_features import features, state_hash
from simclr_core.networks.encoders import ResNet
from simclr_core.runtime import Execution

TINY = ResNet(blocks=(1,), width=0.125, stem="small")


def some_images(num: int = 20) -> Images:
    return Images.of(random_pictures(num, 16))


def test_they_are_the_encoders_output_on_centre_squares_in_evaluation_mode() -> None:
    encoder, images = TINY.build(0), some_images()
    encoder.bn1.running_mean.fill_(0.5)
    x = images.centre_squares(torch.arange(20), 16)
    with torch.no_grad():
        expected = encoder.eval()(x)

    found = features(encoder.train(), images, 16, HERE)

    torch.testing.assert_close(found, expected)
    assert found.dtype == torch.float32
    assert not found.requires_grad


@pytest.mark.parametrize("training", [True, False])
def test_the_encoder_comes_back_untouched_in_the_mode_it_came_in(*, training: bool) -> None:
    encoder = TINY.build(0).train(training)
    before = state_hash(encoder.state_dict())

    features(encoder, some_images(), 16, HERE)

    assert encoder.training == training
    assert state_hash(encoder.state_dict()) == before


def test_batches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, images = TINY.build(0), some_images()
    whole = features(encoder, images, 16, HERE)

    monkeypatch.setattr("simclr_core.evaluation.frozen_features._BATCH", 7)

    torch.testing.assert_close(features(encoder, images, 16, HERE), whole)


def test_the_layout_in_memory_changes_only_the_rounding() -> None:
    encoder, images = TINY.build(0), some_images()
    contiguous = Execution(device="cpu", memory_format="contiguous")

    torch.testing.assert_close(
        features(contiguous.place(encoder), images, 16, contiguous),
        features(HERE.place(encoder), images, 16, HERE),
    )


def _one_bit(state: dict[str, Tensor]) -> None:
    state["a"].view(torch.int32)[1, 1] ^= 1


def _renamed(state: dict[str, Tensor]) -> None:
    state["c"] = state.pop("b")


def _reshaped(state: dict[str, Tensor]) -> None:
    state["a"] = state["a"].reshape(3, 2)


def _retyped(state: dict[str, Tensor]) -> None:
    state["a"] = state["a"].view(torch.int32)


def _counted(state: dict[str, Tensor]) -> None:
    state["b"] += 1


@pytest.mark.parametrize("change", [_one_bit, _renamed, _reshaped, _retyped, _counted])
def test_the_hash_tells_any_change(change: Callable[[dict[str, Tensor]], None]) -> None:
    state = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(5)}
    before = state_hash(state)

    change(state)

    assert state_hash(state) != before


def test_the_hash_is_of_numbers_not_of_order_or_layout() -> None:
    kernel = nn.Conv2d(3, 4, 3).weight
    state = {"a": kernel, "b": torch.tensor(5)}
    other = {"b": torch.tensor(5), "a": kernel.to(memory_format=torch.channels_last)}

    assert state_hash(state) == state_hash(other)
    assert len(state_hash(state)) == 64
