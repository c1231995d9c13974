"""Recomputation and gradient caching against one plain pass: gradients, statistics, memory."""

from contextlib import nullcontext
from typing import Any

import pytest
import torch
from embedded import embeddings
from made_trials import NO_CURVE, Listener, equal_states, small_config, textures, trained
from torch import Tensor, nn

from simclr_core.config.overrides import mistakes
from simclr_core.errors import ConfigurationError
from simclr_core.losses.contrastive import NTXent
from simclr_core.networks.activation_memory import cached, recomputed
from simclr_core.networks.encoders import ResNet
from simclr_core.runtime import Execution
from simclr_core.training.pretraining import pretrain

TEN = {"encoder": {"depth": 10, "width": 0.0625, "stem": "cifar"}, **NO_CURVE}
VIT = {
    "encoder": {"kind": "vit", "patch": 8, "dim": 16, "depth": 2, "heads": 2},
    **NO_CURVE,
}


def plain(*, norm: bool) -> nn.Sequential:
    torch.manual_seed(0)
    between: nn.Module = nn.BatchNorm1d(7) if norm else nn.Tanh()
    return nn.Sequential(nn.Linear(5, 7), between, nn.Linear(7, 4)).double()


def gradients(network: nn.Module) -> list[Tensor]:
    return [p.grad.clone() for p in network.parameters() if p.grad is not None]


# --------------------------------------------------------------------------------- recomputation


@pytest.mark.parametrize("changes", [TEN, VIT], ids=["resnet", "vit"])
def test_recomputed_blocks_give_the_same_encoder_bit_for_bit_statistics_included(
    changes: dict[str, Any],
) -> None:
    config = small_config(changes)
    whole, anew = (
        pretrain(
            config,
            textures(),
            Execution(device="cpu", threads=1, recompute=recompute),
            Listener(),
        )
        for recompute in (False, True)
    )

    assert equal_states(whole.state, anew.state)
    assert whole.state.get("bn1.num_batches_tracked", 6) == 6


def test_without_batch_norm_gradient_caching_trains_the_same_encoder() -> None:
    changes = {**VIT, "head.batch_norm": False, "optimizer": {"kind": "sgd", "learning_rate": 1.0}}
    whole, chunks = trained(changes), trained({**changes, "gradient_cache": 10})

    for name, tensor in whole.state.items():
        torch.testing.assert_close(chunks.state[name], tensor, rtol=0, atol=1e-5)


def kept(*, recompute: bool) -> int:
    """Bytes that a forward pass keeps for the way back, weights apart."""
    network = ResNet(depth=18, width=0.125, stem="cifar").build(0, 32)
    network.recompute = recompute
    own = {p.untyped_storage().data_ptr() for p in network.state_dict(keep_vars=True).values()}
    storages: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        held = network(torch.rand(8, 3, 32, 32))
        assert held.requires_grad
    return sum(storages.values())


def test_recomputed_blocks_keep_less_than_half_of_the_activations() -> None:
    assert kept(recompute=True) < 0.5 * kept(recompute=False)


def test_a_recomputed_block_moves_running_statistics_once() -> None:
    block = plain(norm=True)
    x = embeddings(4).requires_grad_()

    recomputed(block, x).sum().backward()

    assert isinstance(block[1], nn.BatchNorm1d)
    assert block[1].num_batches_tracked == 1
    torch.testing.assert_close(block[1].running_mean, 0.1 * block[0](x).detach().mean(0))


def test_an_encoder_without_blocks_says_that_nothing_can_be_recomputed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ResNet, "build", lambda *_: nn.Flatten())

    with pytest.raises(ConfigurationError, match="recompute: encoder resnet has no blocks"):
        pretrain(
            small_config(NO_CURVE), textures(), Execution(device="cpu", recompute=True), Listener()
        )


# ------------------------------------------------------------------------------ gradient caching


@pytest.mark.parametrize("chunk", [1, 2, 6])
def test_without_batch_norm_chunks_have_the_whole_batchs_loss_and_gradient(chunk: int) -> None:
    one, other = plain(norm=False), plain(norm=False)
    x = embeddings(6)

    expected = NTXent()(one(x))
    expected.backward()
    value, z = cached(other, other, x, NTXent(), 6, chunk, nullcontext)

    torch.testing.assert_close(value, expected.detach())
    torch.testing.assert_close(z, one(x).detach())
    torch.testing.assert_close(gradients(other), gradients(one), rtol=1e-10, atol=1e-12)


def test_with_batch_norm_chunks_are_the_loss_of_all_with_statistics_by_chunk() -> None:
    one, other = plain(norm=True), plain(norm=True)
    x = embeddings(6)
    rows = [torch.tensor([i, i + 1, i + 6, i + 7]) for i in (0, 2, 4)]

    parts = torch.cat([one(x[index]) for index in rows])
    expected = NTXent()(parts[torch.cat(rows).argsort()])
    expected.backward()
    value, _ = cached(other, other, x, NTXent(), 6, 2, nullcontext)

    torch.testing.assert_close(value, expected.detach())
    torch.testing.assert_close(gradients(other), gradients(one), rtol=1e-10, atol=1e-12)
    assert equal_states(dict(one[1].named_buffers()), dict(other[1].named_buffers()))


def test_what_a_network_drops_in_the_first_pass_it_drops_in_the_second() -> None:
    torch.manual_seed(1)
    network = nn.Sequential(nn.Linear(5, 64), nn.Dropout(0.5), nn.Linear(64, 4)).double()
    x, seen = embeddings(6), list[Tensor]()

    def watched(x: Tensor) -> Tensor:
        seen.append(network(x))
        return seen[-1]

    cached(watched, network, x, NTXent(), 6, 2, nullcontext)

    for first, second in zip(seen[:3], seen[3:], strict=True):
        torch.testing.assert_close(first, second.detach())


def test_a_chunk_as_large_as_the_batch_is_the_batch() -> None:
    whole, one_chunk = (trained({**TEN, "gradient_cache": c}) for c in (None, 40))

    assert all(
        torch.allclose(whole.state[name], one_chunk.state[name], atol=1e-6) for name in whole.state
    )


def test_smaller_chunks_train_another_encoder_and_stand_in_its_identity() -> None:
    changes: dict[str, Any] = {**TEN, "gradient_cache": 10}
    whole, chunks = trained(TEN), trained(changes)

    assert not equal_states(whole.state, chunks.state)
    assert small_config(changes).encoder_identity()["gradient_cache"] == 10


def test_chunks_divide_the_batch_or_say_so() -> None:
    [found] = mistakes({"batch_size": 64, "gradient_cache": 48})

    assert str(found) == "gradient_cache: must divide batch_size, got 48 of 64"
