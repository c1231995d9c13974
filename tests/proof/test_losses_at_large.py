"""NT-Xent over many sizes, temperatures and precisions, and what a large batch costs in memory."""

import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from lightly.loss import NTXentLoss

from simclr_core.losses.contrastive import NTXent

pytestmark = pytest.mark.proof

TEMPERATURES = (0.01, 0.02, 0.0231, 0.05, 0.1, 0.5, 1.0, 10.0)
"""On both sides of 2 / 87, below which the blocks change their form."""


def embeddings(num_images: int, dtype: torch.dtype) -> torch.Tensor:
    rng = torch.Generator().manual_seed(num_images)
    z = torch.randn(2 * num_images, 24, generator=rng, dtype=torch.float64)
    z[num_images:] = 0.7 * z[num_images:] + z[:num_images]
    return z.to(dtype)


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("num_images", [2, 3, 31, 128, 256, 257, 512, 700])
def test_float64_is_lightlys_to_1e_minus_10_in_value_and_gradient(
    num_images: int, temperature: float
) -> None:
    ours, theirs = (embeddings(num_images, torch.float64).requires_grad_() for _ in range(2))

    loss = NTXent(temperature=temperature)(ours)
    expected = NTXentLoss(temperature=temperature)(*theirs.chunk(2))
    loss.backward()
    expected.backward()

    assert loss.item() == pytest.approx(expected.item(), abs=1e-10)
    assert ours.grad is not None
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=1e-10)


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("num_images", [2, 128, 257, 512, 5000])
def test_float32_is_float64_up_to_rounding(num_images: int, temperature: float) -> None:
    z = embeddings(num_images, torch.float32).requires_grad_()
    wide = z.detach().double().requires_grad_()

    loss, expected = NTXent(temperature=temperature)(z), NTXent(temperature=temperature)(wide)
    loss.backward()
    expected.backward()

    assert loss.item() == pytest.approx(expected.item(), rel=2e-5, abs=2e-5)
    assert z.grad is not None
    assert wide.grad is not None
    # Shares near 1 are rounded by 6e-8; what they multiply is 1 / (M t) large.
    allowed = 2e-4 * float(wide.grad.abs().max()) + 1e-6 / (2 * num_images * temperature)
    torch.testing.assert_close(z.grad.double(), wide.grad, rtol=0, atol=allowed)


MEASURE = """
import re, sys, torch
from simclr_core.losses.contrastive import NTXent
from simclr_core.losses.contrastive_metrics import contrastive_accuracy
def peak():
    with open("/proc/self/status") as file:
        return int(re.search(r"VmHWM:\\s+(\\d+)", file.read()).group(1)) / 2**20
loss = NTXent()
z = torch.randn(1024, 128, requires_grad=True)
loss(z).backward()
z = torch.randn(int(sys.argv[1]), 128, requires_grad=True)
before = peak()
loss(z).backward()
contrastive_accuracy(z)
assert z.grad.isfinite().all()
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="VmHWM is Linux's")
@pytest.mark.timeout(900)
def test_65536_views_take_less_than_a_gigabyte_above_the_inputs() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", MEASURE, "65536"], capture_output=True, text=True, check=True
    )

    assert float(ran.stdout) < 1.0  # GiB; one matrix alone would take 16


def test_blocks_give_the_gradient_that_autograd_gives_through_one_matrix() -> None:
    ours, theirs = (embeddings(900, torch.float64).requires_grad_() for _ in range(2))

    NTXent(temperature=0.1)(ours).backward()
    u = F.normalize(theirs, dim=1)
    logits = (u @ u.T / 0.1).fill_diagonal_(-torch.inf)
    F.cross_entropy(logits, torch.arange(1800).roll(900)).backward()

    torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=1e-12)
