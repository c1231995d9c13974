"""Wrong positives: a pairing in which no view meets its own image's, and nothing else is changed."""

import importlib
from typing import Any

import pytest
import torch
from lightly.loss import NTXentLoss
from made_trials import NO_CURVE, Listener, equal_states, small_config, trained
from torch import Tensor

from simclr_core.losses.contrastive import NTXent
from simclr_core.training.shuffled_positives import another, with_wrong_positives

module = importlib.import_module("simclr_core.training.batch_loss")


def pairing(num_images: int, num_views: int, seed: int, step: int) -> Tensor:
    """Which image's view is put into each place: [V, N]."""
    return torch.stack([another(num_images, seed, step, apart) for apart in range(num_views)])


def partners(num_images: int, seed: int = 0, step: int = 0) -> Tensor:
    """For each image, whose second view is paired with its first."""
    z = torch.arange(2.0 * num_images)[:, None]
    rows = with_wrong_positives(z, pairing(num_images, 2, seed, step))[:, 0].long()
    assert rows[:num_images].tolist() == list(range(num_images))  # first views stay
    return rows[num_images:] - num_images


@pytest.mark.parametrize("num_images", [2, 3, 7, 128, 4096])
def test_no_image_keeps_its_second_view_and_each_is_taken_once(num_images: int) -> None:
    for step in range(20):
        found = partners(num_images, step=step)

        assert not (found == torch.arange(num_images)).any()
        assert sorted(found.tolist()) == list(range(num_images))


@pytest.mark.statistical
def test_every_other_image_is_met_equally_often() -> None:
    # 1,500 steps, 90 pairs of each probability 1 / 9: six binomial standard errors for each, a
    # false-alarm rate of 90 * 2e-9.
    counts = torch.zeros(10, 10)
    for step in range(1500):
        counts[torch.arange(10), partners(10, step=step)] += 1

    expected = 1500 / 9
    assert counts.diagonal().sum() == 0
    others = counts[~torch.eye(10, dtype=torch.bool)]
    assert float((others - expected).abs().max()) < 6 * (expected * 8 / 9) ** 0.5


def test_each_seed_and_step_pairs_in_its_own_way_and_always_in_the_same() -> None:
    assert torch.equal(partners(50, 1, 2), partners(50, 1, 2))
    assert not torch.equal(partners(50, 1, 2), partners(50, 1, 3))
    assert not torch.equal(partners(50, 1, 2), partners(50, 2, 2))


def test_the_loss_is_lightlys_of_the_wrong_pairs() -> None:
    z = torch.randn(24, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    first, second = z.chunk(2)

    found = NTXent(temperature=0.2)(with_wrong_positives(z, pairing(12, 2, 3, 4)))

    expected = NTXentLoss(temperature=0.2)(first, second[partners(12, 3, 4)])
    assert float(found) == pytest.approx(float(expected), abs=1e-10)


def test_a_training_with_wrong_positives_begins_alike_and_ends_elsewhere() -> None:
    right, wrong = Listener(), Listener()
    ends = [
        trained({**NO_CURVE, "shuffled_positives": shuffled}, listener=told).state
        for shuffled, told in ((False, right), (True, wrong))
    ]

    assert not equal_states(*ends)
    assert [told.column("learning_rate") for told in (right, wrong)] == 2 * [
        right.column("learning_rate")
    ]
    assert right.column("loss")[1] != wrong.column("loss")[1]


@pytest.mark.parametrize(("source", "moves"), [("order", True), ("initialisation", False)])
def test_the_pairs_are_the_order_seeds(
    source: str, *, moves: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[tuple[int, int], None] = {}

    def told(num_images: int, seed: int, step: int, apart: int) -> Tensor:
        asked[seed, step] = None
        return another(num_images, seed, step, apart)

    monkeypatch.setattr(module, "another", told)
    trained({**NO_CURVE, "shuffled_positives": True, "seed": 1, f"seeds.{source}": 9})

    assert list(asked) == [(9 if moves else 1, step) for step in range(6)]


def test_of_three_views_no_two_of_one_image_meet() -> None:
    rows = with_wrong_positives(torch.arange(15.0)[:, None], pairing(5, 3, 0, 0))[:, 0].long() % 5

    met = rows.view(3, 5)
    assert all(len(set(column)) == 3 for column in met.T.tolist())
    assert all(sorted(view) == list(range(5)) for view in met.tolist())


@pytest.mark.parametrize(
    "changes",
    [
        {"loss": {"kind": "sup_con"}},
        {
            "loss": {"kind": "cross_entropy"},
            "head": {"kind": "linear", "output": 10, "batch_norm": False},
        },
    ],
    ids=["sup_con", "cross_entropy"],
)
def test_under_labels_the_control_hands_each_image_the_label_of_another(
    changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    handed: list[list[int]] = []
    kind = type(small_config(changes).loss)
    call = kind.__call__

    def listening(self: Any, z_MD: Tensor, labels_M: Tensor) -> Tensor:
        handed.append(labels_M.tolist())
        return call(self, z_MD, labels_M)

    monkeypatch.setattr(kind, "__call__", listening)
    for shuffled in (False, True):
        trained({**changes, **NO_CURVE, "shuffled_positives": shuffled, "epochs": 1})

    right, wrong = handed[: len(handed) // 2], handed[len(handed) // 2 :]
    for step, (labels, others) in enumerate(zip(right, wrong, strict=True)):
        expected = [labels[i] for v in (1, 2) for i in another(40, 0, step, v).tolist()]
        assert others == expected
        assert others[:40] != others[40:]  # an image's two views are no pair either


def test_without_the_control_no_pair_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> Tensor:
        raise AssertionError("the pairs of an ordinary trial stay as they are")

    monkeypatch.setattr(module, "with_wrong_positives", never)

    trained(NO_CURVE)
