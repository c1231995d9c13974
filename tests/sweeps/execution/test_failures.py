"""A launch in which the first trials all fail alike stops and says so once; others go on."""

from pathlib import Path

import pytest
from toy_trials import toy_plan, toy_sweep

from sweeps.execution import RunSettings
from sweeps.execution.failures import TrialEnd, common_failure
from sweeps.execution.launch import Launch
from sweeps.planning import Known
from sweeps.storage import Store

SAME = "DataError: no folder or archive at obst daten"


def failed(cell: str, error: str = SAME) -> TrialEnd:
    return TrialEnd(cell, error)


def finished(cell: str) -> TrialEnd:
    return TrialEnd(cell, None)


@pytest.mark.parametrize(
    ("ends", "slots"),
    [
        ([failed("a"), failed("b")], 1),
        ([failed("a"), failed("b"), failed("c")], 2),
        ([failed("a"), failed("a"), failed("b")], 2),
        ([failed("a"), failed("b"), failed("c"), finished("d")], 2),
    ],
)
def test_as_many_equal_failures_as_slots_and_one_stop_a_launch(
    ends: list[TrialEnd], slots: int
) -> None:
    message = common_failure(ends, slots)

    assert message is not None
    assert SAME in message
    assert "'a'" in message
    assert "--failed" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("ends", "slots"),
    [
        ([], 1),
        ([failed("a")], 1),
        ([failed("a")], 0),
        ([failed("a"), failed("b")], 2),
        ([failed("a"), failed("a"), failed("a")], 2),  # a cell that fails by itself
        ([failed("a"), failed("b", "Diverged: the loss is nan at step 3")], 1),
        ([finished("a"), failed("b"), failed("c"), failed("d")], 2),
        ([failed("a"), finished("b"), failed("c"), failed("d")], 2),
    ],
)
def test_other_failures_do_not(ends: list[TrialEnd], slots: int) -> None:
    assert common_failure(ends, slots) is None


def test_every_error_of_many_cells_is_named_once() -> None:
    message = common_failure([failed(f"cell {i}") for i in range(9)], 8)

    assert message is not None
    assert message.count(SAME) == 1
    assert "'cell 2' and 6 more" in message


def test_a_launch_stops_at_the_last_of_them(tmp_path: Path) -> None:
    plan = toy_plan(toy_sweep([1, 2, 3]), Known())
    launch = Launch(
        plan=plan,
        store=Store(tmp_path),
        function="toy_trials:toy_trial",
        settings=RunSettings(slots=1),
        todo=list(plan.todo),
        on_progress=None,
        on_record=None,
    )
    first, second, third, *_ = plan.todo

    launch.take_result([first.key, "failed", SAME, 1])
    assert launch.trouble is None
    launch.take_result([second.key, "failed", SAME, 1])
    stopped = launch.trouble
    launch.take_result([third.key, "failed", "another error", 1])

    assert stopped is not None
    assert SAME in stopped
    assert launch.trouble == stopped
