"""Vision transformers against timm's and torchvision's; positions, first weights, what decays."""

from typing import Any

import pytest
import timm
import torch
from made_trials import (
    HERE,
    NO_CURVE,
    STILL,
    Listener,
    equal_states,
    small_config,
    textures,
    trained,
)
from timm.layers.pos_embed_sincos import build_sincos2d_pos_embed
from timm.optim import param_groups_weight_decay
from torch import Tensor, nn
from torchvision.models import VisionTransformer as Published

from simclr_core.data.images import Images
from simclr_core.evaluation.frozen_evaluation import evaluate
from simclr_core.evaluation.frozen_features import state_hash
from simclr_core.networks.vit import VisionTransformer
from simclr_core.optim.optimizers import AdamW, Lars, Sgd
from simclr_core.runtime import Execution
from simclr_core.training.pretraining import pretrain

SMALL: dict[str, Any] = {"patch": 8, "dim": 24, "depth": 3, "heads": 2, "mlp_ratio": 1.5}
SIDE = 32


def timms(shape: VisionTransformer) -> nn.Module:
    """The network of timm that has the same shape, for images of 32 px."""
    return timm.models.VisionTransformer(
        img_size=SIDE,
        patch_size=shape.patch,
        embed_dim=shape.dim,
        depth=shape.depth,
        num_heads=shape.heads,
        mlp_ratio=shape.mlp_ratio,
        num_classes=0,
        class_token=shape.pooling == "class_token",
        global_pool="token" if shape.pooling == "class_token" else "avg",
        final_norm=shape.final_norm,
        fc_norm=False,
    )


def stirred(network: nn.Module, seed: int = 5) -> nn.Module:
    """The network in float64 with every weight, scale and shift away from its beginning."""
    rng = torch.Generator().manual_seed(seed)
    network = network.double()
    with torch.no_grad():
        for weights in network.parameters():
            weights.add_(torch.randn(weights.shape, generator=rng, dtype=torch.float64), alpha=0.2)
    return network


def pictures(num: int = 3) -> Tensor:
    return torch.rand(
        num, 3, SIDE, SIDE, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )


# ------------------------------------------------------------------ against timm and torchvision


@pytest.mark.parametrize("final_norm", [True, False])
@pytest.mark.parametrize("positions", ["fixed", "learned"])
@pytest.mark.parametrize("pooling", ["mean", "class_token"])
def test_outputs_and_gradients_are_timms_with_equal_weights(
    pooling: Any, positions: Any, *, final_norm: bool
) -> None:
    shape = VisionTransformer(**SMALL, pooling=pooling, positions=positions, final_norm=final_norm)
    ours = stirred(shape.build(0, SIDE))
    theirs = timms(shape).double()
    theirs.load_state_dict(ours.state_dict())

    found, expected = ours(pictures()), theirs(pictures())
    found.square().sum().backward()
    expected.square().sum().backward()

    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    gradients = dict(theirs.named_parameters())
    for name, weights in ours.named_parameters():
        torch.testing.assert_close(weights.grad, gradients[name].grad, rtol=1e-9, atol=1e-9)


NAMES = (
    ("class_token", "cls_token"),
    ("encoder.pos_embedding", "pos_embed"),
    ("encoder.layers.encoder_layer_", "blocks."),
    ("encoder.ln.", "norm."),
    ("conv_proj.", "patch_embed.proj."),
    ("ln_1.", "norm1."),
    ("ln_2.", "norm2."),
    ("self_attention.in_proj_", "attn.qkv."),
    ("self_attention.out_proj.", "attn.proj."),
    ("mlp.0.", "mlp.fc1."),
    ("mlp.3.", "mlp.fc2."),
)
"""Beginnings of torchvision's names, and ours."""


def test_outputs_are_torchvisions_with_its_weights() -> None:
    theirs = Published(SIDE, 8, num_layers=3, num_heads=2, hidden_dim=24, mlp_dim=36)
    theirs.heads = nn.Identity()
    theirs = stirred(theirs)
    state = {}
    for name, weights in theirs.state_dict().items():
        for published, own in NAMES:
            name = name.replace(published, own)  # noqa: PLW2901
        state[name] = weights
    ours = VisionTransformer(**SMALL, pooling="class_token", positions="learned")
    ours = ours.build(0, SIDE).double()
    ours.load_state_dict(state)

    torch.testing.assert_close(ours(pictures()), theirs(pictures()), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("deit_tiny_patch16_224", {}),
        ("deit_small_patch16_224", {"dim": 384, "heads": 6}),
        ("vit_base_patch32_224", {"dim": 768, "heads": 12, "patch": 32}),
    ],
)
def test_the_number_of_weights_is_that_of_published_sizes(name: str, shape: dict[str, Any]) -> None:
    with torch.device("meta"):
        theirs: nn.Module = timm.create_model(name, num_classes=0)

    ours = VisionTransformer(**shape, pooling="class_token", positions="learned").outline(224)

    assert {n: w.shape for n, w in ours.named_parameters()} == {
        n: w.shape for n, w in theirs.named_parameters()
    }


# ----------------------------------------------------------------------------------- positions


@pytest.mark.parametrize("side", [1, 2, 7])
def test_fixed_positions_are_timms_sines_and_cosines(side: int) -> None:
    shape = VisionTransformer(**SMALL)

    positions = shape.build(0, 8 * side).pos_embed

    expected = build_sincos2d_pos_embed([side, side], 24)
    torch.testing.assert_close(positions, expected[None], rtol=1e-5, atol=1e-6)
    assert not isinstance(positions, nn.Parameter)


def test_a_class_token_has_no_fixed_position() -> None:
    positions = VisionTransformer(**SMALL, pooling="class_token").build(0, SIDE).pos_embed

    assert positions.shape == (1, 17, 24)
    assert positions[0, 0].tolist() == [0.0] * 24
    torch.testing.assert_close(
        positions[:, 1:], VisionTransformer(**SMALL).build(0, SIDE).pos_embed
    )


def test_patches_are_told_apart_by_their_place_alone() -> None:
    network = VisionTransformer(**SMALL).build(0, SIDE).double()
    x = pictures(1)
    turned = x.roll(8, dims=3)

    with torch.no_grad():
        placed = (network(x) - network(turned)).abs().max()
        network.pos_embed.zero_()
        without = (network(x) - network(turned)).abs().max()

    assert placed > 1e-6
    assert without < 1e-12


# -------------------------------------------------------------------------------- first weights


@pytest.mark.statistical
def test_first_weights_have_timms_spread() -> None:
    # As many numbers as each weight has: six standard errors of a standard deviation for each of
    # 28 tensors, a false-alarm rate of 28 * 2e-9.
    shape = VisionTransformer(dim=96, depth=2, pooling="class_token", positions="learned", patch=4)
    torch.manual_seed(0)
    theirs = timm.models.VisionTransformer(
        img_size=SIDE, patch_size=4, embed_dim=96, depth=2, num_heads=3, num_classes=0
    )
    expected = dict(theirs.named_parameters())

    for name, weights in shape.build(7, SIDE).named_parameters():
        theirs_std = float(expected[name].detach().double().std())
        allowed = 6 * theirs_std / weights.numel() ** 0.5
        assert float(weights.detach().double().std()) == pytest.approx(theirs_std, abs=allowed), (
            name
        )
        assert float(weights.detach().mean()) == pytest.approx(
            float(expected[name].detach().mean()), abs=9 * theirs_std / weights.numel() ** 0.5
        ), name


@pytest.mark.parametrize("positions", ["fixed", "learned"])
def test_first_weights_depend_on_the_seed_and_on_no_generator_nor_move_one(positions: Any) -> None:
    shape = VisionTransformer(**SMALL, pooling="class_token", positions=positions)
    torch.manual_seed(1)
    one = shape.build(0, SIDE).state_dict()
    torch.manual_seed(2)
    before = torch.get_rng_state()
    again, other = shape.build(0, SIDE).state_dict(), shape.build(1, SIDE).state_dict()

    assert torch.equal(torch.get_rng_state(), before)
    assert equal_states(one, again)
    for name in ("cls_token", "patch_embed.proj.weight", "blocks.2.mlp.fc1.weight"):
        assert not torch.equal(one[name], other[name])
    assert all(weights.isfinite().all() for weights in one.values())


# ------------------------------------------------------------------------------------ what decays


@pytest.mark.parametrize("optimizer", [Lars(), Sgd(), AdamW()])
@pytest.mark.parametrize("positions", ["fixed", "learned"])
def test_the_same_weights_decay_as_in_timm(optimizer: Any, positions: Any) -> None:
    shape = VisionTransformer(**SMALL, pooling="class_token", positions=positions)
    network = shape.build(0, SIDE)
    names = {id(weights): name for name, weights in network.named_parameters()}
    _, expected = param_groups_weight_decay(
        network, no_weight_decay_list=timms(shape).no_weight_decay()
    )

    decayed, excluded = optimizer.build(nn.ModuleList([network])).param_groups

    assert {names[id(w)] for w in decayed["params"]} == {names[id(w)] for w in expected["params"]}
    assert excluded["weight_decay"] == 0
    assert len(decayed["params"]) + len(excluded["params"]) == len(names)


# ----------------------------------------------------------------------------------- in a trial

VIT: dict[str, Any] = {"encoder": {"kind": "vit", **SMALL}}


def test_a_training_moves_every_weight_and_repeats_to_the_bit() -> None:
    changes = {**VIT, "encoder.pooling": "class_token", "encoder.positions": "learned"}
    first, again = trained(changes), trained(changes)
    start = trained({**changes, "epochs": 0})

    assert equal_states(first.state, again.state)
    assert {n for n in start.state if torch.equal(start.state[n], first.state[n])} == set()


def test_fixed_positions_stay_where_they_are() -> None:
    positions = trained(VIT).state["pos_embed"]

    assert torch.equal(positions, trained({**VIT, "epochs": 0}).state["pos_embed"])


def test_the_random_encoder_is_where_training_starts_and_looks_at_no_image(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arm = trained({**VIT, **STILL, **NO_CURVE})
    dataset = textures()

    def none(*_: Any) -> Tensor:
        raise AssertionError("there is no batch norm to estimate anything for")

    monkeypatch.setattr(Images, "centre_squares", none)
    random = trained({**VIT, "epochs": 0}, dataset)

    torch.testing.assert_close(arm.state, random.state, rtol=0, atol=1e-25)  # biases start at 0
    assert random.num_parameters == sum(
        weights.numel() for weights in VisionTransformer(**SMALL).outline(SIDE).parameters()
    )


def test_the_layout_in_memory_changes_only_the_rounding() -> None:
    # Not AdamW: what moves no output (all keys alike, a shift before batch norm) has a gradient of
    # rounding alone, and AdamW makes whole steps of it.
    sgd = {"optimizer": {"kind": "sgd", "learning_rate": 0.1}}
    config = small_config({**VIT, **sgd})
    contiguous = Execution(device="cpu", memory_format="contiguous")

    found = [pretrain(config, textures(), how, Listener()).state for how in (HERE, contiguous)]

    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-4)


def test_what_is_read_out_is_the_trained_network_and_it_stays_as_it_is() -> None:
    state = trained(VIT).state

    found = evaluate(small_config(VIT), textures(), state, HERE, Listener())

    assert found.facts["encoder_hash_before"] == found.facts["encoder_hash_after"]
    assert found.facts["encoder_hash_before"] == state_hash(state)
