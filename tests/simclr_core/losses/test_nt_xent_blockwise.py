"""NT-Xent in blocks: the plain form's value and gradient, whatever the blocks and temperature."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from lightly.loss import NTXentLoss
from torch import Tensor

from simclr_core.losses import nt_xent_blockwise
from simclr_core.losses.contrastive import NTXent
from simclr_core.losses.nt_xent_blockwise import Others, nt_xent_in_blocks

LARGE, SMALL = 0.5, 0.015
"""Temperatures on both sides of what exp bears without a shift."""


@pytest.fixture(autouse=True)
def blocks_of_five(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks so small that a few views fill several, the last one partly."""
    monkeypatch.setattr(nt_xent_blockwise, "_BLOCK", {"cpu": 5})
    monkeypatch.setattr(nt_xent_blockwise, "_ONE_MATRIX", {"cpu": 0})


def embeddings(num_images: int, length: int = 4, *, seed: int = 0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(2 * num_images, length, generator=rng, dtype=torch.float64)


def under_autograd(z: Tensor, temperature: float) -> Tensor:
    """One matrix of similarities, as lightly and the paper's pseudo-code have it."""
    u = F.normalize(z, dim=1)
    logits = (u @ u.T / temperature).fill_diagonal_(-torch.inf)
    return F.cross_entropy(logits, torch.arange(len(z)).roll(len(z) // 2))


def both(z: Tensor, temperature: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Value and gradient in blocks, then those of one matrix."""
    ours, theirs = z.clone().requires_grad_(), z.clone().requires_grad_()
    value = nt_xent_in_blocks(F.normalize(ours, dim=1), temperature)
    expected = under_autograd(theirs, temperature)
    [gradient] = torch.autograd.grad(value, ours)
    [wanted] = torch.autograd.grad(expected, theirs)
    return value, gradient, expected, wanted


@given(
    st.integers(1, 14), st.integers(0, 1000), st.sampled_from([10, 1.0, LARGE, 0.05, SMALL, 0.01])
)
def test_value_and_gradient_are_those_of_one_matrix(
    num_images: int, seed: int, temperature: float
) -> None:
    value, gradient, expected, wanted = both(embeddings(num_images, seed=seed), temperature)

    torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(gradient, wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("length", [0.1, 1.0, 40.0])
def test_rows_of_any_length_give_what_one_matrix_gives(length: float) -> None:
    ours = (length * embeddings(9)).requires_grad_()
    theirs = ours.detach().clone().requires_grad_()

    loss = NTXent(temperature=0.5, normalise=False)(ours)
    logits = (theirs @ theirs.T / 0.5).fill_diagonal_(-torch.inf)
    expected = F.cross_entropy(logits, torch.arange(18).roll(9))
    loss.backward()
    expected.backward()

    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("temperature", [LARGE, SMALL])
def test_value_and_gradient_are_those_of_lightly(temperature: float) -> None:
    ours, theirs = embeddings(9).requires_grad_(), embeddings(9).requires_grad_()

    NTXent(temperature=temperature)(ours).backward()
    NTXentLoss(temperature=temperature)(*theirs.chunk(2)).backward()

    assert ours.grad is not None
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=1e-10)


@pytest.mark.parametrize("temperature", [LARGE, SMALL])
def test_the_gradient_is_that_of_finite_differences(temperature: float) -> None:
    z = embeddings(4).requires_grad_()

    assert torch.autograd.gradcheck(
        lambda z: nt_xent_in_blocks(F.normalize(z, dim=1), temperature), (z,)
    )


@pytest.mark.parametrize("temperature", [LARGE, 0.05, SMALL, 0.01])
@pytest.mark.parametrize("rows", ["equal", "opposite", "at right angles"])
def test_equal_opposite_and_orthogonal_rows_are_exact_in_fp32_with_denormals_flushed(
    rows: str, temperature: float
) -> None:
    one = F.normalize(torch.ones(1, 4), dim=1)
    z = one.repeat(12, 1)
    if rows == "opposite":
        z[6:] *= -1  # each partner is the farthest, at cosine -1
    if rows == "at right angles":
        z = torch.eye(12)

    torch.set_flush_denormal(True)
    try:
        value, gradient, *_ = both(z, temperature)
    finally:
        torch.set_flush_denormal(False)

    # 5 equal rows at cosine 1 and 6 opposite ones at -1; or 11 equal ones.
    others = 5 + 6 * math.exp(-2 / temperature) if rows == "opposite" else 11
    apart = 2 / temperature if rows == "opposite" else 0
    assert value.item() == pytest.approx(math.log(others) + apart, rel=1e-5)
    assert gradient.isfinite().all()


def test_the_gradient_scales_with_what_comes_from_above() -> None:
    z = embeddings(6).requires_grad_()

    [once] = torch.autograd.grad(NTXent()(z), z)
    [thrice] = torch.autograd.grad(3 * NTXent()(z), z)

    torch.testing.assert_close(thrice, 3 * once)


def test_without_a_gradient_there_is_the_value_alone() -> None:
    with torch.no_grad():
        value = NTXent(temperature=LARGE)(embeddings(7))

    assert not value.requires_grad
    assert value.item() == pytest.approx(under_autograd(embeddings(7), LARGE).item(), abs=1e-10)


@given(
    st.integers(2, 9),
    st.integers(0, 1000),
    st.sampled_from([LARGE, SMALL]),
    st.builds(Others, st.booleans(), st.booleans()),
)
def test_whom_a_view_is_told_from_changes_blocks_and_one_matrix_alike(
    num_images: int, seed: int, temperature: float, others: Others
) -> None:
    ours = embeddings(num_images, seed=seed).requires_grad_()
    theirs = ours.detach().clone().requires_grad_()

    value = nt_xent_in_blocks(F.normalize(ours, dim=1), temperature, others=others)
    u, half = F.normalize(theirs, dim=1), num_images
    logits, row = u @ u.T / temperature, torch.arange(2 * half)
    positive = logits[row, row.roll(half)]
    outside = row[:, None] == row
    if others.one_view:
        outside = outside | ((row[:, None] < half) == (row < half))
    if others.decoupled:
        outside = outside | (row[:, None] % half == row % half)
    expected = (logits.masked_fill(outside, -torch.inf).logsumexp(1) - positive).mean()
    [gradient], [wanted] = torch.autograd.grad(value, ours), torch.autograd.grad(expected, theirs)

    torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(gradient, wanted, rtol=1e-9, atol=1e-9)


@given(st.integers(0, 1000), st.sampled_from([LARGE, SMALL]), st.integers(1, 5))
def test_groups_are_averaged_over_their_pairs(seed: int, temperature: float, classes: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, classes, (8,), generator=rng).repeat(2)
    ours = embeddings(8, seed=seed).requires_grad_()
    theirs = ours.detach().clone().requires_grad_()

    value = nt_xent_in_blocks(F.normalize(ours, dim=1), temperature, groups_M=labels)
    u = F.normalize(theirs, dim=1)
    log_p = (u @ u.T / temperature).fill_diagonal_(-torch.inf).log_softmax(1)
    alike = (labels[:, None] == labels).fill_diagonal_(fill_value=False)
    means = log_p.masked_fill(~alike, 0).sum(1) / alike.sum(1)
    expected = -means.mean()
    [gradient], [wanted] = torch.autograd.grad(value, ours), torch.autograd.grad(expected, theirs)

    torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(gradient, wanted, rtol=1e-9, atol=1e-9)


def test_the_form_is_chosen_by_the_number_of_views(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()

    assert not nt_xent_blockwise.in_blocks_pays(torch.zeros(256, 2))
    assert nt_xent_blockwise.in_blocks_pays(torch.zeros(258, 2))
    # Anything that is no CPU has an accelerator's numbers.
    assert not nt_xent_blockwise.in_blocks_pays(torch.zeros(8192, 2, device="meta"))
    assert nt_xent_blockwise.in_blocks_pays(torch.zeros(8193, 2, device="meta"))


def test_blocks_of_their_own_size_give_what_one_matrix_gives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()

    value, gradient, expected, wanted = both(embeddings(600), LARGE)

    torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(gradient, wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("span", [86.5, 87.5, 100.0, 180.0])
def test_no_similarity_leaves_the_range_of_fp32(span: float) -> None:
    # The only other view is opposite: log exp(-2 / t) + 2 / t = 0, unless exp(-span) is flushed.
    z = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])

    torch.set_flush_denormal(True)
    try:
        value = nt_xent_in_blocks(z, 2 / span)
    finally:
        torch.set_flush_denormal(False)

    assert value.item() == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("num_views", [8192, 8194])
def test_off_the_processor_blocks_have_a_size_of_their_own(
    num_views: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    z = torch.zeros(num_views, 2, device="meta")  # shapes alone

    assert nt_xent_in_blocks(z, LARGE).shape == ()


def test_a_second_derivative_is_refused_and_not_wrong() -> None:
    z = embeddings(6).requires_grad_()

    with pytest.raises(NotImplementedError, match="differentiated only once"):
        torch.autograd.grad(NTXent()(z), z, create_graph=True)


@pytest.mark.parametrize(
    ("temperature", "loss", "precision"), [(0.1, 4e-2, 1e-4), (0.07, 9e-4, 0.01), (0.05, 7e-6, 0.1)]
)
def test_where_the_loss_nears_zero_fp32_is_as_precise_as_the_module_says(
    temperature: float, loss: float, precision: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    rng = torch.Generator().manual_seed(0)
    images = F.normalize(torch.randn(256, 128, generator=rng, dtype=torch.float64), dim=1)
    noise = torch.randn(512, 128, generator=rng, dtype=torch.float64)
    z = images.repeat(2, 1) + 0.01 * noise
    ours = z.float().requires_grad_()
    exact = ours.detach().double().requires_grad_()

    value = NTXent(temperature=temperature)(ours)
    expected = under_autograd(exact, temperature)
    value.backward()
    expected.backward()

    assert expected.item() == pytest.approx(loss, rel=0.1)
    assert value.item() == pytest.approx(expected.item(), abs=1e-5)
    assert ours.grad is not None
    assert exact.grad is not None
    wrong = (ours.grad - exact.grad).norm() / exact.grad.norm()
    assert float(wrong) < precision
