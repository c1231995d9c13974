"""Turns: one thread runs at a time, in the order of waiting, and none is forgotten."""

import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeps.execution.turns import Turns


def run(*members: Callable[[], None]) -> None:
    threads = [threading.Thread(target=member, daemon=True) for member in members]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive(), "a member waits for ever"


@given(st.lists(st.integers(0, 12), min_size=1, max_size=6))
@settings(deadline=None, max_examples=40)
def test_one_runs_at_a_time_and_each_comes_to_its_end(lengths: list[int]) -> None:
    turns, running, most, done = Turns(), [0], [0], list[int]()

    def member(number: int, length: int) -> Callable[[], None]:
        def work() -> None:
            with turns:
                for _ in range(length):
                    running[0] += 1
                    most[0] = max(most[0], running[0])
                    time.sleep(0)
                    running[0] -= 1
                    turns.give_way()
                done.append(number)

        return work

    run(*(member(number, length) for number, length in enumerate(lengths)))

    assert most[0] <= 1
    assert sorted(done) == list(range(len(lengths)))


def test_those_that_wait_run_in_the_order_of_waiting() -> None:
    turns, said, all_here = Turns(), list[str](), threading.Barrier(3)

    def member(name: str) -> Callable[[], None]:
        def work() -> None:
            all_here.wait()
            with turns:
                while turns_waiting() < 2 and not said:
                    time.sleep(0.001)
                for _ in range(4):
                    said.append(name)
                    turns.give_way()

        return work

    def turns_waiting() -> int:
        return len(turns._waiting)

    run(*(member(name) for name in "abc"))

    rounds = [said[start : start + 3] for start in range(0, 12, 3)]
    assert all(one == rounds[0] for one in rounds)
    assert sorted(rounds[0]) == ["a", "b", "c"]


def test_alone_nobody_is_waited_for() -> None:
    turns = Turns()
    with turns:
        turns.give_way()
    with turns:
        turns.give_way()


def test_one_that_ends_with_an_error_leaves_its_turn_to_the_next() -> None:
    turns, said = Turns(), list[str]()

    def breaks() -> None:
        with pytest.raises(ZeroDivisionError), turns:
            said.append(str(1 / 0))
        said.append("broken")

    def works() -> None:
        with turns:
            said.append("worked")

    run(breaks, works)

    assert sorted(said) == ["broken", "worked"]
