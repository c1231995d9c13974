"""Weighted nearest neighbours against scikit-learn's."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor

from simclr_core.probes import knn
from simclr_core.probes.contract import top_k_accuracy
from simclr_core.probes.knn import Knn


def points(num: int, *, seed: int) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(num, 6, generator=rng, dtype=torch.float64) * 3


def labels(num: int) -> Tensor:
    return torch.arange(num) % 4


@pytest.mark.parametrize(("k", "temperature"), [(1, 0.1), (7, 0.1), (20, 0.5), (60, 0.05)])
def test_votes_are_those_of_scikit_learn_with_weights_of_the_cosine(
    k: int, temperature: float
) -> None:
    bank, queries = points(60, seed=1), points(40, seed=2)
    oracle = KNeighborsClassifier(
        n_neighbors=k,
        metric="cosine",
        algorithm="brute",
        weights=lambda distance: np.exp((1 - distance) / temperature),
    ).fit(bank.numpy(), labels(60).numpy())

    scores = Knn(k=k, temperature=temperature).scores(bank, labels(60), queries, 4)

    shares = scores / scores.sum(dim=1, keepdim=True)
    np.testing.assert_allclose(shares, oracle.predict_proba(queries.numpy()), atol=1e-9)
    assert scores.argmax(1).tolist() == oracle.predict(queries.numpy()).tolist()


def test_the_scale_of_features_plays_no_part() -> None:
    bank, queries = points(60, seed=1), points(10, seed=2)
    factors = torch.arange(1, 61, dtype=torch.float64)[:, None]

    scores = Knn(k=5).scores(bank, labels(60), queries, 4)
    scaled = Knn(k=5).scores(bank * factors, labels(60), queries * 100, 4)

    torch.testing.assert_close(scores, scaled)


def test_more_voters_than_images_are_all_images() -> None:
    bank, queries = points(20, seed=1), points(10, seed=2)

    many, all_of_them = (Knn(k=k).scores(bank, labels(20), queries, 4) for k in (200, 20))

    assert torch.equal(many, all_of_them)


def test_a_small_temperature_leaves_the_votes_finite() -> None:
    scores = Knn(k=5, temperature=1e-4).scores(
        points(20, seed=1).float(), labels(20), points(10, seed=2).float(), 4
    )

    assert scores.isfinite().all()
    assert (scores.sum(dim=1) >= 1).all()


def test_equal_votes_go_to_the_smaller_class_number() -> None:
    bank = torch.tensor([[1.0, 0.0], [1.0, 0.0]])

    scores = Knn(k=2).scores(bank, torch.tensor([3, 1]), torch.tensor([[1.0, 0.0]]), 4)

    assert scores.argmax(1).tolist() == [1]
    # torch's topk picks among equals by what suits its length: at ten classes the eighth.
    equal = torch.zeros(1, 10, dtype=torch.float64)
    equal[0, [3, 7]] = 1.0
    assert top_k_accuracy(equal, torch.tensor([3]), 1) == 100
    assert top_k_accuracy(equal, torch.tensor([7]), 1) == 0


def test_asking_in_parts_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    bank, queries = points(60, seed=1), points(41, seed=2)
    whole = Knn(k=5).scores(bank, labels(60), queries, 4)

    monkeypatch.setattr(knn, "_SIMILARITIES", 60 * 8)

    torch.testing.assert_close(Knn(k=5).scores(bank, labels(60), queries, 4), whole)
