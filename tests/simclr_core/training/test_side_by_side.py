"""Training runs side by side: each is the run that it is alone, and their number is chosen by rates."""

import weakref
from typing import Any

import pytest
import torch
from interrupted import pictures
from made_trials import HERE, NO_CURVE, Listener, equal_states, small_config

from simclr_core.config.schema import Config
from simclr_core.runtime import Execution
from simclr_core.training import side_by_side
from simclr_core.training.pretraining import pretrain
from simclr_core.training.side_by_side import MOST, SideBySide, members_that_pay

STEPS = 24


def config(seed: int, changes: dict[str, Any] | None = None) -> Config:
    """24 steps in 4 epochs."""
    return small_config(
        {"batch_size": 10, "epochs": 4, "seed": seed, **NO_CURVE, **(changes or {})}
    )


def alone(one: Config) -> tuple[list[float], dict[str, torch.Tensor]]:
    """The losses and the encoder of the run without any other."""
    told = Listener()
    trained = pretrain(one, pictures(), HERE, told)
    return list(told.column("loss").values()), trained.state


def test_a_member_is_the_run_that_it_is_alone_bit_for_bit() -> None:
    configs = [
        config(0),
        config(1, {"optimizer": {"kind": "lars"}, "views.operations": [{"kind": "crop"}]}),
        config(2, {"batch_size": 20, "epochs": 8, "shuffled_positives": True}),
    ]
    together = SideBySide(pictures(), HERE)
    members = [together.add(one) for one in configs]

    together.run(STEPS)

    for one, member in zip(configs, members, strict=True):
        losses, state = alone(one)
        assert member.done == STEPS
        assert member.losses().tolist() == losses
        assert equal_states(member.encoder.state_dict(), state)


def test_a_member_at_its_end_begins_with_its_first_epoch_again() -> None:
    together = SideBySide(pictures(), HERE)
    member = together.add(config(0))

    together.run(STEPS + 7)

    assert member.done == STEPS + 7
    assert bool(member.losses().isfinite().all())


def test_the_pace_counts_the_views_of_all_members() -> None:
    together = SideBySide(pictures(), HERE)
    together.add(config(0))
    together.add(config(1, {"batch_size": 20, "views.num_views": 3}))

    both, first = together.pace(3), together.pace(3, 1)

    assert both.views_per_second * both.seconds == pytest.approx(20 + 60)
    assert first.views_per_second * first.seconds == pytest.approx(20)
    assert both.memory is None


def test_members_are_warmed_up_once_and_used_again_for_the_next_number() -> None:
    together = SideBySide(pictures(), HERE)
    rate_of = together.rates(config(0), rounds=2)

    rates = [rate_of(num) for num in (1, 2)]

    assert all(rate is not None and rate > 0 for rate in rates)
    assert [member.done for member in together.members] == [5 + 2 + 2, 5 + 2]
    first, second = (member.losses()[0].item() for member in together.members)
    assert first != second, "each has another seed"


def test_members_that_need_too_much_memory_have_no_rate_and_are_let_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    together = SideBySide(pictures(), HERE)
    rate_of = together.rates(config(0), rounds=1)
    assert rate_of(1) is not None

    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("full")

    monkeypatch.setattr(side_by_side, "Member", full)

    assert rate_of(2) is None
    assert together.members == []


def test_memory_is_given_back_when_nothing_holds_the_members_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    together = SideBySide(pictures(), HERE)
    rate_of = together.rates(config(0), rounds=1)
    rate_of(1)
    member = weakref.ref(together.members[0])
    gone: list[bool] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: gone.append(member() is None))

    def full(_: SideBySide) -> None:
        raise torch.OutOfMemoryError("full")

    monkeypatch.setattr(SideBySide, "_wait", full)

    assert rate_of(1) is None
    assert gone == [True]


def test_a_member_says_why_no_graph_is_replayed() -> None:
    member = SideBySide(pictures(), HERE).add(config(0))

    assert "cpu" in str(member.why_eager)


def test_settings_of_torch_are_left_as_they_were() -> None:
    threads = torch.get_num_threads()
    together = SideBySide(pictures(), Execution(device="cpu", threads=threads + 1))
    together.add(config(0))
    together.run(1)

    assert torch.get_num_threads() == threads


# ---------------------------------------------------------------------------- how many of them pay


@pytest.mark.parametrize(
    ("rates", "best", "asked"),
    [
        ([100, 200, 390, 400], 4, 4),
        ([100, 105], 1, 2),
        ([100, 105.1, 110.3], 2, 3),
        ([100, 90, 500], 1, 2),
        ([100, 190, None], 2, 3),
        ([None], 0, 1),
        ([100, 200, 400, 800, 1600, 3200, 6400], MOST, 6),
    ],
)
def test_doublings_end_where_one_adds_a_twentieth_or_less_or_memory_ends(
    rates: list[float | None], best: int, asked: int
) -> None:
    nums: list[int] = []

    def rate_of(num: int) -> float | None:
        nums.append(num)
        return rates[len(nums) - 1]

    assert members_that_pay(rate_of) == best
    assert nums == [2**i for i in range(asked)]
