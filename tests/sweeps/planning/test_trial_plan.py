"""Planning is pure, and gives every trial its reason."""

import copy
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_records import made_record
from toy_trials import toy_plan, toy_resolve, toy_sweep

from sweeps.errors import PlanError
from sweeps.planning import AddedCell, Cell, Known, Plan, Resolved, Sweep, keys, plan

EMPTY = Known()
AtSeed = Callable[[int], Resolved]


def reasons(made: Plan) -> dict[tuple[str, int], tuple[str, bool]]:
    return {(trial.cell, trial.seed): (trial.reason, trial.todo) for trial in made.trials}


def known_of(made: Plan, **changes: object) -> Known:
    return Known([made_record(trial, **changes).summary() for trial in made.trials])


def test_trials_come_seed_by_seed_so_that_a_cut_study_is_balanced() -> None:
    made = toy_plan(toy_sweep([1, 2, 3], seeds=(4, 0)), EMPTY)

    places = [(trial.seed, trial.cell) for trial in made.trials]
    assert places == [(4, "1"), (4, "2"), (4, "3"), (0, "1"), (0, "2"), (0, "3")]


def test_what_is_not_on_record_is_missing() -> None:
    made = toy_plan(toy_sweep([1, 2]), EMPTY)

    assert set(reasons(made).values()) == {("missing", True)}
    assert len(made.todo) == len({trial.key for trial in made.trials}) == 4


@pytest.mark.parametrize(("again", "todo"), [(False, False), (True, True)])
def test_a_finished_trial_runs_only_again(*, again: bool, todo: bool) -> None:
    known = known_of(toy_plan(toy_sweep([1]), EMPTY))

    made = toy_plan(toy_sweep([1]), known, again=again, failed=True)

    assert set(reasons(made).values()) == {("finished", todo)}
    assert all(trial.rerun is again for trial in made.trials)


@pytest.mark.parametrize(("failed", "todo"), [(False, False), (True, True)])
def test_a_failed_trial_runs_only_when_failed_ones_are_asked_for(
    *, failed: bool, todo: bool
) -> None:
    known = known_of(toy_plan(toy_sweep([1]), EMPTY), state="failed", error="ValueError: x")

    made = toy_plan(toy_sweep([1]), known, failed=failed, again=True)

    assert set(reasons(made).values()) == {("failed: ValueError: x", todo)}


def test_a_finished_attempt_outweighs_failed_ones_before_and_after() -> None:
    [trial, _] = toy_plan(toy_sweep([1]), EMPTY).trials
    attempts = [("failed", 1), ("finished", 2), ("failed", 3)]
    summaries = [
        made_record(trial, state=state, attempt=number, error=None).summary()
        for state, number in attempts
    ]

    made = toy_plan(toy_sweep([1]), Known(summaries))

    assert made.trials[0].reason == "finished"


def test_a_new_evaluation_of_an_available_encoder_is_named_as_missing() -> None:
    before = toy_plan(toy_sweep([1]), EMPTY)
    encoders = frozenset(trial.stages[0].key for trial in before.trials)
    known = Known(known_of(before).summaries, {"encoder": encoders})

    made = toy_plan(toy_sweep([1], readout=2), known)

    assert set(reasons(made).values()) == {("evaluation missing", True)}
    assert {trial.stages[0].key for trial in made.trials} == encoders
    assert not {trial.key for trial in made.trials} & {trial.key for trial in before.trials}


def test_a_changed_configuration_names_its_fields() -> None:
    known = known_of(toy_plan(toy_sweep([1], width=16, deep={"a": 1, "b": 2}), EMPTY))

    made = toy_plan(toy_sweep([1], width=32, deep={"a": 1, "b": 3}), known)

    assert set(reasons(made).values()) == {("configuration changed: width, deep.b", True)}


def test_a_change_that_no_field_shows_is_reported_as_data_or_version() -> None:
    known = known_of(toy_plan(toy_sweep([1]), EMPTY))

    def resolve(cell: Cell) -> AtSeed:
        inner = toy_resolve()(cell)

        def at(seed: int) -> Resolved:
            resolved = inner(seed)
            (name, identity), *rest = resolved.chain
            return Resolved(resolved.config, ((name, {**identity, "data": "new"}), *rest))

        return at

    made = plan(toy_sweep([1]), resolve, known)

    words = "configuration changed: no field, but the data or the version behind its encoder"
    assert set(reasons(made).values()) == {(words, True)}


def test_a_trial_without_its_data_has_the_hash_of_its_configuration() -> None:
    def resolve(cell: Cell) -> AtSeed:
        return lambda seed: Resolved({**cell.settings, "seed": seed}, (), "name the folder")

    made = plan(toy_sweep([1, 2]), resolve, EMPTY)

    assert set(reasons(made).values()) == {("data missing: name the folder", False)}
    assert len({trial.key for trial in made.trials}) == 4
    assert all(trial.stages == () for trial in made.trials)


def test_records_of_another_scale_with_the_same_key_count() -> None:
    known = known_of(toy_plan(toy_sweep([1]), EMPTY), study="other", scale="paper")

    made = toy_plan(toy_sweep([1]), known)

    assert {trial.reason for trial in made.trials} == {"finished"}


FLOOR = AddedCell(name="untrained", role="floor", set={"steps": 0})


def with_floor(**settings: object) -> Sweep:
    return toy_sweep([1, 2, 3]).model_copy(update={"added": (FLOOR,), **settings})


def same_for_all(cell: Cell) -> AtSeed:
    """Without steps x is of no account, as an untrained encoder is the same under all views."""

    def at(seed: int) -> Resolved:
        config = {**cell.settings, "seed": seed}
        shared = {"seed": seed} if config["steps"] == 0 else config
        return Resolved(config, (("encoder", shared),))

    return at


def test_baselines_of_one_key_are_one_cell_and_the_floor_of_each_arm() -> None:
    made = plan(with_floor(), same_for_all, EMPTY)

    assert [cell.name for cell in made.cells] == ["1", "2", "3", "untrained"]
    assert [cell.floor for cell in made.cells] == ["untrained", "untrained", "untrained", None]
    assert [cell.role for cell in made.cells] == ["arm", "arm", "arm", "floor"]
    assert len(made.trials) == 4 * 2


def test_baselines_of_different_keys_are_named_after_their_arms() -> None:
    made = plan(with_floor(), toy_resolve(), EMPTY)

    assert [cell.name for cell in made.cells[3:]] == [
        "untrained (1)",
        "untrained (2)",
        "untrained (3)",
    ]
    assert made.cells[1].floor == "untrained (2)"


def test_only_selects_controls_and_baselines_too() -> None:
    made = plan(with_floor(only=("2",)), same_for_all, EMPTY)

    assert [cell.name for cell in made.cells] == ["2", "untrained"]


def test_a_control_of_the_first_arm_and_seed_is_one_trial() -> None:
    control = AddedCell(name="shuffled", role="control", set={"y": 1}, cells="first", num_seeds=1)
    made = plan(with_floor(added=(control,), only=("2", "3")), toy_resolve(), EMPTY)

    [trial] = [trial for trial in made.trials if trial.role == "control"]
    assert (trial.cell, trial.seed, trial.config["x"]) == ("shuffled", 0, 2)


@pytest.mark.parametrize(("num_seeds", "expected"), [(None, 4), (1, 1), (3, 3), (9, 4)])
def test_a_control_has_as_many_of_the_first_seeds_as_it_says(
    num_seeds: int | None, expected: int
) -> None:
    more = AddedCell(
        name="more", role="reference", set={"y": 1}, cells="first", num_seeds=num_seeds
    )
    sweep = with_floor(seeds=(5, 3, 8, 9), added=(more,))
    made = plan(sweep, same_for_all, EMPTY)

    assert [t.seed for t in made.trials if t.cell == "more"] == [5, 3, 8, 9][:expected]
    assert len([t for t in made.trials if t.role == "arm"]) == 12


def test_a_control_has_the_floor_of_its_arm_and_a_reference_has_none() -> None:
    beside = tuple(
        AddedCell(name=role, role=role, set={"y": role}, cells=("3",))
        for role in ("control", "reference")
    )
    made = plan(with_floor(added=(FLOOR, *beside)), toy_resolve(), EMPTY)

    floors = {cell.name: cell.floor for cell in made.cells}
    assert floors["control"] == floors["3"] == "untrained (3)"
    assert floors["reference"] is None


def test_an_unknown_cell_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(PlanError, match="did you mean 'untrained'"):
        plan(with_floor(only=("untraind",)), same_for_all, EMPTY)


def test_a_control_of_an_unknown_arm_is_refused_with_the_nearest_name() -> None:
    control = AddedCell(name="control", role="control", set={"y": 1}, cells=("1", "x=33"))

    with pytest.raises(PlanError) as caught:
        plan(toy_sweep([1, 33]).model_copy(update={"added": (control,)}), toy_resolve(), EMPTY)

    assert str(caught.value) == (
        "control 'control' refers to a cell 'x=33' that does not exist; did you mean '33'?"
    )


def test_a_plan_of_too_many_trials_is_refused_with_its_cells_and_seeds() -> None:
    with pytest.raises(PlanError) as caught:
        plan(toy_sweep([1, 2], seeds=tuple(range(50_001))), toy_resolve(), EMPTY)

    assert str(caught.value) == (
        "2 cells with 50,001 seeds make 100,002 trials, but a plan may have at most 100,000; use "
        "fewer seeds or cells"
    )


def test_a_cell_without_a_stage_is_refused() -> None:
    with pytest.raises(PlanError) as caught:
        plan(toy_sweep([1]), lambda _: lambda _: Resolved({}, ()), EMPTY)

    assert str(caught.value) == "cell '1' has no stage; a trial needs at least one"


def test_a_control_with_the_name_of_an_arm_is_refused_with_the_way_out() -> None:
    control = AddedCell(name="2", role="control", set={"y": 1}, cells=("1",))

    with pytest.raises(PlanError) as caught:
        plan(with_floor(added=(control,)), toy_resolve(), EMPTY)

    assert str(caught.value) == "two cells have the name '2'; rename a level or a control"


def test_two_cells_of_one_key_are_trained_once() -> None:
    def blind(cell: Cell) -> AtSeed:
        return lambda seed: Resolved(
            {**cell.settings, "seed": seed}, (("encoder", {"seed": seed}),)
        )

    made = plan(toy_sweep([1, 2]), blind, EMPTY)

    assert len(made.todo) == 2
    assert reasons(made)["2", 0] == ("the same trial as in cell '1'", False)


def test_planning_changes_nothing_and_gives_the_same_plan_twice(tmp_path: Path) -> None:
    sweep, known = toy_sweep([1, 2]), known_of(toy_plan(toy_sweep([1]), EMPTY))
    before = copy.deepcopy((sweep, list(known.summaries)))

    first, second = toy_plan(sweep, known), toy_plan(sweep, known)

    assert first == second
    assert (sweep, list(known.summaries)) == before
    assert list(tmp_path.iterdir()) == []


def test_every_trial_of_a_sweep_is_in_its_plan() -> None:
    made = toy_plan(toy_sweep(list(range(30)), seeds=tuple(range(7))), EMPTY)

    places = {(trial.cell, trial.seed) for trial in made.trials}
    assert places == {(str(level), seed) for level in range(30) for seed in range(7)}


def test_a_trial_is_resolved_once_and_each_stage_hashed_once_however_many_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # What planning costs is a number of calls a trial: tests/benchmarks/planning.py has the seconds.
    calls: Counter[str] = Counter()
    key_of, resolve = keys.key_of, toy_resolve()

    def hashed(value: Any) -> str:
        calls["hashed"] += 1
        return key_of(value)

    def resolved(cell: Cell) -> AtSeed:
        calls["cells"] += 1
        at = resolve(cell)

        def at_seed(seed: int) -> Resolved:
            calls["resolved"] += 1
            return at(seed)

        return at_seed

    monkeypatch.setattr(keys, "key_of", hashed)
    counts: list[Counter[str]] = []
    for num in (10, 20, 40):
        calls.clear()
        made = plan(toy_sweep(list(range(num)), seeds=(0, 1, 2)), resolved, EMPTY)
        assert len(made.trials) == 3 * num
        counts.append(Counter(calls))

    stages = len(made.trials[0].stages)
    assert counts == [
        Counter(cells=num, resolved=3 * num, hashed=3 * num * stages) for num in (10, 20, 40)
    ]


def test_each_trial_has_the_configuration_and_the_key_of_its_own_seed() -> None:
    made = toy_plan(toy_sweep([1, 2], seeds=(4, 0, 7)), EMPTY)
    alone = {seed: toy_plan(toy_sweep([1, 2], seeds=(seed,)), EMPTY) for seed in (4, 0, 7)}

    assert all(trial.config["seed"] == trial.seed for trial in made.trials)
    keys_alone = {(t.cell, t.seed): t.key for plan in alone.values() for t in plan.trials}
    assert {(t.cell, t.seed): t.key for t in made.trials} == keys_alone


def test_an_available_encoder_of_another_trial_is_not_reused() -> None:
    other = toy_plan(toy_sweep([3]), EMPTY).trials[0].stages[0].key

    made = toy_plan(toy_sweep([1]), Known((), {"encoder": frozenset([other])}))

    assert set(reasons(made).values()) == {("missing", True)}
