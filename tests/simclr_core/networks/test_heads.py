"""Projection heads: figure 8's three, in the official code's form and in the plain one."""

import pytest
import torch
from torch import nn

from simclr_core.networks.heads import LinearHead, MlpHead, NoHead
from simclr_core.seeds import generator


def kinds(head: nn.Module) -> list[str]:
    return [type(layer).__name__ for layer in head.children()]


def weights(head: nn.Module) -> list[tuple[int, ...]]:
    return [tuple(layer.weight.shape) for layer in head.children() if isinstance(layer, nn.Linear)]


def test_no_head_hands_the_representation_to_the_loss() -> None:
    h = torch.randn(4, 6)

    assert torch.equal(NoHead().build(6, 0)(h), h)


@pytest.mark.parametrize("output", [32, 64, 128, 256, 512, 1024, 2048])
def test_a_linear_head_has_one_layer_of_the_asked_size(output: int) -> None:
    head = LinearHead(output=output).build(16, 0)

    assert kinds(head) == ["Linear", "BatchNorm1d"]
    assert weights(head) == [(output, 16)]
    assert head(torch.randn(4, 16)).shape == (4, output)


def test_a_linear_head_without_batch_norm_is_one_matrix_and_a_bias() -> None:
    head = LinearHead(output=3, batch_norm=False).build(16, 0)

    assert kinds(head) == ["Linear"]
    assert [tuple(p.shape) for p in head.parameters()] == [(3, 16), (3,)]


@pytest.mark.parametrize("hidden_layers", [1, 2, 3])
def test_hidden_layers_are_as_wide_as_the_representation(hidden_layers: int) -> None:
    head = MlpHead(hidden_layers=hidden_layers, output=8).build(16, 0)

    assert weights(head) == [*[(16, 16)] * hidden_layers, (8, 16)]
    assert kinds(head) == [
        *["Linear", "BatchNorm1d", "ReLU"] * hidden_layers,
        "Linear",
        "BatchNorm1d",
    ]


def test_a_hidden_width_of_its_own_is_honoured() -> None:
    head = MlpHead(hidden_layers=2, hidden=5, output=8).build(16, 0)

    assert weights(head) == [(5, 16), (5, 5), (8, 5)]


def test_the_official_form_has_no_bias_and_no_last_shift() -> None:
    # model_util.projection_head: use_bias=False, and center=False in the last batch norm.
    head = MlpHead(hidden_layers=2, output=8).build(16, 0)

    linears = [layer for layer in head.children() if isinstance(layer, nn.Linear)]
    norms = [layer for layer in head.children() if isinstance(layer, nn.BatchNorm1d)]
    assert all(layer.bias is None for layer in linears)
    assert [norm.bias is not None for norm in norms] == [True, True, False]
    assert all(norm.weight is not None for norm in norms)
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-5, 0.1)}


def test_the_papers_mlp_is_w2_relu_w1_h() -> None:
    head = MlpHead(output=3, batch_norm=False).build(5, 0).double()
    h = torch.randn(4, 5, dtype=torch.float64)
    (w1, b1), (w2, b2) = (
        (layer.weight, layer.bias) for layer in head.children() if isinstance(layer, nn.Linear)
    )

    expected = (h @ w1.T + b1).clamp_min(0) @ w2.T + b2

    torch.testing.assert_close(head(h), expected)


def test_weights_fill_the_interval_of_torchs_own_law() -> None:
    # Uniform on +-1/sqrt(400): the largest of 160,000 comes within 0.1 % of the bound; that it does
    # not has probability 1e-69. The standard deviation of n draws is known to 0.45 / sqrt(n) of
    # itself: 1 % is nine standard errors.
    weight, _ = LinearHead(output=400, batch_norm=False).build(400, 3).state_dict().values()
    bound = 1 / 20

    assert float(weight.abs().max()) <= bound
    assert float(weight.abs().max()) > 0.999 * bound
    assert float(weight.std()) == pytest.approx(bound / 3**0.5, rel=0.01)


def test_a_head_depends_on_its_seed_alone() -> None:
    torch.manual_seed(1)
    one = MlpHead().build(16, 0).state_dict()
    torch.manual_seed(2)
    before = torch.get_rng_state()
    again, other = MlpHead().build(16, 0).state_dict(), MlpHead().build(16, 1).state_dict()

    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["0.weight"], other["0.weight"])


def test_a_head_draws_from_another_stream_than_the_encoder() -> None:
    rng = generator(0, "encoder")
    expected = torch.empty(3, 16).uniform_(-1 / 4, 1 / 4, generator=rng)

    weight = LinearHead(output=3, batch_norm=False).build(16, 0).state_dict()["0.weight"]

    assert not torch.equal(weight, expected)


@pytest.mark.parametrize("head", [NoHead(), LinearHead(), MlpHead()])
def test_an_outline_has_the_shapes_of_the_head_and_no_numbers(
    head: NoHead | LinearHead | MlpHead,
) -> None:
    outline = head.outline(16).state_dict()
    built = head.build(16, 0).state_dict()

    assert {name: one.shape for name, one in outline.items()} == {
        name: one.shape for name, one in built.items()
    }
    assert all(one.is_meta for one in outline.values())
