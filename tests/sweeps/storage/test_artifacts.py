"""What a stage left is used as it was made, or set aside with a message and made again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toy_trials import toy_plan, toy_sweep

from sweeps.errors import LaunchError, StoreError
from sweeps.execution import Outcome, RunSettings, TrialContext, run_here
from sweeps.planning import Plan
from sweeps.record import TrialRecord
from sweeps.storage import Store


def run(store: Store, plan: Plan, place: int = 0) -> TrialRecord:
    payload = {"counter": str(store.path.parent / "counter")}
    settings = RunSettings(payload=payload)
    ran = run_here(plan.trials[place], plan, store, "toy_trials:toy_trial", settings)
    record = store.record(ran.key, ran.attempt)
    assert record is not None
    return record


def steps(store: Store) -> int:
    return len((store.path.parent / "counter").read_text().splitlines())


def newer(store: Store) -> Plan:
    """The same encoders with another evaluation: the encoders are in the store."""
    plan = toy_plan(toy_sweep([1, 2], readout=2), store.known())
    assert plan.trials[0].reason == "evaluation missing"
    return plan


def flipped(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(bytes([content[0] ^ 1]) + content[1:])


def edited(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


DAMAGE: dict[str, Callable[[Path, Path], object]] = {
    "a bit of its file": lambda one, _: flipped(one / "weights"),
    "its file is cut": lambda one, _: (one / "weights").write_bytes(b""),
    "its file is gone": lambda one, _: (one / "weights").unlink(),
    "its file is another's": lambda one, two: (two / "weights").rename(one / "weights"),
    "its folder is another's": lambda one, two: (
        one.rename(one.with_name("x")),
        two.rename(one),
        one.with_name("x").rename(two),
    ),
    "its manifest is another's": lambda one, two: (two / "made.json").rename(one / "made.json"),
    "its manifest is gone": lambda one, _: (one / "made.json").unlink(),
    "its manifest is torn": lambda one, _: (one / "made.json").write_text("{"),
    "its manifest names another launch": lambda one, _: edited(one / "made.json", launch="x"),
    "its manifest names no files": lambda one, _: edited(one / "made.json", files={}),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_artifact_is_set_aside_with_one_message_and_made_again(
    store: Store, small_plan: Plan, how: str
) -> None:
    expected = run(store, small_plan, 0).values
    run(store, small_plan, 1)
    one, two = (store.artifact("encoder", small_plan.trials[i].stages[0].key) for i in (0, 1))
    trained = steps(store)
    plan = newer(store)
    DAMAGE[how](one, two)

    record = run(store, plan)

    assert record.values == expected
    assert (record.reused, steps(store)) == ((), trained + 3)
    [told] = record.notes
    assert str(one) in told
    assert "it was moved to" in told
    assert told in (store.path / record.log).read_text()
    [aside] = (store.path / "set-aside").iterdir()
    assert aside.name.startswith("encoders-")
    assert run(store, newer_still(store)).reused == ("encoder",)


def newer_still(store: Store) -> Plan:
    return toy_plan(toy_sweep([1, 2], readout=3), store.known())


def test_an_artifact_that_is_whole_is_used_without_a_word(store: Store, small_plan: Plan) -> None:
    run(store, small_plan)

    record = run(store, newer(store))

    assert (record.reused, record.notes, steps(store)) == (("encoder",), (), 3)


def without_data(context: TrialContext) -> Outcome:
    raise LaunchError(f"the data are gone, found at seed {context.seed}")


def test_trouble_of_the_launch_is_reported_and_fails_no_trial(
    store: Store, small_plan: Plan
) -> None:
    with pytest.raises(LaunchError, match=r"^the data are gone, found at seed 0$"):
        run_here(small_plan.trials[0], small_plan, store, f"{__name__}:without_data", RunSettings())

    assert store.summaries() == ()
    assert not issubclass(LaunchError, StoreError)
