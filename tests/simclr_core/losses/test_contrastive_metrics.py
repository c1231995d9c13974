"""Table 5's accuracy and entropy against their definitions, number by number."""

import math

import pytest
import torch
from embedded import cosines, embeddings

from simclr_core.losses import contrastive_metrics
from simclr_core.losses.contrastive_metrics import contrastive_accuracy, contrastive_entropy


def test_accuracy_counts_first_views_whose_partner_is_nearest_of_the_other_side() -> None:
    told = set[float]()
    for seed in range(8):
        z = embeddings(6, 3, seed=seed)
        z[6:] = 0.3 * z[6:] + z[:6]
        s, found = cosines(z.tolist()), 0
        for i in range(6):
            found += max(range(6, 12), key=lambda k, i=i, s=s: s[i][k]) == i + 6

        told.add(float(contrastive_accuracy(z)))
        assert float(contrastive_accuracy(z)) == pytest.approx(found / 6)
    assert len(told) > 1


def test_without_normalising_accuracy_goes_by_inner_products() -> None:
    # The second of the second views is longer than it is near.
    z = torch.tensor([[1.0, 0], [10, 10], [1, 0.1], [10, 9]])

    assert float(contrastive_accuracy(z)) == 1.0
    assert float(contrastive_accuracy(z, normalise=False)) == 0.5


def test_accuracy_is_one_when_both_views_are_equal_and_moves_no_gradient() -> None:
    z = embeddings(6).chunk(2)[0].repeat(2, 1).requires_grad_()

    accuracy = contrastive_accuracy(z)

    assert float(accuracy) == 1.0
    assert not accuracy.requires_grad


@pytest.mark.parametrize("normalise", [True, False])
def test_entropy_is_the_mean_over_first_views_of_their_distribution_over_the_other_side(
    *, normalise: bool
) -> None:
    z, temperature, total = embeddings(7), 0.4, 0.0
    rows = z.tolist()
    s = (
        cosines(rows)
        if normalise
        else [[sum(a * b for a, b in zip(x, y, strict=True)) for y in rows] for x in rows]
    )
    for i in range(7):
        shares = [math.exp(s[i][k] / temperature) for k in range(7, 14)]
        total -= sum(w / sum(shares) * math.log(w / sum(shares)) for w in shares)

    found = contrastive_entropy(z, temperature, normalise=normalise)

    assert float(found) == pytest.approx(total / 7, rel=1e-6)


def test_entropy_lies_between_certainty_and_the_logarithm_of_the_number_of_images() -> None:
    sure, blind = torch.eye(9).repeat(2, 1), torch.ones(18, 4)

    assert float(contrastive_entropy(sure, 0.01)) == pytest.approx(0, abs=1e-6)
    assert float(contrastive_entropy(blind, 0.5)) == pytest.approx(math.log(9), abs=1e-6)


def test_of_several_views_the_first_two_count() -> None:
    z = embeddings(9, 4)
    z[6:12] = 0.3 * z[6:12] + z[:6]

    assert contrastive_accuracy(z, 3) == contrastive_accuracy(z[:12])
    assert contrastive_entropy(z, 0.2, 3) == contrastive_entropy(z[:12], 0.2)


def test_in_parts_both_are_those_of_one_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    z = embeddings(9, 3)
    z[9:] = 0.3 * z[9:] + z[:9]
    accuracy, entropy = contrastive_accuracy(z), contrastive_entropy(z, 0.5)

    monkeypatch.setattr(contrastive_metrics, "_SIMILARITIES", 2 * len(z))

    assert 0 < accuracy < 1
    assert contrastive_accuracy(z) == accuracy
    assert float(contrastive_entropy(z, 0.5)) == pytest.approx(float(entropy), rel=1e-6)
