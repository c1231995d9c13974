"""LARS against the paper's rule number by number; who decays; how rates grow with the batch."""

import math
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from simclr_core.optim.optimizers import AdamW, Lars, Sgd

RATES = (0.5, 0.2, 0.3, 0.0, 0.1)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 2, 2), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 3)
    ).double()


def gradients(model: nn.Module, step: int) -> list[Tensor]:
    rng = torch.Generator().manual_seed(step)
    return [torch.randn(p.shape, generator=rng, dtype=p.dtype) for p in model.parameters()]


def moved(model: nn.Module, optimizer: torch.optim.Optimizer) -> list[list[float]]:
    """The weights after a few steps with given gradients and rates."""
    for step, rate in enumerate(RATES):
        for group in optimizer.param_groups:
            group["lr"] = rate
        for parameter, gradient in zip(model.parameters(), gradients(model, step), strict=True):
            parameter.grad = gradient
        optimizer.step()
    return [p.detach().flatten().tolist() for p in model.parameters()]


def lars_by_hand(
    model: nn.Module, *, momentum: float, weight_decay: float, trust: float
) -> list[list[float]]:
    """lars_optimizer.py (classic momentum), on plain numbers."""
    weights = [p.detach().flatten().tolist() for p in model.parameters()]
    excluded = [p.ndim <= 1 for p in model.parameters()]
    velocity = [[0.0] * len(w) for w in weights]
    for step, rate in enumerate(RATES):
        for n, gradient in enumerate(gradients(model, step)):
            g, w, v = gradient.flatten().tolist(), weights[n], velocity[n]
            ratio = 1.0
            if not excluded[n]:
                g = [a + weight_decay * b for a, b in zip(g, w, strict=True)]
                w_norm, g_norm = math.hypot(*w), math.hypot(*g)
                ratio = trust * w_norm / g_norm if w_norm > 0 and g_norm > 0 else 1.0
            velocity[n] = [momentum * a + ratio * rate * b for a, b in zip(v, g, strict=True)]
            weights[n] = [a - b for a, b in zip(w, velocity[n], strict=True)]
    return weights


@pytest.mark.parametrize(
    ("momentum", "weight_decay", "trust"), [(0.9, 1e-6, 0.001), (0.9, 0.3, 0.02), (0.0, 0.0, 1.0)]
)
def test_lars_is_the_papers_rule(momentum: float, weight_decay: float, trust: float) -> None:
    settings = {"momentum": momentum, "weight_decay": weight_decay, "trust": trust}
    expected = lars_by_hand(network(), **settings)
    model = network()

    found = moved(model, Lars(**settings).build(model))

    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-14)


def test_lars_moves_weights_that_are_zero_and_leaves_those_without_a_gradient() -> None:
    model = nn.Linear(2, 2, bias=False)
    nn.init.zeros_(model.weight)
    optimizer = Lars(momentum=0.0, weight_decay=0.0).build(model)
    optimizer.param_groups[0]["lr"] = 0.5

    optimizer.step()
    assert model.weight.tolist() == [[0.0, 0.0], [0.0, 0.0]]

    model.weight.grad = torch.ones(2, 2)
    optimizer.step()
    assert model.weight.tolist() == [[-0.5, -0.5], [-0.5, -0.5]]  # a ratio of 1

    model.weight.grad.zero_()
    optimizer.step()
    assert model.weight.tolist() == [[-0.5, -0.5], [-0.5, -0.5]]  # nothing pulls


def test_lars_moves_what_stands_behind_a_weight_without_a_gradient() -> None:
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    optimizer = Lars().build(model)
    first, second = model.parameters()
    before = [weight.detach().clone() for weight in (first, second)]
    second.grad = torch.ones(2, 2)

    optimizer.step()

    assert torch.equal(first, before[0])
    assert not torch.equal(second, before[1])


def test_until_it_is_set_the_rate_is_the_base_rate() -> None:
    for kind in (Lars, Sgd, AdamW):
        groups = kind(learning_rate=0.25).build(network()).param_groups
        assert [group["lr"] for group in groups] == [0.25, 0.25]


def test_gradients_of_any_length_above_zero_are_adapted() -> None:
    # The trust ratio takes the gradient's length out: however short, the step is trust x |w|.
    for length in (1e-6, 1.0, 1e6):
        model = nn.Linear(2, 2, bias=False).double()
        nn.init.constant_(model.weight, 3.0)
        optimizer = Lars(momentum=0.0, weight_decay=0.0, trust=0.01).build(model)
        optimizer.param_groups[0]["lr"] = 1.0
        model.weight.grad = torch.full((2, 2), length, dtype=torch.float64)

        optimizer.step()

        assert model.weight.tolist() == [pytest.approx([3.0 - 0.01 * 3.0] * 2, rel=1e-9)] * 2


@pytest.mark.parametrize("optimizer", [Lars(), Sgd(weight_decay=0.1), AdamW(weight_decay=0.1)])
def test_matrices_and_kernels_decay_biases_and_batch_norm_do_not(optimizer: Any) -> None:
    model = network()

    groups = optimizer.build(model).param_groups

    decayed = {id(p) for g in groups if g["weight_decay"] > 0 for p in g["params"]}
    spared = {id(p) for g in groups if g["weight_decay"] == 0 for p in g["params"]}
    names = dict(model.named_parameters())
    assert decayed == {id(names["0.weight"]), id(names["3.weight"])}
    assert decayed | spared == {id(p) for p in model.parameters()}
    assert {g["weight_decay"] for g in groups} == {0.0, optimizer.weight_decay}


def test_sgd_with_momentum_and_decay_is_its_textbook_rule() -> None:
    model = network()
    weights = [p.detach().clone() for p in model.parameters()]
    velocity: list[Tensor] | None = None
    for step, rate in enumerate(RATES):
        grads = [
            g + 0.1 * w if w.ndim > 1 else g
            for g, w in zip(gradients(model, step), weights, strict=True)
        ]
        if velocity is None:
            velocity = grads
        else:
            velocity = [0.9 * v + g for v, g in zip(velocity, grads, strict=True)]
        weights = [w - rate * v for w, v in zip(weights, velocity, strict=True)]

    found = moved(model, Sgd(momentum=0.9, weight_decay=0.1).build(model))

    for ours, theirs in zip(found, weights, strict=True):
        assert ours == pytest.approx(theirs.flatten().tolist(), rel=1e-12)


def test_adamw_shrinks_by_rate_times_decay_where_no_gradient_pulls() -> None:
    model = nn.Linear(3, 2)
    weight, bias = model.weight.detach().clone(), model.bias.detach().clone()
    optimizer = AdamW(learning_rate=0.1, weight_decay=0.5).build(model)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)

    optimizer.step()

    torch.testing.assert_close(model.weight.detach(), weight * 0.95)
    torch.testing.assert_close(model.bias.detach(), bias)


def test_settings_reach_the_optimisers() -> None:
    model = network()

    adamw = AdamW(betas=(0.8, 0.95)).build(model)
    sgd = Sgd(momentum=0.5, nesterov=True).build(model)

    assert {group["betas"] for group in adamw.param_groups} == {(0.8, 0.95)}
    assert {(group["momentum"], group["nesterov"]) for group in sgd.param_groups} == {(0.5, True)}


def test_the_papers_rate_is_4_8_at_its_batch_by_either_rule() -> None:
    assert Lars().peak(4096) == pytest.approx(4.8)  # section 2.3: 0.3 x 4096 / 256
    assert Lars(learning_rate=0.075, scaling="square_root").peak(4096) == pytest.approx(4.8)  # B.1


@pytest.mark.parametrize("kind", [Lars, Sgd, AdamW])
def test_rates_grow_with_the_batch_by_the_stated_rule(kind: Any) -> None:
    assert kind(learning_rate=0.2, scaling="linear").peak(512) == pytest.approx(0.4)
    assert kind(learning_rate=0.2, scaling="square_root").peak(64) == pytest.approx(1.6)
    assert kind(learning_rate=0.2, scaling="none").peak(512) == 0.2


RANGES: dict[str, tuple[float, ...]] = {
    "learning_rate": (0.0, -0.1, math.inf, math.nan),
    "weight_decay": (-1e-9, math.inf, math.nan),
    "momentum": (-1e-9, 1.0, math.nan),
    "trust": (0.0, math.inf, math.nan),
}


@pytest.mark.parametrize("kind", [Lars, Sgd, AdamW])
def test_a_number_outside_its_range_is_refused(kind: Any) -> None:
    for field in RANGES.keys() & kind.model_fields.keys():
        for value in RANGES[field]:
            with pytest.raises(ValidationError, match=field):
                kind(**{field: value})
    assert kind(weight_decay=0).weight_decay == 0


def test_the_defaults_that_the_paper_does_not_set() -> None:
    assert (Sgd().learning_rate, Sgd().momentum, Sgd().weight_decay) == (0.03, 0.9, 1e-6)
    assert (AdamW().learning_rate, AdamW().weight_decay) == (1e-3, 1e-4)
    assert (Sgd().scaling, AdamW().scaling, AdamW().betas) == ("linear", "none", (0.9, 0.999))


@pytest.mark.parametrize("betas", [(1.0, 0.9), (0.9, -0.1)])
def test_betas_out_of_range_are_refused(betas: tuple[float, float]) -> None:
    with pytest.raises(ValidationError, match="betas"):
        AdamW(betas=betas)


def test_nesterov_without_momentum_is_refused_not_ignored() -> None:
    with pytest.raises(ValidationError, match="nesterov needs momentum above 0, got momentum 0"):
        Sgd(momentum=0.0, nesterov=True)


def test_lars_with_a_rate_on_the_device_moves_as_with_the_same_rate_of_the_host() -> None:
    moved: list[list[Tensor]] = []
    for rate in (0.25, torch.tensor(0.25)):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
        optimizer = Lars().build(model)
        for group in optimizer.param_groups:
            group["lr"] = rate
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.arange(20.0).view(5, 4).cos()).square().sum().backward()
            optimizer.step()
        moved.append([p.detach() for p in model.parameters()])

    for one, other in zip(*moved, strict=True):
        torch.testing.assert_close(one, other)


def test_lars_of_supervised_training_departs_from_the_official_code_in_one_field() -> None:
    [found] = Lars().departures(supervised=True)

    assert (found.field, found.here, found.paper) == (
        "optimizer",
        "LARS adapts the classifier's matrix like any other",
        "the official code does not adapt it and decays it by an L2 term of the loss",
    )
    assert list(Lars().departures(supervised=False)) == []


def test_what_is_added_to_tokens_does_not_decay_however_deep_it_is() -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cls_token = nn.Parameter(torch.zeros(1, 1, 4))
            self.kernel = nn.Parameter(torch.zeros(4, 4))

    optimizer = AdamW().build(nn.ModuleList([nn.Sequential(nn.Sequential(Tokens()))]))

    decayed, others = (group["params"] for group in optimizer.param_groups)
    assert [p.ndim for p in decayed] == [2]
    assert [p.ndim for p in others] == [3]
