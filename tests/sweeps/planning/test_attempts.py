"""Which attempt of a trial counts, and the interval of equal values: one rule each, everywhere."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_records import commit, made_record
from toy_trials import toy_plan, toy_sweep

from sweeps.execution import progress
from sweeps.planning import Plan
from sweeps.planning.attempts import counting
from sweeps.storage import Store
from sweeps.tracking.cell_runs import _computed
from sweeps.tracking.runs import _counted

FAILED: dict[str, Any] = {"state": "failed", "values": {}, "error": "ValueError: broken"}
NO_NUMBER: dict[str, Any] = {"values": {"top1": None}}
LEFT: dict[str, dict[str, Any]] = {
    "number": {"values": {"top1": 42.0}},
    "no number": NO_NUMBER,
    "absent": {"values": {"other": 1.0}},
    "infinite": {"values": {"top1": math.inf}},
    "failed": FAILED,
    "failed with a number": FAILED | {"values": {"top1": 99.0}},
}


def plan_of_one() -> Plan:
    return toy_plan(toy_sweep([1], seeds=(0,)), Store("/nowhere").known())


@pytest.fixture
def repeated(store: Store) -> tuple[Store, Plan]:
    """One trial that gave 42, then finished without a number, then failed."""
    plan = plan_of_one()
    for left in ({"values": {"top1": 42.0}}, NO_NUMBER, FAILED):
        commit(store, plan.trials[0], **left)
    return store, plan


BRIEF: dict[str, Any] = {"label": "toy@smoke", "metric": "top1", "interval": 0.95}


def test_the_attempt_with_a_number_counts_in_status(repeated: tuple[Store, Plan]) -> None:
    store, plan = repeated

    (cell,) = progress(store, plan).cells

    assert (len(cell.finished), cell.failed) == (1, ())
    assert cell.values("top1") == [42.0]


def test_the_attempt_with_a_number_counts_in_mlflow(repeated: tuple[Store, Plan]) -> None:
    store, plan = repeated
    key = plan.trials[0].key

    counted = _counted(store.summaries(), {**BRIEF, "trials": [(key, "1")]})

    assert counted[key].attempt == 1
    assert counted[key].values == {"top1": 42.0}


def test_a_trial_that_once_finished_is_finished_in_the_plan(repeated: tuple[Store, Plan]) -> None:
    store, _ = repeated

    (trial,) = toy_plan(toy_sweep([1], seeds=(0,)), store.known()).trials

    assert (trial.reason, trial.todo) == ("finished", False)


@given(st.lists(st.sampled_from(sorted(LEFT)), min_size=1, max_size=5), st.data())
def test_the_newest_number_counts_else_the_newest_that_finished_else_the_newest(
    left: list[str], data: st.DataObject
) -> None:
    trial = plan_of_one().trials[0]
    attempts = [made_record(trial, attempt=n, **LEFT[what]) for n, what in enumerate(left, 1)]
    order = data.draw(st.permutations(attempts))
    numbers = [n for n, what in enumerate(left, 1) if what == "number"]
    finished = [n for n, what in enumerate(left, 1) if not what.startswith("failed")]

    with_metric, without = counting(order, "top1"), counting(order)

    assert with_metric is not None
    assert with_metric.attempt == (numbers or finished or [len(left)])[-1]
    assert without is not None
    assert without.attempt == (finished or [len(left)])[-1]


def test_of_no_attempts_none_counts() -> None:
    assert counting([], "top1") is None


def test_equal_values_have_no_interval_in_mlflow() -> None:
    trials = toy_plan(toy_sweep([1], seeds=(0, 1, 2)), Store("/nowhere").known()).trials

    values = _computed([made_record(t, values={"top1": 50.0}) for t in trials])

    assert values == {"cell/n": 3.0, "cell/top1": 50.0}


def test_values_without_a_finite_number_are_no_part_of_a_mean_in_mlflow(tmp_path: Path) -> None:
    trials = toy_plan(toy_sweep([1], seeds=(0, 1, 2)), Store(tmp_path).known()).trials
    numbers = (50.0, 52.0, math.inf)

    found = [
        made_record(t, values={"top1": value}) for t, value in zip(trials, numbers, strict=True)
    ]

    assert _computed(found)["cell/top1"] == 51.0
