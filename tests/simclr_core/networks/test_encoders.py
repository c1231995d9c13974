"""Residual networks against torchvision's and timm's; stems, widths and first weights."""

import math
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Literal

import pytest
import timm
import torch
import torchvision.models as published
from pydantic import ValidationError
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from simclr_core.networks.encoders import ResNet

DEPTHS = (18, 34, 50, 101, 152)
Depth = Literal[18, 34, 50, 101, 152]
Stem = Literal["imagenet", "cifar", "small"]
TINY = ResNet(blocks=(1, 1, 1), width=0.25, stem="small")


class Scaled(published.ResNet):
    """Out of torchvision's own blocks, with a multiple of all channels and any of our stems.

    (Torchvision's wide networks widen the middle of a block only.)
    """

    def __init__(
        self,
        layers: Sequence[int],
        width: float,
        stem: Stem = "imagenet",
        block: type[BasicBlock | Bottleneck] = BasicBlock,
    ) -> None:
        super().__init__(block, [1, 1, 1, 1])
        channels = int(64 * width)
        self.inplanes = channels
        self.conv1 = {
            "imagenet": nn.Conv2d(3, channels, 7, 2, 3, bias=False),
            "cifar": nn.Conv2d(3, channels, 3, 1, 1, bias=False),
            "small": nn.Conv2d(3, channels, 3, 2, 1, bias=False),
        }[stem]
        if stem != "imagenet":
            self.maxpool = nn.Identity()
        self.bn1 = nn.BatchNorm2d(channels)
        for number, blocks in enumerate(layers):
            stride = 1 if number == 0 else 2
            layer = self._make_layer(block, channels * 2**number, blocks, stride)
            setattr(self, f"layer{number + 1}", layer)


def without_classifier(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in state.items() if not name.startswith("fc.")}


def num_weights(network: nn.Module) -> int:
    return sum(weights.numel() for weights in network.parameters())


# ------------------------------------------------------------------------------ against torchvision


@pytest.mark.parametrize("depth", DEPTHS)
def test_names_and_shapes_are_torchvisions_without_the_classifier(depth: Depth) -> None:
    with torch.device("meta"):
        theirs: nn.Module = getattr(published, f"resnet{depth}")()
    expected = without_classifier(theirs.state_dict())

    ours = ResNet(depth=depth).outline().state_dict()

    assert {n: t.shape for n, t in ours.items()} == {n: t.shape for n, t in expected.items()}


@pytest.mark.parametrize(
    ("published_network", "encoder"),
    [
        (published.resnet18, ResNet(depth=18)),
        (published.resnet50, ResNet(depth=50)),
        (lambda: Scaled([1, 1, 1, 1], 2), ResNet(depth=10, width=2)),
        (lambda: Scaled([2, 2, 2, 2], 0.25), ResNet(depth=18, width=0.25)),
        (lambda: Scaled([1, 1, 1, 1], 0.5, "cifar"), ResNet(depth=10, width=0.5, stem="cifar")),
        (lambda: Scaled([3, 4, 6, 3], 0.25, "small"), ResNet(depth=34, width=0.25, stem="small")),
        (
            lambda: Scaled([3, 4, 6, 3], 0.25, "cifar", Bottleneck),
            ResNet(depth=50, width=0.25, stem="cifar"),
        ),
    ],
)
@pytest.mark.parametrize("training", [False, True])
def test_outputs_are_torchvisions_with_its_weights(
    published_network: Callable[[], nn.Module], encoder: ResNet, *, training: bool
) -> None:
    torch.manual_seed(0)
    theirs = published_network()
    theirs.fc = nn.Identity()
    for name, buffer in theirs.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.uniform_(0.5, 1.5)
    ours = encoder.build(0)
    ours.load_state_dict(theirs.state_dict())
    x = torch.rand(3, 3, 48, 48)

    with torch.no_grad():
        found, expected = ours.train(training)(x), theirs.train(training)(x)

    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())


# --------------------------------------------------------------------- against timm and the paper


@pytest.mark.parametrize("depth", DEPTHS)
def test_the_number_of_weights_is_timms(depth: Depth) -> None:
    with torch.device("meta"):
        theirs: nn.Module = timm.create_model(f"resnet{depth}", num_classes=0)

    assert num_weights(ResNet(depth=depth).outline()) == num_weights(theirs)


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize("training", [False, True])
def test_outputs_are_timms_with_our_weights_in_float64(depth: Depth, *, training: bool) -> None:
    ours = ResNet(depth=depth).build(3).double().train(training)
    with torch.no_grad():
        for name, weights in ours.named_parameters():
            if name.endswith(("bn2.weight", "bn3.weight")):
                weights.fill_(0.7)  # at their start, 0, a branch would add nothing
    theirs = timm.create_model(f"resnet{depth}", num_classes=0).double().train(training)
    theirs.load_state_dict(ours.state_dict())
    x = torch.rand(2, 3, 64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    with torch.no_grad():
        found, expected = ours(x), theirs(x)

    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=1e-10, atol=1e-10)


FIGURE_7 = {
    1: {18: 11, 34: 21, 50: 24, 101: 43, 152: 58},
    2: {18: 45, 34: 85, 50: 94, 101: 170, 152: 233},
    4: {18: 179, 34: 340, 50: 375},
}
"""Width -> depth -> millions of parameters, as printed."""


@pytest.mark.parametrize(
    ("width", "depth"), [(width, depth) for width in FIGURE_7 for depth in FIGURE_7[width]]
)
def test_the_number_of_weights_is_figure_7s(width: int, depth: Depth) -> None:
    network = ResNet(depth=depth, width=width).outline()
    statistics = sum(b.numel() for b in network.buffers() if b.ndim)

    weights = num_weights(network)
    if (depth, width) == (152, 2):
        # 232.25 million weights are printed as 233: with batch norm's statistics it is 232.56.
        weights += statistics

    assert round(weights / 1e6) == FIGURE_7[width][depth]


# --------------------------------------------------------------------------------------- the shapes


@pytest.mark.parametrize(
    ("stem", "kernel", "side"), [("imagenet", 7, 8), ("cifar", 3, 32), ("small", 3, 16)]
)
def test_a_stem_reduces_the_side_as_it_says(stem: Stem, kernel: int, side: int) -> None:
    network = ResNet(depth=10, width=0.125, stem=stem).build(0)
    sides: list[int] = []
    network.layer1[0].register_forward_pre_hook(lambda _, given: sides.append(given[0].shape[-1]))

    h = network(torch.rand(2, 3, 32, 32))

    assert network.conv1.kernel_size == (kernel, kernel)
    assert sides == [side]
    assert h.shape == (2, 64)


@pytest.mark.parametrize(
    ("encoder", "length"),
    [
        (ResNet(), 2048),
        (ResNet(width=4), 8192),
        (ResNet(depth=18), 512),
        (ResNet(depth=10, width=0.5), 256),
        (TINY, 64),
        (ResNet(blocks=(2,), width=0.125), 8),
    ],
)
def test_the_length_of_h_is_known_beforehand(encoder: ResNet, length: int) -> None:
    assert encoder.num_features == length


def test_the_network_of_three_stages_has_16_32_and_64_channels() -> None:
    network = TINY.build(0)

    assert network(torch.rand(2, 3, 32, 32)).shape == (2, TINY.num_features)
    widths = [getattr(network, f"layer{i}")[0].conv1.out_channels for i in (1, 2, 3)]
    assert widths == [16, 32, 64]


def test_batch_norm_has_the_papers_constants_everywhere() -> None:
    norms = [m for m in ResNet(depth=50).build(0).modules() if isinstance(m, nn.BatchNorm2d)]

    # The official 0.9 is what remains of the old statistics; torch's momentum is the new share.
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-5, 0.1)}
    assert len(norms) == 53


# ------------------------------------------------------------------------------------ first weights


@pytest.mark.parametrize(("depth", "last"), [(18, "bn2"), (50, "bn3")])
def test_the_last_gamma_of_each_branch_is_zero_and_no_other(
    depth: Literal[18, 50], last: str
) -> None:
    for name, module in ResNet(depth=depth).build(0).named_modules():
        if isinstance(module, nn.BatchNorm2d):
            expected = 0.0 if name.startswith("layer") and name.endswith(last) else 1.0
            assert set(module.weight.tolist()) == {expected}, name
            assert set(module.bias.tolist()) == {0.0}


@pytest.mark.statistical
def test_first_weights_have_hes_spread_over_outgoing_connections() -> None:
    # The standard deviation of n normal numbers is off by sigma / sqrt(2n): six of these for each
    # of 20 kernels is a false-alarm rate of 20 * 2e-9.
    for name, module in ResNet(depth=18).build(0).named_modules():
        if isinstance(module, nn.Conv2d):
            w = module.weight.detach().double()
            fan_out = w.shape[0] * w.shape[2] * w.shape[3]
            sigma = math.sqrt(2 / fan_out)
            assert float(w.std()) == pytest.approx(sigma, abs=6 * sigma / (2 * w.numel()) ** 0.5), (
                name
            )
            assert abs(float(w.mean())) < 6 * sigma / w.numel() ** 0.5, name


def test_an_outline_has_the_built_networks_shapes_and_no_memory() -> None:
    outline, built = TINY.outline().state_dict(), TINY.build(0).state_dict()

    assert {n: (t.shape, t.dtype) for n, t in outline.items()} == {
        n: (t.shape, t.dtype) for n, t in built.items()
    }
    assert all(t.is_meta for t in outline.values())


def test_first_weights_depend_on_the_seed_and_on_no_generator_nor_move_one() -> None:
    torch.manual_seed(1)
    one = TINY.build(0).state_dict()
    torch.manual_seed(2)
    before = torch.get_rng_state()
    again, other = TINY.build(0).state_dict(), TINY.build(1).state_dict()

    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["conv1.weight"], other["conv1.weight"])


# ------------------------------------------------------------------------------------------ wording


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"depth": 18, "blocks": (1, 1)}, "either depth or blocks must be set, but not both"),
        ({"depth": None}, "either depth or blocks must be set, but not both"),
        ({"blocks": (1, 0)}, "each stage must have at least one block"),
        ({"width": 0.3}, "64 x width must be a whole number of channels, got width 0.3; "),
    ],
)
def test_a_network_that_cannot_be_is_refused_with_the_rule(
    settings: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ValidationError, match=sentence):
        ResNet.model_validate(settings)


NARROW = """
import torch
from simclr_core.networks.encoders import ResNet

torch.set_num_threads(1)
for channels in (1, 4, 7):
    network = ResNet(blocks=(1, 1), width=channels / 64, stem="cifar").build(0, 32)
    shortcut = network.layer2[0].downsample[0]
    x = torch.randn(80, channels, 32, 32).contiguous(memory_format=torch.channels_last)
    shortcut.to(memory_format=torch.channels_last)
    for _ in range(5):
        given = x.clone().requires_grad_()
        y = shortcut(given)
        towards = torch.randn_like(y)
        shortcut.weight.grad = None
        y.backward(towards)
    wide = x.double().requires_grad_()
    weight = shortcut.weight.detach().double().requires_grad_()
    torch.nn.functional.conv2d(wide, weight, stride=2).backward(towards.double())
    torch.testing.assert_close(given.grad.double(), wide.grad, rtol=0, atol=1e-5)
    torch.testing.assert_close(shortcut.weight.grad.double(), weight.grad, rtol=1e-4, atol=1e-3)
print("right")
"""


def test_narrow_shortcuts_have_the_right_gradient_without_avx_512() -> None:
    """In a process of its own: without the detour it dies (signal 6 or 11) or the numbers are wrong."""
    avx2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}

    done = subprocess.run(
        [sys.executable, "-c", NARROW],
        env={**os.environ, **avx2},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, "right\n"), done.stderr
