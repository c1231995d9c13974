"""`ablate diff`: two trials of one or two stores, side by side."""

from pathlib import Path

import pytest
from commands import called, record_of, recorded, the_plan, tree, written_study

from ablations.study import parse_assignment
from sweeps.planning import Plan
from sweeps.storage import save_plan


@pytest.fixture
def plans(here: Path) -> tuple[Plan, Plan]:
    """A study in `runs` and its variation in `others`, all on record, but no crop of seed 1."""
    study = written_study(here)
    plain = the_plan(study)
    warmer = the_plan(study, set=(parse_assignment("loss.temperature=0.2"),))
    for name, plan in (("runs", plain), ("others", warmer)):
        store = recorded(here / name, plan.model_copy(update={"trials": ()}))
        for trial in plan.trials:
            if (trial.cell, trial.seed) != ("crop", 1):
                made = record_of(trial, plan, variation=plan.variation)
                store.commit(made, store.running / "log")
        save_plan(store, plan)
    return plain, warmer


def key(plan: Plan, cell: str, seed: int) -> str:
    return next(trial.key for trial in plan.trials if (trial.cell, trial.seed) == (cell, seed))


def test_differing_fields_are_listed_and_equal_ones_are_counted(
    plans: tuple[Plan, Plan], capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = key(plans[0], "crop", 0), key(plans[1], "crop", 0)

    said = called(capsys, "diff", first[:10], f"others:{second[:10]}")
    found = called(capsys, "diff", first, f"others:{second}", "--json").json

    assert said.code == 0, said.err
    assert f"A {first}  mine@laptop, crop, seed 0, attempt 1, finished\n" in said.out
    assert f"B {second}  mine@laptop+loss.temperature=0.2, crop, seed 0, attempt 1" in said.out
    assert "configuration: 1 of " in said.out
    assert "seeds: all 4 fields are equal\n" in said.out
    row = next(line.split() for line in said.out.splitlines() if "loss.temperature  " in line)
    assert row == ["loss.temperature", "0.1", "0.2"]
    assert "batch_size" not in said.out
    configuration = found["fields"]["configuration"]
    assert configuration["differ"] == [{"field": "loss.temperature", "a": 0.1, "b": 0.2}]
    assert configuration["equal"] > 40
    assert [trial["key"] for trial in found["trials"]] == [first, second]


def test_values_are_side_by_side_with_their_difference(
    plans: tuple[Plan, Plan], capsys: pytest.CaptureFixture[str]
) -> None:
    words = [key(plans[0], "crop+colour", seed) for seed in (0, 1)]

    said = called(capsys, "diff", *words)
    found = called(capsys, "diff", *words, "--json").json

    row = next(line.split() for line in said.out.splitlines() if line.startswith("top1"))
    assert row == ["top1", "50.00", "51.00", "+1.00"]
    assert "one trial each: the differences have no interval and show no effect" in said.out
    assert {"name": "top1", "a": 50.0, "b": 51.0, "difference": 1.0} in found["values"]
    assert {"field": "seed", "a": 0, "b": 1} in found["fields"]["seeds"]["differ"]


def test_every_wrong_trial_is_one_message(
    plans: tuple[Plan, Plan], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = key(plans[0], "crop", 0)
    slip = ("0" if known[0] != "0" else "1") + known[1:12]
    open_one = key(plans[0], "crop", 1)
    before = tree(here, but="index.jsonl")

    for words, sentences in {
        (slip, "nowhere:ab"): (
            f"has no trial {slip!r}; did you mean '{known[:12]}'?",
            "nowhere:ab: there is no store at nowhere;",
        ),
        (known, "others:"): ("a trial must be KEY or STORE:KEY, got 'others:'",),
        ("x", "x"): ("has no trial 'x'",),  # told once
        (known, open_one): (f"trial {open_one} (crop, seed 1) has not finished",),
    }.items():
        said = called(capsys, "diff", *words)
        assert (said.code, said.out) == (2, "")
        for sentence, line in zip(sentences, said.err.splitlines(), strict=True):
            assert sentence in line
    assert tree(here, but="index.jsonl") == before
