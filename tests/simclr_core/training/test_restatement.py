"""Algorithm 1 once more, in plain PyTorch: 21 steps of the official recipe in miniature, float64.

Written from the paper and torch's functions alone: nothing of the trainer but its first weights, its
order and its views, which other tests hold. Step by step the losses must agree, and in the end every
weight and statistic.
"""

import importlib
import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from made_trials import HERE, NO_CURVE, Listener, small_config, textures
from torch import Tensor

from simclr_core.augment.views import draw_views
from simclr_core.chance import Chance
from simclr_core.runtime import Execution
from simclr_core.seeds import generator
from simclr_core.training.pretraining import pretrain

module = importlib.import_module("simclr_core.training.step")

SEED, BATCH, EPOCHS, NUM = 5, 40, 7, 120
RECIPE: dict[str, Any] = {
    "views.operations": [{"kind": "crop"}, {"kind": "colour"}, {"kind": "blur"}],
    "encoder": {"blocks": [1, 1], "width": 0.0625, "stem": "cifar"},
    "head": {"kind": "mlp", "output": 6},
    "loss.temperature": 0.1,
    "optimizer": {"kind": "lars", "learning_rate": 3.0, "weight_decay": 1e-4},
    "schedule": {"kind": "warmup_cosine", "warmup_epochs": 2},
    "batch_size": BATCH,
    "epochs": EPOCHS,
    "seed": SEED,
    **NO_CURVE,
}


class Restated:
    """The network and its update by hand, on named tensors."""

    def __init__(self, encoder: dict[str, Tensor], head: dict[str, Tensor]) -> None:
        named = {f"f.{k}": v for k, v in encoder.items()} | {f"g.{k}": v for k, v in head.items()}
        named = {k: v.double() for k, v in named.items() if not k.endswith("num_batches_tracked")}
        self.statistics = {k: v for k, v in named.items() if "running" in k}
        self.w = {k: v.requires_grad_() for k, v in named.items() if k not in self.statistics}
        self.momentum = {k: torch.zeros_like(v) for k, v in self.w.items()}

    def norm(self, x: Tensor, name: str) -> Tensor:
        """Over the whole batch; running statistics decay by 0.9 (torch's momentum 0.1)."""
        mean, variance = (
            self.statistics[f"{name}.running_mean"],
            self.statistics[f"{name}.running_var"],
        )
        shift = self.w.get(f"{name}.bias")
        return F.batch_norm(
            x,
            mean,
            variance,
            self.w[f"{name}.weight"],
            shift,
            training=True,
            momentum=0.1,
            eps=1e-5,
        )

    def f(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(F.conv2d(x, self.w["f.conv1.weight"], padding=1), "f.bn1"))
        for stage, stride in (("f.layer1.0", 1), ("f.layer2.0", 2)):
            y = F.conv2d(x, self.w[f"{stage}.conv1.weight"], stride=stride, padding=1)
            y = F.relu(self.norm(y, f"{stage}.bn1"))
            y = self.norm(F.conv2d(y, self.w[f"{stage}.conv2.weight"], padding=1), f"{stage}.bn2")
            if stride == 2:
                x = F.conv2d(x, self.w[f"{stage}.downsample.0.weight"], stride=2)
                x = self.norm(x, f"{stage}.downsample.1")
            x = F.relu(x + y)
        return x.mean((2, 3))

    def g(self, h: Tensor) -> Tensor:
        hidden = F.relu(self.norm(h @ self.w["g.0.weight"].T, "g.1"))
        return self.norm(hidden @ self.w["g.3.weight"].T, "g.4")

    def update(self, rate: float) -> None:
        """LARS: the trust ratio for matrices and kernels, momentum on what is subtracted."""
        for name, w in self.w.items():
            assert w.grad is not None
            step = w.grad
            if w.ndim > 1:
                step = step + 1e-4 * w.detach()
                lengths = w.detach().norm(), step.norm()
                if min(lengths) > 0:
                    step = step * 0.001 * lengths[0] / lengths[1]
            self.momentum[name] = 0.9 * self.momentum[name] + rate * step
            w.data -= self.momentum[name]
            w.grad = None


def nt_xent(z: Tensor, temperature: float) -> Tensor:
    """Algorithm 1's loss: the mean of l(i, j) over both directions of all pairs."""
    z = z / z.norm(dim=1, keepdim=True)
    half, total = len(z) // 2, torch.zeros((), dtype=z.dtype)
    for i in range(len(z)):
        s = (z @ z[i]) / temperature
        others = torch.cat([s[:i], s[i + 1 :]])
        total = total - s[(i + half) % len(z)] + others.logsumexp(0)
    return total / len(z)


def rate_at(step: int) -> float:
    """3 B / 256 at the peak; two epochs up, then half a cosine to 0."""
    per_epoch = NUM // BATCH
    steps, warm = EPOCHS * per_epoch, 2 * per_epoch
    peak = 3.0 * BATCH / 256
    if step < warm:
        return peak * step / warm
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warm) / (steps - warm)))


def test_21_steps_are_those_of_algorithm_1_in_plain_pytorch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config, dataset, told = small_config(RECIPE), textures(NUM), Listener()
    encoder = config.encoder.build(SEED)
    head = config.head.build(config.encoder.num_features, SEED)
    restated = Restated(encoder.state_dict(), head.state_dict())

    def in_double(*args: Any, **more: Any) -> tuple[Tensor, Tensor]:
        first, second = draw_views(*args, **more)
        return first.double(), second.double()

    place = Execution.place
    monkeypatch.setattr(Execution, "place", lambda self, network: place(self, network).double())
    monkeypatch.setattr(module, "draw_views", in_double)
    found = pretrain(config, dataset, HERE, told)

    losses: list[float] = []
    images = dataset.pretraining_images()
    for epoch in range(EPOCHS):
        order = torch.randperm(NUM, generator=generator(SEED, "order", epoch))
        for index in order.split(BATCH):
            chance = Chance.of(SEED, epoch, index)
            views = in_double(config.views, *images.batch(index), chance, dataset.size)
            loss = nt_xent(restated.g(restated.f(torch.cat(views))), 0.1)
            loss.backward()
            restated.update(rate_at(len(losses)))
            losses.append(float(loss.detach()))

    assert list(told.column("loss").values()) == pytest.approx(losses, abs=1e-6)
    assert abs(losses[-1] - losses[0]) > 0.1  # the recipe moved something
    for name, tensor in found.state.items():
        if not name.endswith("num_batches_tracked"):
            mine = {**restated.w, **restated.statistics}[f"f.{name}"].detach()
            torch.testing.assert_close(tensor, mine, rtol=0, atol=1e-6)
