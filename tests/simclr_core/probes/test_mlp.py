"""The probe with one hidden layer: Adam written out by hand, scikit-learn, and what it must do."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from simclr_core.errors import Diverged
from simclr_core.networks.heads import MlpHead
from simclr_core.probes.contract import top_k_accuracy
from simclr_core.probes.logistic import LogisticProbe
from simclr_core.probes.mlp import MlpProbe
from simclr_core.seeds import generator


def clouds(num: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Four clouds at the corners of a square; opposite ones are of one class."""
    rng = torch.Generator().manual_seed(seed)
    corners = torch.tensor([[1.0, 1], [-1, -1], [1, -1], [-1, 1]])
    which = torch.randint(0, 4, (num,), generator=rng)
    return corners[which] + 0.2 * torch.randn(num, 2, generator=rng), which // 2


def by_hand(x: np.ndarray, y: np.ndarray, probe: MlpProbe, l2: float, num_classes: int) -> list:
    """Gradients and Adam (Kingma et al. 2015, algorithm 1) in numpy, float64."""
    x = (x - x.mean(0)) / x.std(0)
    shape = MlpHead(hidden=probe.hidden, output=num_classes, batch_norm=False)
    w = [p.detach().double().numpy().copy() for p in shape.build(x.shape[1], 0).parameters()]
    m, v = [np.zeros_like(p) for p in w], [np.zeros_like(p) for p in w]
    num_steps, step = probe.epochs * -(-len(y) // probe.batch_size), 0
    for epoch in range(probe.epochs):
        order = torch.randperm(len(y), generator=generator(0, "mlp probe", epoch)).numpy()
        for start in range(0, len(y), probe.batch_size):
            index = order[start : start + probe.batch_size]
            a, answers = x[index], np.eye(num_classes)[y[index]]
            hidden = np.maximum(a @ w[0].T + w[1], 0)
            logits = hidden @ w[2].T + w[3]
            p = np.exp(logits - logits.max(1, keepdims=True))
            up = (p / p.sum(1, keepdims=True) - answers) / len(index)
            down = (up @ w[2]) * (hidden > 0)
            slopes = [down.T @ a + l2 * w[0], down.sum(0), up.T @ hidden + l2 * w[2], up.sum(0)]
            rate = probe.learning_rate * (1 + np.cos(np.pi * step / num_steps)) / 2
            step += 1
            for i, slope in enumerate(slopes):
                m[i] = 0.9 * m[i] + 0.1 * slope
                v[i] = 0.999 * v[i] + 0.001 * slope**2
                mean, square = m[i] / (1 - 0.9**step), v[i] / (1 - 0.999**step)
                w[i] -= rate * mean / (np.sqrt(square) + 1e-8)
    return w


@pytest.mark.parametrize("l2", [0.0, 0.3])
def test_it_takes_the_steps_of_adam_on_penalised_cross_entropy(l2: float) -> None:
    rng = torch.Generator().manual_seed(1)
    x, y = 3 + 5 * torch.randn(50, 4, generator=rng), torch.randint(0, 3, (50,), generator=rng)
    probe = MlpProbe(hidden=7, epochs=4, batch_size=20, learning_rate=0.01)

    fitted = probe.fit(x, y, 3, l2)

    expected = by_hand(x.double().numpy(), y.numpy(), probe, l2, 3)
    for found, wanted in zip(fitted.network.parameters(), expected, strict=True):
        np.testing.assert_allclose(found.numpy(), wanted, atol=2e-4)


def test_it_reads_what_no_linear_probe_can() -> None:
    fit, validation, (x, y) = clouds(600), clouds(200, 1), clouds(1000, 2)

    for probe, least, most in ((MlpProbe(), 99, 100), (LogisticProbe(), 0, 80)):
        choice = probe.choose(fit, validation, 2)
        scores = probe.fit(*fit, 2, choice.l2).scores(x)
        assert least <= top_k_accuracy(scores, y, 1) <= most


def test_it_is_about_as_good_as_scikit_learns() -> None:
    digits = load_digits()
    x, y = torch.tensor(digits.data).float(), torch.tensor(digits.target)
    fit, held = slice(0, 1200), slice(1200, None)
    probe = MlpProbe()

    ours = probe.fit(x[fit], y[fit], 10, 1e-3).scores(x[held])
    scaler = StandardScaler().fit(x[fit])
    theirs = MLPClassifier((256,), alpha=1e-3, max_iter=400, random_state=0)
    theirs.fit(scaler.transform(x[fit]), y[fit])

    # One image of 597 is 0.17 points; both miss about forty of them.
    expected = 100 * theirs.score(scaler.transform(x[held]), y[held])
    assert top_k_accuracy(ours, y[held], 1) == pytest.approx(expected, abs=2)


@given(st.floats(1e-3, 1e3), st.floats(-50, 50))
def test_neither_the_scale_of_the_features_nor_their_place_matters(
    scale: float, shift: float
) -> None:
    x, y = clouds(60)
    probe = MlpProbe(hidden=8, epochs=3)

    plain = probe.fit(x.double(), y, 2, 1e-3).scores(x)
    moved = probe.fit(scale * (x.double() + shift), y, 2, 1e-3).scores(scale * (x.double() + shift))

    assert torch.allclose(plain, moved, atol=0.05)


def test_a_feature_that_never_moves_says_nothing() -> None:
    x, y = clouds(200)
    still = torch.cat([x, torch.full((200, 1), 0.1)], 1)
    probe = MlpProbe(hidden=16, epochs=5)
    other = still.clone()
    other[:, 2] = -1e6

    scores = probe.fit(still, y, 2, 1e-3).scores(other)

    assert torch.equal(scores, probe.fit(still, y, 2, 1e-3).scores(still))
    assert scores.isfinite().all()


def test_the_strongest_of_equal_penalties_is_chosen_and_a_huge_one_tells_the_share_alone() -> None:
    x, y = clouds(300)
    y = (torch.arange(300) < 60).long()  # a fifth, and nothing to do with x
    probe = MlpProbe(hidden=8, epochs=200, learning_rate=0.02, l2=(50.0, 100.0))

    choice = probe.choose((x, y), (x, y), 2)
    scores = probe.fit(x, y, 2, 100.0).scores(x).softmax(1)

    assert (choice.l2, choice.candidates) == (100.0, [100.0, 50.0])
    assert choice.accuracies == [80, 80]
    torch.testing.assert_close(scores[:, 1], torch.full((300,), 0.2), atol=0.03, rtol=0)


def test_it_repeats_to_the_bit_and_moves_no_generator() -> None:
    x, y = clouds(100)
    before = torch.get_rng_state()

    first, again = (MlpProbe(epochs=2).fit(x, y, 2, 1e-3).scores(x) for _ in range(2))

    assert torch.equal(first, again)
    assert torch.equal(torch.get_rng_state(), before)
    assert not first.requires_grad


def test_an_image_is_judged_alike_whatever_is_asked_beside_it() -> None:
    x, y = clouds(200)
    fitted = MlpProbe(hidden=16, epochs=5).fit(x, y, 2, 1e-3)

    together, alone = fitted.scores(x), torch.cat([fitted.scores(one[None]) for one in x])

    torch.testing.assert_close(together, alone)


def test_a_rate_that_is_too_high_ends_in_a_sentence() -> None:
    x, y = clouds(100)

    with pytest.raises(Diverged, match=r"lower evaluation\.probe\.learning_rate, got 1e\+30"):
        MlpProbe(learning_rate=1e30).fit(x, y, 2, 1e-3)
